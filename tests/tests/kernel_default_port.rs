//! RFC 959's default data port through the kernel programs.
#![allow(clippy::unwrap_used, reason = "the helpers of tests")]

use ftpmon_common::{Counter, Expected, FlowState};
use ftpmon_tests::kernel::bench::boot_seconds;
use ftpmon_tests::kernel::frame::{ACK, address};
use ftpmon_tests::kernel::talk::{CONTROL, SERVER, greet};
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, Talk, privileged};

/// RFC 959 section 3.2: the server connects to the port that the control connection comes from.
#[test]
fn the_default_data_port_is_tracked_beside_the_dialogue() {
    if !privileged("default data port") {
        return;
    }
    let mut bench = Bench::load(Settings::default()).unwrap();
    greet(&mut bench);
    bench.records().unwrap();
    let ends = ((SERVER, 20), CONTROL.0);
    let mut early = Talk::new(&bench, Hooked::Xdp, ends, [1, 2]);
    early.open();
    assert_eq!(
        early.account().flags & !FlowState::INITIATOR_HIGH,
        FlowState::CANDIDATE | FlowState::SHARED,
        "without an announcement of its own it shares the places of candidates"
    );
    early.close();
    let expected = Expected::new(address(SERVER), true, boot_seconds().unwrap() + 60, false);
    bench.expect(Frame::new(ends.0, ends.1, 0, 0, 0).destination(), expected).unwrap();
    let before = bench.value(Counter::ControlFrames).unwrap();
    let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
    control.say(1, ACK, 20);
    let mut data = Talk::new(&bench, Hooked::Xdp, ends, [1_000_000, 2_000_000]);
    data.open();
    data.say(0, ACK, 333);
    control.say(1, ACK, 20);
    control.say(0, ACK, 6);
    assert!(data.account().halves.iter().any(|half| half.payload_bytes == 333));
    assert_eq!(data.account().flags & !FlowState::INITIATOR_HIGH, FlowState::EXPECTED);
    data.close();
    assert_eq!(bench.value(Counter::ControlFrames).unwrap(), before + 3, "the dialogue is still one");
    assert_eq!(bench.value(Counter::FlowsExpected).unwrap(), 1);
    assert_eq!(bench.value(Counter::FlowsMidstream).unwrap(), 0);
}
