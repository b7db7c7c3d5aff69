//! Control connections through the kernel programs: which frames are delivered, and what the agent's verdicts change.
#![allow(clippy::unwrap_used, reason = "the helpers of tests")]

use ftpmon_common::{Counter, Verdict};
use ftpmon_tests::kernel::frame::{ACK, FIN};
use ftpmon_tests::kernel::talk::CONTROL;
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, Talk};

#[test]
fn control_is_delivered_once_from_two_vantage_points() {
    let Some(mut bench) = Bench::for_test("control twice", Settings::default()) else { return };
    let command = Frame::new(CONTROL.0, CONTROL.1, ACK, 1_000, 5_000).payload(b"NOOP\r\n").bytes();
    let next = Frame::new(CONTROL.0, CONTROL.1, ACK, 1_006, 5_000).payload(b"QUIT\r\n").bytes();
    bench.run(Hooked::Xdp, &command).unwrap();
    bench.run(Hooked::TcEgress, &command).unwrap();
    // A retransmission at the owner is delivered again.
    bench.run(Hooked::Xdp, &command).unwrap();
    // The other one is ahead: it takes over.
    bench.run(Hooked::TcEgress, &next).unwrap();
    bench.run(Hooked::Xdp, &next).unwrap();
    assert_eq!(bench.value(Counter::ControlFrames).unwrap(), 3);
    assert_eq!(bench.value(Counter::ControlDuplicates).unwrap(), 2);
    assert_eq!(bench.records().unwrap().len(), 3);
}

#[test]
fn the_handshakes_last_ack_is_delivered_and_other_bare_acks_are_not() {
    let Some(mut bench) = Bench::for_test("handshake", Settings::default()) else { return };
    let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
    control.open();
    assert_eq!(bench.value(Counter::ControlFrames).unwrap(), 3);
    let mut control = Talk { next: control.next, ..Talk::new(&bench, Hooked::Xdp, CONTROL, [0, 0]) };
    control.say(0, ACK, 0);
    control.say(1, ACK, 20);
    control.say(0, ACK, 0);
    assert_eq!(bench.value(Counter::ControlFrames).unwrap(), 4);
    assert_eq!(bench.value(Counter::ControlAcks).unwrap(), 2);
    assert_eq!(bench.records().unwrap().len(), 4);
}

#[test]
fn verdicts_on_control_connections_are_kept() {
    let Some(mut bench) = Bench::for_test("verdicts", Settings::default()) else { return };
    let key = Frame::new(CONTROL.0, CONTROL.1, 0, 0, 0).key().0;
    bench.decide(key, Verdict::COUNT).unwrap();
    let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
    control.open();
    control.say(1, ACK, 513);
    control.say(0, FIN | ACK, 0);
    assert_eq!(bench.value(Counter::ControlCounted).unwrap(), 1, "the long segment");
    assert_eq!(bench.value(Counter::ControlFrames).unwrap(), 4);
    bench.forget().unwrap();
    bench.decide(key, Verdict::IGNORE).unwrap();
    let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
    control.open();
    control.say(1, ACK, 20);
    assert_eq!(bench.value(Counter::ControlFrames).unwrap(), 0);
    assert_eq!(bench.value(Counter::ControlIgnored).unwrap(), 4);
}
