//! Copies of a data connection's beginning, and of a control connection under TLS.
#![allow(clippy::unwrap_used, reason = "the helpers of tests")]

use ftpmon_common::{Counter, Endpoint, Expected, RecordKind, Verdict};
use ftpmon_tests::kernel::bench::{BenchRecord, boot_seconds};
use ftpmon_tests::kernel::frame::ACK;
use ftpmon_tests::kernel::talk::{CONTROL, DATA, greet};
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, Talk};

/// Segments of an encrypted control connection: short ones go to the ring, long ones that begin like a line as well, and
/// from then on all, until the verdict is asked for again.
#[test]
fn text_on_a_counted_control_connection_is_handed_over() {
    let long = |beginning: &[u8]| [beginning, &[0x11; 600]].concat();
    for (what, payload, copied) in [
        ("a short record", vec![23, 3, 3, 0, 40], [true, false]),
        ("512 bytes", [&[23, 3, 3, 2, 0][..], &[0; 507]].concat(), [true, false]),
        ("a long record", long(&[23, 3, 3, 16, 0]), [false, false]),
        ("the middle of a record", long(&[0xe2, 3, b'a', b'b']), [false, false]),
        ("an alert", long(&[21, 3, 3, 0]), [false, false]),
        ("a long reply", long(b"214-"), [true, true]),
        ("a long command", long(b"SITE "), [true, true]),
        ("a verb of three letters", long(b"MKD "), [true, true]),
        ("three bytes", b"PWD".to_vec(), [true, false]),
    ] {
        let Some(mut bench) = Bench::for_test("text", Settings::default()) else { return };
        let key = Frame::new(CONTROL.0, CONTROL.1, 0, 0, 0).key().0;
        bench.decide(key, Verdict::COUNT).unwrap();
        let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
        control.open();
        for (step, (payload, copied)) in [payload, vec![0; 700]].into_iter().zip(copied).enumerate() {
            let before = control.bench.value(Counter::ControlFrames).unwrap();
            control.tell(1, &payload);
            let now = control.bench.value(Counter::ControlFrames).unwrap();
            assert_eq!(now - before, u64::from(copied), "{what}, step {step}");
        }
    }
}

/// The heads that went to the ring: of each the frame's length and the bytes copied.
fn heads(bench: &mut Bench) -> Vec<(u32, u32)> {
    let of = |record| match record {
        BenchRecord::Frame(header, _) if header.kind == RecordKind::Beginning as u8 => {
            Some((header.frame_len, header.chunk_len))
        }
        _ => None,
    };
    bench.records().unwrap().into_iter().filter_map(of).collect()
}

#[test]
fn the_beginning_of_a_handshake_is_copied_and_of_anything_else_a_banner() {
    let hello = |len: usize| [&[22, 3, 1, 6, 0][..], &vec![0x5a; len - 5]].concat();
    let Some(mut bench) = Bench::for_test("heads", Settings::default()) else { return };
    for hook in [Hooked::Xdp, Hooked::TcEgress] {
        bench.forget().unwrap();
        greet(&mut bench);
        let mut data = Talk::new(&bench, hook, DATA, [7_000, 9_000]);
        data.open();
        data.tell(0, &hello(1_448));
        data.tell(0, &[1; 300]);
        data.tell(1, &hello(3_000));
        for _ in 0..9 {
            data.tell(1, &[2; 1_400]);
        }
        data.tell(0, &[3; 3_000]);
        data.tell(0, &[3; 300]);
        assert_eq!(
            heads(&mut bench),
            [(1_502, 1_502), (354, 354), (3_054, 2_048), (1_454, 1_454), (3_054, 2_048)],
            "{hook:?}: no more than the first 4096 bytes of an end"
        );
    }
}

#[test]
fn a_banner_is_short_and_one_an_end() {
    let Some(mut bench) = Bench::for_test("banner", Settings::default()) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [7_000, 9_000]);
    data.open();
    for _ in 0..3 {
        data.say(1, ACK, 1_400);
        data.say(0, ACK, 20);
    }
    assert_eq!(heads(&mut bench), [(1_454, 128), (74, 74)]);
    assert_eq!(bench.value(Counter::DataBeginnings).unwrap(), 2);
    assert_eq!(bench.value(Counter::DataFrames).unwrap(), 0);
}

/// An end that says its hello again and again, and one whose first segment comes late.
#[test]
fn heads_are_bounded_whatever_comes() {
    let Some(mut bench) = Bench::for_test("bounded heads", Settings::default()) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [7_000, 9_000]);
    data.open();
    let hello = data.at(0, ACK, data.next[0], 0).payload(&[22, 3, 1, 0, 80, 1, 0, 0, 76]);
    for _ in 0..20 {
        data.run(&hello);
    }
    let late = data.at(1, ACK, data.next[1].wrapping_add(9), 0).payload(&[7; 100]);
    let first = data.at(1, ACK, data.next[1], 0).payload(&[22, 3, 3, 0, 80, 2, 0, 0, 76]);
    data.run(&late);
    data.run(&first);
    assert_eq!(heads(&mut bench), [(63, 63); 5], "four of the one, one of the other");
}

/// An announced connection that is no TLS: not a byte of it is copied.
#[test]
fn nothing_of_an_announced_file_is_copied() {
    let Some(mut bench) = Bench::for_test("announced", Settings::default()) else { return };
    greet(&mut bench);
    let address = |end: &str| end.parse::<std::net::IpAddr>().unwrap().into();
    let announced = Expected::new(address(DATA.0.0), false, boot_seconds().unwrap() + 60, false);
    bench.expect(Endpoint::new(address(DATA.1.0), DATA.1.1), announced).unwrap();
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [7_000, 9_000]);
    data.open();
    data.say(1, ACK, 1_400);
    assert_eq!(heads(&mut bench), []);
}
