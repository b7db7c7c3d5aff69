//! Hostile peers: they have no effect on others' traffic, and displace no others' records.
#![allow(clippy::unwrap_used, reason = "the helpers of tests")]

use ftpmon_common::{Counter, Expected, FlowState};
use ftpmon_tests::kernel::bench::boot_seconds;
use ftpmon_tests::kernel::frame::{ACK, FIN, address};
use ftpmon_tests::kernel::talk::{CLIENT, CONTROL, SERVER};
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, Talk};

#[test]
fn what_a_peer_says_of_a_third_host_counts_and_copies_none_of_its_traffic() {
    let Some(mut bench) = Bench::for_test("third host", Settings { payload: true, ..Settings::default() })
    else {
        return;
    };
    let until = boot_seconds().unwrap() + 60;
    let victim = ("203.0.113.80", 8_080);
    let listener = Frame::new((CLIENT, 1), victim, 0, 0, 0).destination();
    // PORT 203,0,113,80,31,144 to the server.
    bench.expect(listener, Expected::new(address(SERVER), false, until, true)).unwrap();
    let mut open = Talk::new(&bench, Hooked::Xdp, (("203.0.113.9", 50_001), victim), [100, 200]);
    open.say(1, ACK, 1_000);
    open.say(0, ACK, 1_000);
    Talk::new(&bench, Hooked::Xdp, (("203.0.113.9", 50_002), victim), [1, 2]).open();
    assert_eq!(bench.value(Counter::Data).unwrap(), 0);
    assert_eq!(bench.records().unwrap().len(), 0);
    // The server does connect there: that is a transfer.
    let mut data = Talk::new(&bench, Hooked::Xdp, ((SERVER, 20), victim), [1, 2]);
    data.open();
    data.say(0, ACK, 5);
    assert_ne!(data.account().flags & FlowState::EXPECTED, 0);

    // A port of the announcer's own: others need a SYN.
    let own = Frame::new((SERVER, 1), (CLIENT, 40_000), 0, 0, 0).destination();
    bench.expect(own, Expected::new(address(SERVER), true, until, true)).unwrap();
    let before = bench.value(Counter::Data).unwrap();
    let mut open = Talk::new(&bench, Hooked::Xdp, (("203.0.113.9", 50_001), (CLIENT, 40_000)), [100, 200]);
    open.say(1, ACK, 1_000);
    open.say(0, ACK, 1_000);
    assert_eq!(bench.value(Counter::Data).unwrap(), before);
    Talk::new(&bench, Hooked::Xdp, (("203.0.113.9", 50_002), (CLIENT, 40_000)), [1, 2]).open();
    assert_eq!(bench.value(Counter::Data).unwrap(), before + 3);
}

#[test]
fn a_well_known_port_is_never_copied() {
    let Some(mut bench) = Bench::for_test("well-known", Settings { payload: true, ..Settings::default() })
    else {
        return;
    };
    let until = boot_seconds().unwrap() + 60;
    let listener = Frame::new((CLIENT, 1), (SERVER, 443), 0, 0, 0).destination();
    bench.expect(listener, Expected::new(address(CLIENT), true, until, true)).unwrap();
    let mut data = Talk::new(&bench, Hooked::Xdp, ((CLIENT, 40_000), (SERVER, 443)), [1, 2]);
    data.open();
    data.say(0, ACK, 100);
    data.say(1, ACK, 100);
    assert_eq!(bench.value(Counter::DataFrames).unwrap(), 0);
}

#[test]
fn one_connection_does_not_take_the_ring_from_others() {
    let Some(mut bench) = Bench::for_test("loud", Settings { ring: 1 << 16, ..Settings::default() }) else {
        return;
    };
    let mut loud = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
    loud.open();
    for _ in 0..100 {
        loud.say(0, ACK, 1_400);
    }
    let mut other = Talk::new(&bench, Hooked::Xdp, ((CLIENT, 57_659), (SERVER, 21)), [100, 200]);
    other.open();
    for _ in 0..100 {
        other.say(0, ACK, 20);
    }
    let next = loud.next;
    // Its end is told all the same.
    loud.say(0, FIN | ACK, 0);
    assert!(bench.value(Counter::LostLoud).unwrap() > 80, "{}", bench.value(Counter::LostLoud).unwrap());
    assert_eq!(bench.value(Counter::LostControl).unwrap(), 0);
    let delivered = bench.value(Counter::ControlFrames).unwrap();
    assert_eq!(delivered + bench.value(Counter::LostLoud).unwrap(), 3 + 100 + 3 + 100 + 1);
    assert_eq!(bench.records().unwrap().len() as u64, delivered);
    // Where there is room it may be as loud as it likes.
    let mut loud = Talk { next, ..Talk::new(&bench, Hooked::Xdp, CONTROL, [0, 0]) };
    loud.say(0, ACK, 1_400);
    assert_eq!(bench.value(Counter::ControlFrames).unwrap(), delivered + 1);
}
