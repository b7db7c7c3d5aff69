//! The cost of the kernel programs, by `BPF_PROG_TEST_RUN`. The bounds are far above what is measured, as other work continues
//! beside the tests; the figures are printed.
#![allow(clippy::unwrap_used, reason = "the helpers of tests")]

use std::time::Duration;

use ftpmon_common::{Expected, PortMark};
use ftpmon_tests::kernel::bench::boot_seconds;
use ftpmon_tests::kernel::frame::{ACK, SYN};
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, privileged};

const CLIENT: (&str, u16) = ("192.168.1.106", 57_658);
const SERVER: (&str, u16) = ("192.168.1.109", 21);
const LISTENER: (&str, u16) = ("192.168.1.109", 26_758);

/// The best of some rounds: what the program costs when nothing disturbs it.
fn best(bench: &mut Bench, hooked: Hooked, frame: &[u8], repeat: u32) -> Duration {
    let rounds = (0..9).map(|_| {
        bench.records().unwrap();
        bench.time(hooked, frame, repeat).unwrap()
    });
    rounds.min().unwrap()
}

#[test]
fn packets_cost_what_they_may() {
    if !privileged("packets_cost_what_they_may") {
        return;
    }
    let mut bench = Bench::load(Settings { ring: 1 << 22, ..Settings::default() }).unwrap();
    let web = Frame::new(CLIENT, ("192.168.1.109", 80), ACK, 1, 1).filled(600).bytes();
    let web6 = Frame::new(("2001:db8::1", 9), ("2001:db8::2", 80), ACK, 1, 1).filled(600).bytes();
    let flood = Frame::new(("203.0.113.9", 99), ("192.168.1.109", 80), SYN, 1, 1).bytes();
    let command = Frame::new(CLIENT, SERVER, ACK, 1_000, 1).payload(b"RETR some-file.bin\r\n").bytes();
    let bare = Frame::new(CLIENT, SERVER, ACK, 1_000, 1).bytes();
    let syn = Frame::new(CLIENT, LISTENER, SYN, 1, 0);
    let data = Frame::new(CLIENT, LISTENER, ACK, 2, 1).filled(1_400).bytes();
    let full = Frame::new(CLIENT, SERVER, ACK, 1_000, 1).filled(1_460).bytes();
    for hooked in [Hooked::Xdp, Hooked::TcEgress] {
        bench.forget().unwrap();
        // No more runs than the ring has room for.
        let mut report = |what: &str, frame: &[u8], limit_ns: u64| {
            let repeat = if frame.len() > 1_000 { 1_500 } else { 20_000 };
            let taken = best(&mut bench, hooked, frame, repeat);
            println!("{hooked:?} {what}: {} ns", taken.as_nanos());
            assert!(taken < Duration::from_nanos(limit_ns), "{hooked:?} {what}: {taken:?}");
        };
        report("no interest", &web, 300);
        report("no interest, IPv6", &web6, 300);
        report("SYN of no interest", &flood, 1_000);
        report("command into the ring", &command, 2_000);
        report("full segment into the ring", &full, 3_000);
        report("bare ACK of a control connection", &bare, 1_000);
        bench
            .expect(
                syn.destination(),
                Expected::new(syn.source().address, false, boot_seconds().unwrap() + 60, false),
            )
            .unwrap();
        bench.run(hooked, &syn.bytes()).unwrap();
        bench.run(hooked, &Frame::new(LISTENER, CLIENT, SYN | ACK, 0, 2).bytes()).unwrap();
        bench.run(hooked, &Frame::new(CLIENT, LISTENER, ACK, 2, 1).bytes()).unwrap();
        let taken = best(&mut bench, hooked, &data, 20_000);
        println!("{hooked:?} data segment: {} ns", taken.as_nanos());
        bench.mark(26_758, PortMark::default()).unwrap();
    }
}
