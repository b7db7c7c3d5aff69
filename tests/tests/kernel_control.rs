//! Control connections through the kernel programs: which frames are delivered, and what the agent's verdicts change.
#![allow(clippy::unwrap_used, reason = "the helpers of tests")]

use ftpmon_common::{Counter, Verdict};
use ftpmon_tests::kernel::frame::{ACK, FIN};
use ftpmon_tests::kernel::talk::CONTROL;
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, Talk, privileged};

fn value(bench: &Bench, counter: Counter) -> u64 {
    bench.stats().unwrap().value(counter)
}

/// Loads for one test, which says its name where it is skipped.
fn bench(test: &str, settings: Settings) -> Option<Bench> {
    if privileged(test) { Some(Bench::load(settings).unwrap()) } else { None }
}

#[test]
fn control_is_delivered_once_from_two_vantage_points() {
    let Some(mut bench) = bench("control twice", Settings::default()) else { return };
    let command = Frame::new(CONTROL.0, CONTROL.1, ACK, 1_000, 5_000).payload(b"NOOP\r\n").bytes();
    let next = Frame::new(CONTROL.0, CONTROL.1, ACK, 1_006, 5_000).payload(b"QUIT\r\n").bytes();
    bench.run(Hooked::Xdp, &command).unwrap();
    bench.run(Hooked::TcEgress, &command).unwrap();
    // A retransmission at the owner is delivered again.
    bench.run(Hooked::Xdp, &command).unwrap();
    // The other one is ahead: it takes over.
    bench.run(Hooked::TcEgress, &next).unwrap();
    bench.run(Hooked::Xdp, &next).unwrap();
    assert_eq!(value(&bench, Counter::ControlFrames), 3);
    assert_eq!(value(&bench, Counter::ControlDuplicates), 2);
    assert_eq!(bench.records().unwrap().len(), 3);
}

#[test]
fn the_handshakes_last_ack_is_delivered_and_other_bare_acks_are_not() {
    let Some(mut bench) = bench("handshake", Settings::default()) else { return };
    let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
    control.open();
    assert_eq!(value(&bench, Counter::ControlFrames), 3);
    let mut control = Talk { next: control.next, ..Talk::new(&bench, Hooked::Xdp, CONTROL, [0, 0]) };
    control.say(0, ACK, 0);
    control.say(1, ACK, 20);
    control.say(0, ACK, 0);
    assert_eq!(value(&bench, Counter::ControlFrames), 4);
    assert_eq!(value(&bench, Counter::ControlAcks), 2);
    assert_eq!(bench.records().unwrap().len(), 4);
}

#[test]
fn verdicts_on_control_connections_are_kept() {
    let Some(mut bench) = bench("verdicts", Settings::default()) else { return };
    let key = Frame::new(CONTROL.0, CONTROL.1, 0, 0, 0).key().0;
    bench.decide(key, Verdict::COUNT).unwrap();
    let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
    control.open();
    control.say(1, ACK, 513);
    control.say(0, FIN | ACK, 0);
    assert_eq!(value(&bench, Counter::ControlCounted), 1, "the long segment");
    assert_eq!(value(&bench, Counter::ControlFrames), 4);
    bench.forget().unwrap();
    bench.decide(key, Verdict::IGNORE).unwrap();
    let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
    control.open();
    control.say(1, ACK, 20);
    assert_eq!(value(&bench, Counter::ControlFrames), 0);
    assert_eq!(value(&bench, Counter::ControlIgnored), 4);
}
