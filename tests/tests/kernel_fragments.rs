//! Fragments, and packets with many extension headers, through the kernel programs: those of FTP servers reach the ring, bounded.
#![allow(clippy::unwrap_used, reason = "the helpers of tests")]

use std::thread;
use std::time::Duration;

use ftpmon_common::{Counter, RecordKind};
use ftpmon_tests::kernel::bench::BenchRecord;
use ftpmon_tests::kernel::frame::ACK;
use ftpmon_tests::kernel::talk::{CLIENT, SERVER, greet};
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, Talk};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Fragments a second of two hosts with a session, and of all others.
const OF_PAIR: u64 = 512;
const OF_OTHERS: u64 = 256;
const MORE: u16 = 0x2000;
/// The time that a share is for.
const INTERVAL: Duration = Duration::from_nanos(1 << 30);
const CLIENT6: (&str, u16) = ("2001:db8::106", 57_658);
const SERVER6: (&str, u16) = ("2001:db8::109", 21);
const ALL: &[Hooked] = &Hooked::ALL;

fn settings() -> Settings {
    Settings { programs: ALL, ..Settings::default() }
}

fn fragment(from: &str, to: &str, place: u16) -> Frame {
    Frame { fragment: place, ..Frame::new((from, 50_000), (to, 21), ACK, 1, 1).filled(24) }
}

/// The frames of the ring that are fragments.
fn copied(bench: &mut Bench) -> Vec<Vec<u8>> {
    let fragment = |record| match record {
        BenchRecord::Frame(header, bytes) if header.kind == RecordKind::Fragment as u8 => Some(bytes),
        _ => None,
    };
    bench.records().unwrap().into_iter().filter_map(fragment).collect()
}

#[test]
fn those_of_a_session_are_copied_whole_at_every_program() {
    let Some(mut bench) = Bench::for_test("fragments of a session", settings()) else { return };
    for hook in Hooked::ALL {
        bench.forget().unwrap();
        greet(&mut bench);
        let raw = matches!(hook, Hooked::XdpRaw | Hooked::TcIngressRaw | Hooked::TcEgressRaw);
        for place in [MORE, MORE | 3, 6] {
            for frame in [
                fragment(CLIENT, SERVER, place),
                fragment(SERVER, CLIENT, place),
                fragment(CLIENT, SERVER, place).filled(3_000),
                fragment(CLIENT, SERVER, place).tag(0x88a8, 2).tag(0x8100, 1),
            ] {
                let frame = if raw { Frame { raw: true, tags: Vec::new(), ..frame } } else { frame };
                bench.run(hook, &frame.bytes()).unwrap();
                assert_eq!(copied(&mut bench), [frame.bytes()], "{hook:?} {place:x}");
            }
        }
        assert_eq!(bench.value(Counter::Fragments).unwrap(), 12);
        assert_eq!(bench.value(Counter::LostFragments).unwrap(), 0);
    }
}

#[test]
fn those_of_other_hosts_are_counted_only() {
    let Some(mut bench) = Bench::for_test("fragments of strangers", settings()) else { return };
    greet(&mut bench);
    for hook in [Hooked::Xdp, Hooked::TcIngress, Hooked::TcEgress] {
        bench.run(hook, &fragment("192.0.2.7", CLIENT, MORE).bytes()).unwrap();
        bench.run(hook, &fragment("192.0.2.7", "192.0.2.8", 6).bytes()).unwrap();
        // Of another protocol between the hosts of the session.
        bench.run(hook, &Frame { protocol: 17, ..fragment(CLIENT, SERVER, MORE) }.bytes()).unwrap();
    }
    assert!(copied(&mut bench).is_empty());
    assert_eq!(bench.value(Counter::Fragments).unwrap() + bench.value(Counter::LostFragments).unwrap(), 0);
    assert_eq!(bench.value(Counter::FragmentFirst).unwrap(), 3);
    assert_eq!(bench.value(Counter::FragmentLater).unwrap(), 3);
}

#[test]
fn a_flood_has_its_share_and_the_rest_is_told() {
    let Some(mut bench) = Bench::for_test("a flood of fragments", settings()) else { return };
    // The share of other hosts is one of each CPU.
    let mut set = CpuSet::new();
    set.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(0), &set).unwrap();
    for hook in [Hooked::Xdp, Hooked::TcIngress] {
        bench.forget().unwrap();
        greet(&mut bench);
        thread::sleep(INTERVAL);
        // Sources that are not there: they have one share together, and the session keeps its own.
        for number in 0..2_000_u32 {
            let [.., high, low] = number.to_be_bytes();
            bench.run(hook, &fragment(&format!("198.18.{high}.{low}"), SERVER, MORE).bytes()).unwrap();
        }
        let of_others = bench.value(Counter::Fragments).unwrap();
        // One interval or two.
        assert!((OF_OTHERS..=2 * OF_OTHERS).contains(&of_others), "{of_others}");
        assert_eq!(bench.value(Counter::LostFragments).unwrap(), 2_000 - of_others);
        copied(&mut bench);
        bench.run(hook, &fragment(CLIENT, SERVER, MORE).bytes()).unwrap();
        assert_eq!(copied(&mut bench).len(), 1);
        for _ in 0..2_000 {
            bench.run(hook, &fragment(CLIENT, SERVER, 6).bytes()).unwrap();
        }
        let of_pair = bench.value(Counter::Fragments).unwrap() - of_others;
        assert!((OF_PAIR..=2 * OF_PAIR).contains(&of_pair), "{of_pair}");
    }
}

#[test]
fn no_more_than_half_of_the_ring_is_taken() {
    let settings = Settings { ring: 1 << 17, ..settings() };
    let Some(mut bench) = Bench::for_test("a ring of fragments", settings) else { return };
    greet(&mut bench);
    let frame = fragment(CLIENT, SERVER, MORE).filled(1_400);
    for _ in 0..100 {
        bench.run(Hooked::Xdp, &frame.bytes()).unwrap();
    }
    let copied = copied(&mut bench).len();
    assert!((20..=33).contains(&copied), "{copied}");
    assert_eq!(bench.value(Counter::LostFragments).unwrap(), 100 - copied as u64);
}

/// The first fragment alone says what follows, which may be another extension.
#[test]
fn ipv6_says_in_the_first_fragment_alone_what_it_carries() {
    let Some(mut bench) = Bench::for_test("fragments of IPv6", settings()) else { return };
    let mut control = Talk::new(&bench, Hooked::Xdp, (CLIENT6, SERVER6), [100, 200]);
    control.open();
    control.say(1, ACK, 20);
    copied(&mut bench);
    let part = |next: u8, place: u16| {
        let [high, low] = place.to_be_bytes();
        let frame = Frame { protocol: next, ..Frame::new(CLIENT6, SERVER6, ACK, 1, 1).filled(24) };
        frame.extension(44, &[0, 0, high, low, 0, 0, 0, 1])
    };
    for (next, place) in [(6, 1), (6, 9), (6, 24), (60, 1), (0, 1), (17, 9), (59, 24)] {
        bench.run(Hooked::Xdp, &part(next, place).bytes()).unwrap();
        assert_eq!(copied(&mut bench), [part(next, place).bytes()], "{next} {place}");
    }
    bench.run(Hooked::Xdp, &part(17, 1).bytes()).unwrap();
    assert!(copied(&mut bench).is_empty(), "the first fragment of another protocol");
    let long = (0..9)
        .fold(Frame::new(CLIENT6, SERVER6, ACK, 1, 1).filled(24), |frame, _| frame.extension(60, &[0; 8]));
    bench.run(Hooked::Xdp, &long.bytes()).unwrap();
    assert_eq!(copied(&mut bench), [long.bytes()]);
    assert_eq!(bench.value(Counter::Ipv6ChainTooLong).unwrap(), 1);
}

/// A client that sends all but its SYN in fragments proves nothing, but the server of this host answers it.
#[test]
fn a_server_that_speaks_is_known_before_its_client() {
    let Some(mut bench) = Bench::for_test("a client that only sends fragments", settings()) else { return };
    let greeting = Frame::new((SERVER, 21), (CLIENT, 50_000), ACK, 300, 2).payload(b"220 hello\r\n");
    bench.run(Hooked::TcEgress, &greeting.bytes()).unwrap();
    copied(&mut bench);
    bench.run(Hooked::Xdp, &fragment(CLIENT, SERVER, MORE).bytes()).unwrap();
    assert_eq!(copied(&mut bench).len(), 1);
    // One that comes from outside proves nothing.
    bench.forget().unwrap();
    bench.run(Hooked::Xdp, &greeting.bytes()).unwrap();
    copied(&mut bench);
    bench.run(Hooked::Xdp, &fragment(CLIENT, SERVER, MORE).bytes()).unwrap();
    assert!(copied(&mut bench).is_empty());
}
