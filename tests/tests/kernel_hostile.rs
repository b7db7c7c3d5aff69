//! Hostile peers: they have no effect on others' traffic, and displace no others' records.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "the helpers of tests")]

use ftpmon_common::names::CANDIDATES_GROUP_MAX;
use ftpmon_common::{Counter, Expected, FlowState, ReportReason};
use ftpmon_tests::kernel::bench::boot_seconds;
use ftpmon_tests::kernel::frame::{ACK, FIN, SYN, address};
use ftpmon_tests::kernel::talk::{CLIENT, CONTROL, DATA, SERVER, greet, reports};
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
    let lost = bench.value(Counter::LostLoud).unwrap() + bench.value(Counter::LostHalfOpen).unwrap();
    assert_eq!(delivered + lost, 3 + 100 + 3 + 100 + 1);
    assert_eq!(bench.records().unwrap().len() as u64, delivered);
    // Where there is room it may be as loud as it likes.
    let mut loud = Talk { next, ..Talk::new(&bench, Hooked::Xdp, CONTROL, [0, 0]) };
    loud.say(0, ACK, 1_400);
    assert_eq!(bench.value(Counter::ControlFrames).unwrap(), delivered + 1);
}

/// Settings with tables as large as they are by default.
fn full_size() -> Settings {
    Settings { flows: ftpmon_common::names::FLOWS_MAX as u32, ..Settings::default() }
}

/// SYNs between one pair of hosts, from all ports of the client to a few of the server, that nothing answers.
fn flood(bench: &Bench, count: usize) {
    for number in 0..count {
        let (from, to) = (1_024 + (number % 60_000) as u16, 30_000 + (number / 60_000) as u16);
        let syn = Frame::new((CLIENT, from), (SERVER, to), SYN, number as u32, 0);
        bench.run(Hooked::Xdp, &syn.bytes()).unwrap();
    }
}

#[test]
fn a_flood_of_syns_takes_a_pairs_share_and_no_more() {
    let Some(mut bench) = Bench::for_test("flood of SYNs", full_size()) else { return };
    greet(&mut bench);
    flood(&bench, 3 * CANDIDATES_GROUP_MAX);
    let opened =
        bench.value(Counter::FlowsCandidate).unwrap() - bench.value(Counter::CandidatesReplaced).unwrap();
    assert!(opened <= CANDIDATES_GROUP_MAX as u64, "{opened}");
    assert!(bench.value(Counter::CandidatesRefused).unwrap() > 0);
    assert_eq!(bench.value(Counter::LostFlow).unwrap(), 0);
    assert_eq!(reports(&mut bench).len(), 0, "a SYN alone is not reported");
    // A connection of the flooded pair is tracked from its SYN-ACK at the latest, whole.
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [7_000, 9_000]);
    data.open();
    data.say(1, ACK, 1_400);
    // Established, it stays.
    flood(&bench, CANDIDATES_GROUP_MAX);
    data.say(1, ACK, 600);
    data.close();
    let told = reports(&mut bench);
    let [(ReportReason::Open, _), (ReportReason::Close, close)] = told.as_slice() else { panic!("{told:?}") };
    let server = usize::from(close.state.flags & FlowState::INITIATOR_HIGH == 0);
    assert_eq!(close.state.halves[server].fin, 2_000);
    assert_eq!(bench.value(Counter::LostFlow).unwrap(), 0);
}

#[test]
fn an_announcement_has_one_place_of_its_own() {
    let Some(mut bench) = Bench::for_test("announced", full_size()) else { return };
    let listener = Frame::new((CLIENT, 1), (SERVER, 30_000), 0, 0, 0).destination();
    let until = boot_seconds().unwrap() + 60;
    bench.expect(listener, Expected::new(address(CLIENT), true, until, false)).unwrap();
    flood(&bench, 3 * CANDIDATES_GROUP_MAX);
    let opened =
        bench.value(Counter::FlowsExpected).unwrap() - bench.value(Counter::CandidatesReplaced).unwrap();
    assert!(opened <= CANDIDATES_GROUP_MAX as u64 + 1, "{opened}");
    // Its own comes in all the same.
    let mut data = Talk::new(&bench, Hooked::Xdp, ((CLIENT, 65_000), (SERVER, 30_000)), [1, 2]);
    data.open();
    data.say(1, ACK, 5);
    assert_ne!(data.account().flags & FlowState::EXPECTED, 0);
    // A further announcement has a place that the flood did not take.
    let other = Frame::new((CLIENT, 1), (SERVER, 31_000), 0, 0, 0).destination();
    bench.expect(other, Expected::new(address(CLIENT), true, until, false)).unwrap();
    let mut data = Talk::new(&bench, Hooked::Xdp, ((CLIENT, 65_000), (SERVER, 31_000)), [1, 2]);
    data.say(0, SYN, 0);
    assert_eq!(data.account().flags & FlowState::SHARED, 0);
}

#[test]
fn packets_of_one_end_make_no_pair() {
    let Some(bench) = Bench::for_test("one end", Settings::default()) else { return };
    // Replies that nobody asked for, from invented servers, and to clients that sent something else.
    let mut invented = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
    invented.say(1, SYN | ACK, 0);
    invented.say(1, ACK, 20);
    let pair = invented.key().pair();
    assert!(!bench.is_pair(pair).unwrap());
    invented.say(0, ACK, 6);
    invented.next[0] = 4_000;
    invented.say(1, ACK, 20);
    assert!(!bench.is_pair(pair).unwrap());
    // One that acknowledges what the client said.
    invented.next[0] = 106;
    invented.say(1, ACK, 20);
    assert!(bench.is_pair(pair).unwrap());
}
