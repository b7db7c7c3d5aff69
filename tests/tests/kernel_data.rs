//! Data connections through the kernel programs: which are tracked, and that their accounts are exact.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "the helpers of tests")]

use ftpmon_common::{Counter, Expected, FlowHalf, FlowState, PortMark, RecordKind, ReportReason, Verdict};
use ftpmon_tests::kernel::bench::{BenchRecord, boot_seconds};
use ftpmon_tests::kernel::frame::{ACK, RST, SYN, address};
use ftpmon_tests::kernel::talk::{CLIENT, CONTROL, DATA, SERVER, greet, reports};
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, Talk};

fn reasons(bench: &mut Bench) -> Vec<ReportReason> {
    reports(bench).into_iter().map(|(reason, _)| reason).collect()
}

/// The sender's half: 0 the initiator's, 1 the listener's.
fn half(state: &FlowState, from: usize) -> FlowHalf {
    let initiator = usize::from(state.flags & FlowState::INITIATOR_HIGH != 0);
    state.halves[initiator ^ from]
}

#[test]
fn a_candidate_is_counted_from_its_syn_and_reported_closed() {
    let hooks = &[Hooked::Xdp, Hooked::TcIngress, Hooked::TcEgress];
    let settings = Settings { programs: hooks, ..Settings::default() };
    let Some(mut bench) = Bench::for_test("candidate", settings) else { return };
    for hook in hooks.iter().copied() {
        bench.forget().unwrap();
        bench.mark(26_758, PortMark::default()).unwrap();
        greet(&mut bench);
        let mut data = Talk::new(&bench, hook, DATA, [7_000, 9_000]);
        let key = data.key();
        data.open();
        data.say(1, ACK, 1_400);
        data.say(0, ACK, 0);
        data.say(1, ACK, 600);
        let open = data.account();
        assert_eq!(open.flags, FlowState::CANDIDATE | FlowState::SHARED);
        assert!(open.syn_ns != 0 && open.syn_ns <= open.syn_ack_ns && open.syn_ack_ns <= open.ack_ns);
        data.close();
        assert_eq!(bench.flow(key).unwrap(), None);
        let reports = reports(&mut bench);
        let [(ReportReason::Open, _), (ReportReason::Close, close)] = reports.as_slice() else {
            panic!("{reports:?}")
        };
        assert_eq!(close.key, key);
        // The server, which has the higher address.
        assert_ne!(close.state.flags & FlowState::CLOSED_BY_HIGH, 0);
        let (client, server) = (half(&close.state, 0), half(&close.state, 1));
        assert_eq!((client.fin, client.packets, client.payload_bytes), (0, 5, 0));
        assert_eq!((server.fin, server.packets, server.payload_bytes), (2_000, 5, 2_000));
        assert_eq!(server.wire_bytes, 5 * 54 + 2_000);
        assert_eq!(bench.value(Counter::FlowsCandidate).unwrap(), 1);
        assert_eq!(bench.value(Counter::FlowsClosed).unwrap(), 1);
        assert_eq!(bench.value(Counter::Data).unwrap(), 10);
        assert!(bench.marked(26_758).unwrap().is_watched(boot_seconds().unwrap()));
    }
}

#[test]
fn active_mode_is_tracked_from_port_20() {
    let Some(mut bench) = Bench::for_test("active", Settings::default()) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::Xdp, ((SERVER, 20), (CLIENT, 40_001)), [1, 2]);
    data.open();
    data.say(0, ACK, 333);
    assert_eq!(half(&data.account(), 0).highest, 333);
}

#[test]
fn what_is_no_candidate_is_left_alone() {
    let Some(mut bench) = Bench::for_test("no candidate", Settings::default()) else { return };
    // No pair yet: nobody has answered.
    let mut early = Talk::new(&bench, Hooked::Xdp, DATA, [1, 2]);
    early.open();
    let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [100, 200]);
    control.open();
    let pair = control.key().pair();
    assert!(!bench.is_pair(pair).unwrap());
    greet(&mut bench);
    // A well-known port, other hosts, no SYN.
    Talk::new(&bench, Hooked::Xdp, ((CLIENT, 40_000), (SERVER, 443)), [1, 2]).open();
    Talk::new(&bench, Hooked::Xdp, ((CLIENT, 40_000), ("192.168.1.110", 5_000)), [1, 2]).open();
    Talk::new(&bench, Hooked::Xdp, ((CLIENT, 40_000), (SERVER, 5_000)), [1, 2]).say(1, ACK, 100);
    Talk::new(&bench, Hooked::Xdp, ((CLIENT, 40_000), (SERVER, 5_000)), [1, 2]).say(0, SYN | RST, 0);
    assert_eq!(bench.value(Counter::Data).unwrap(), 0);
    assert_eq!(reasons(&mut bench), []);
}

#[test]
fn candidates_can_be_switched_off() {
    let settings = Settings { candidates: false, ..Settings::default() };
    let Some(mut bench) = Bench::for_test("switched off", settings) else { return };
    greet(&mut bench);
    Talk::new(&bench, Hooked::Xdp, DATA, [1, 2]).open();
    assert_eq!(bench.value(Counter::Data).unwrap(), 0);
}

#[test]
fn an_endpoint_of_the_announcers_own_is_tracked_whoever_comes() {
    let Some(mut bench) = Bench::for_test("expected", Settings::default()) else { return };
    let now = boot_seconds().unwrap();
    let ends = (("203.0.113.7", 1_234), (SERVER, 26_758));
    let listener = Frame::new(ends.0, ends.1, 0, 0, 0).destination();
    bench.expect(listener, Expected::new(address(CLIENT), true, now.saturating_sub(1), false)).unwrap();
    Talk::new(&bench, Hooked::Xdp, ends, [1, 2]).open();
    assert_eq!(bench.value(Counter::FlowsExpected).unwrap(), 0, "it has run out");
    bench.expect(listener, Expected::new(address(CLIENT), true, now + 60, false)).unwrap();
    let mut data = Talk::new(&bench, Hooked::Xdp, ends, [1, 2]);
    data.open();
    data.say(0, ACK, 5);
    assert_eq!(data.account().flags & !FlowState::INITIATOR_HIGH, FlowState::EXPECTED);
    data.close();
    assert_eq!(bench.value(Counter::FlowsExpected).unwrap(), 1);
    assert_eq!(reasons(&mut bench), [ReportReason::Open, ReportReason::Close]);
    // What trails behind opens nothing.
    let mut late = Talk::new(&bench, Hooked::Xdp, ends, [100, 200]);
    late.say(1, ACK, 0);
    late.say(1, ACK, 10);
    assert_eq!(reasons(&mut bench), []);
}

#[test]
fn an_announcement_that_comes_late_picks_the_connection_up() {
    let Some(mut bench) = Bench::for_test("late", Settings::default()) else { return };
    let ends = (("203.0.113.7", 1_234), (SERVER, 26_758));
    let mut data = Talk::new(&bench, Hooked::Xdp, ends, [u32::MAX - 10, u32::MAX]);
    data.open();
    assert_eq!(bench.value(Counter::Data).unwrap(), 0);
    let next = data.next;
    let listener = Frame::new(ends.0, ends.1, 0, 0, 0).destination();
    let until = boot_seconds().unwrap() + 60;
    bench.expect(listener, Expected::new(address(ends.0.0), false, until, false)).unwrap();
    let mut data = Talk { bench: &bench, hook: Hooked::Xdp, ends: [ends.0, ends.1], next };
    data.say(0, ACK, 0);
    data.say(1, ACK, 1_000);
    data.say(0, ACK, 0);
    data.say(1, ACK, 1_000);
    data.close();
    let reports = reports(&mut bench);
    let [(ReportReason::Open, _), (ReportReason::Close, close)] = reports.as_slice() else {
        panic!("{reports:?}")
    };
    assert_ne!(close.state.flags & FlowState::MIDSTREAM, 0);
    assert_eq!((half(&close.state, 0).fin, half(&close.state, 1).fin), (0, 2_000));
}

#[test]
fn repeats_holes_and_disorder_leave_the_count_exact() {
    let Some(mut bench) = Bench::for_test("disorder", Settings::default()) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::TcEgress, DATA, [u32::MAX, u32::MAX - 500]);
    data.open();
    let start = data.next[1];
    data.say(1, ACK, 1_000);
    // The same again, an overlap, a keep-alive.
    data.run(&data.at(1, ACK, start, 1_000));
    data.run(&data.at(1, ACK, start.wrapping_add(500), 700));
    data.run(&data.at(1, ACK, start.wrapping_add(1_199), 1));
    let state = data.account();
    assert_eq!(half(&state, 1).highest, 1_200);
    assert_eq!(half(&state, 1).payload_bytes, 1_200 + 1_000 + 500 + 1);
    // 1,200 to 1,500 comes after 1,500 to 2,000.
    data.run(&data.at(1, ACK, start.wrapping_add(1_500), 500));
    assert_eq!(
        (half(&data.account(), 1).highest, half(&data.account(), 1).payload_bytes),
        (2_000, 2_701 + 500)
    );
    data.run(&data.at(1, ACK, start.wrapping_add(1_200), 300));
    let state = data.account();
    assert_eq!(half(&state, 1).highest, 2_000);
    assert_eq!(half(&state, 1).payload_bytes, 1_000 + 1_000 + 700 + 1 + 500 + 300);
    // Far out of the window: none of the connection's.
    data.run(&data.at(1, ACK, start.wrapping_add(0x7000_0000), 100));
    data.run(&data.at(1, RST, start.wrapping_sub(0x7000_0000), 0));
    assert_eq!(bench.value(Counter::DataOutOfWindow).unwrap(), 2);
    assert_eq!(half(&data.account(), 1).highest, 2_000);
    data.next[1] = start.wrapping_add(2_000);
    data.close();
    let reports = reports(&mut bench);
    assert_eq!(half(&reports.last().unwrap().1.state, 1).fin, 2_000);
}

#[test]
fn five_gibibytes_are_counted_across_the_wrap() {
    let Some(mut bench) = Bench::for_test("wrap", Settings::default()) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::TcEgress, DATA, [5, 0xf000_0000]);
    data.open();
    // Leaps of half a gibibyte, as far apart as one window allows: holes, but the end is exact.
    let leap = 1_u32 << 29;
    for _ in 0..10 {
        data.next[1] = data.next[1].wrapping_add(leap - 1_000);
        data.say(1, ACK, 1_000);
    }
    data.close();
    let reports = reports(&mut bench);
    let (_, close) = reports.last().unwrap();
    let server = half(&close.state, 1);
    assert_eq!(server.fin, 5 << 30);
    assert_eq!(server.highest, 5 << 30);
    assert_eq!(server.payload_bytes, 10_000);
}

#[test]
fn two_vantage_points_count_once_and_one_takes_over_where_the_other_is_blind() {
    let Some(mut bench) = Bench::for_test("vantage", Settings::default()) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [1, 2]);
    let twice = |data: &mut Talk<'_>, from: usize, flags: u8, payload: usize| {
        let next = data.next;
        data.hook = Hooked::Xdp;
        data.say(from, flags, payload);
        let after = data.next;
        data.next = next;
        data.hook = Hooked::TcEgress;
        data.say(from, flags, payload);
        assert_eq!(data.next, after);
    };
    twice(&mut data, 0, SYN, 0);
    twice(&mut data, 1, SYN | ACK, 0);
    twice(&mut data, 0, ACK, 0);
    twice(&mut data, 1, ACK, 700);
    assert_eq!(bench.value(Counter::DataDuplicates).unwrap(), 4);
    let server = half(&data.account(), 1);
    assert_eq!((server.packets, server.payload_bytes), (2, 700));
    // XDP goes blind.
    data.hook = Hooked::TcEgress;
    data.say(1, ACK, 300);
    let server = half(&data.account(), 1);
    assert_eq!((server.highest, server.packets), (1_000, 3));
    assert_eq!(bench.value(Counter::DataDuplicates).unwrap(), 4);
}

#[test]
fn a_reset_closes_and_data_in_flight_still_counts() {
    let Some(mut bench) = Bench::for_test("reset", Settings::default()) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [1, 2]);
    data.open();
    data.say(1, ACK, 100);
    data.say(0, RST | ACK, 0);
    data.say(1, ACK, 100);
    data.say(0, RST, 0);
    let state = data.account();
    assert_ne!(state.flags & FlowState::CLOSED, 0);
    assert_ne!(half(&state, 0).flags & FlowHalf::RST, 0);
    assert_eq!(half(&state, 1).highest, 200);
    assert_eq!(reasons(&mut bench), [ReportReason::Open, ReportReason::Close]);
    assert_eq!(bench.value(Counter::FlowsClosed).unwrap(), 1);
}

#[test]
fn a_refused_connection_is_reported() {
    let Some(mut bench) = Bench::for_test("refused", Settings::default()) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [1, 0]);
    data.say(0, SYN, 0);
    data.say(1, RST | ACK, 0);
    assert_eq!(reasons(&mut bench), [ReportReason::Open, ReportReason::Close]);
}

#[test]
fn ports_used_again_open_another_account() {
    let Some(mut bench) = Bench::for_test("reuse", Settings::default()) else { return };
    greet(&mut bench);
    // Closed by RST: the entry is still there.
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [1, 2]);
    data.open();
    data.say(1, ACK, 100);
    data.say(0, RST | ACK, 0);
    let mut again = Talk::new(&bench, Hooked::Xdp, DATA, [70_000, 80_000]);
    again.open();
    again.say(1, ACK, 40);
    again.close();
    let seen = reports(&mut bench);
    let reasons: Vec<_> = seen.iter().map(|(reason, _)| *reason).collect();
    assert_eq!(
        reasons,
        [
            ReportReason::Open,
            ReportReason::Close,
            ReportReason::Reused,
            ReportReason::Open,
            ReportReason::Close
        ]
    );
    assert_eq!(half(&seen[2].1.state, 1).highest, 100);
    assert_eq!(half(&seen[4].1.state, 1).fin, 40);
    assert_ne!(seen[2].1.state.first_ns, seen[4].1.state.first_ns);
    assert_eq!(bench.value(Counter::FlowsReused).unwrap(), 1);

    // An open connection: a SYN alone proves nothing, the answer to it does.
    bench.forget().unwrap();
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [1, 2]);
    data.open();
    data.say(1, ACK, 100);
    let mut again = Talk::new(&bench, Hooked::Xdp, DATA, [0x7fff_0000, 0x7fff_8000]);
    again.say(0, SYN, 0);
    assert_eq!(bench.value(Counter::FlowsReused).unwrap(), 0);
    data.say(1, ACK, 100);
    assert_eq!(half(&data.account(), 1).highest, 200);
    again.say(1, SYN | ACK, 0);
    again.say(0, ACK, 0);
    again.say(1, ACK, 40);
    again.close();
    let seen = reports(&mut bench);
    assert_eq!(bench.value(Counter::FlowsReused).unwrap(), 1);
    assert_eq!(half(&seen.last().unwrap().1.state, 1).fin, 40);
}

#[test]
fn a_full_table_is_counted_and_live_accounts_stay() {
    let settings = Settings { flows: 8, ..Settings::default() };
    let Some(mut bench) = Bench::for_test("full", settings) else { return };
    greet(&mut bench);
    for port in 0..20 {
        Talk::new(&bench, Hooked::Xdp, ((CLIENT, 40_000 + port), (SERVER, 26_758)), [1, 2]).open();
    }
    let opened = bench.value(Counter::FlowsCandidate).unwrap();
    assert!((8..20).contains(&opened), "{opened}");
    // The SYN and the SYN-ACK of each connection that found no room.
    assert_eq!(bench.value(Counter::LostFlow).unwrap(), 2 * (20 - opened));
    let first = Talk::new(&bench, Hooked::Xdp, ((CLIENT, 40_000), (SERVER, 26_758)), [1, 2]);
    assert_eq!(half(&first.account(), 0).packets, 2);
}

#[test]
fn a_closing_report_without_room_stays_in_the_table() {
    let settings = Settings { ring: 4_096, ..Settings::default() };
    let Some(mut bench) = Bench::for_test("unreported", settings) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [1, 2]);
    data.open();
    let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [101, 221]);
    for _ in 0..40 {
        control.say(1, ACK, 20);
    }
    assert_ne!(bench.value(Counter::LostControl).unwrap(), 0);
    data.close();
    let state = data.account();
    assert_eq!(
        state.flags & (FlowState::CLOSED | FlowState::UNREPORTED),
        FlowState::CLOSED | FlowState::UNREPORTED
    );
    assert_eq!(bench.value(Counter::LostReport).unwrap(), 1);
}

#[test]
fn a_flood_of_files_pushes_no_dialogue_out() {
    let settings = Settings { payload: true, payload_ring: 4_096, ..Settings::default() };
    let Some(mut bench) = Bench::for_test("payload ring", settings) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [1, 2]);
    data.open();
    let mut control = Talk::new(&bench, Hooked::Xdp, CONTROL, [101, 221]);
    for _ in 0..40 {
        data.say(1, ACK, 1_000);
        control.say(1, ACK, 20);
    }
    data.close();
    assert_ne!(bench.value(Counter::LostData).unwrap(), 0);
    assert_eq!(bench.value(Counter::LostControl).unwrap(), 0);
    // The greeting's four frames were read before.
    let kind = |kind: RecordKind| move |record: &BenchRecord| matches!(record, BenchRecord::Frame(header, _) if header.kind == kind as u8);
    let records = bench.records().unwrap();
    assert_eq!(records.iter().filter(|record| kind(RecordKind::Control)(record)).count(), 40);
    let frames = records.iter().filter(|record| kind(RecordKind::Data)(record)).count() as u64;
    assert_eq!(frames, bench.value(Counter::DataFrames).unwrap());
    // Its account came by the dialogues' ring.
    let closing = |record: &BenchRecord| matches!(record, BenchRecord::Flow(event) if event.header.report == ReportReason::Close as u8);
    assert_eq!(records.iter().filter(|record| closing(record)).count(), 1);
    assert_eq!(bench.value(Counter::LostReport).unwrap(), 0);
}

#[test]
fn a_live_connection_reports_at_intervals() {
    let settings = Settings { report_ns: 0, ..Settings::default() };
    let Some(mut bench) = Bench::for_test("progress", settings) else { return };
    greet(&mut bench);
    let mut data = Talk::new(&bench, Hooked::Xdp, DATA, [1, 2]);
    data.open();
    data.say(1, ACK, 100);
    let reports = reasons(&mut bench);
    assert_eq!(reports[0], ReportReason::Open);
    assert!(reports[1..].iter().all(|reason| *reason == ReportReason::Progress));
    // SYN-ACK and ACK. The SYN alone is reported by nothing.
    assert!(reports.len() >= 3);
}

#[test]
fn payload_is_copied_only_where_it_is_wanted() {
    for (payload, verdict, copied) in [
        (false, None, 0),
        (false, Some(Verdict::COPY), 0),
        (true, None, 5),
        (true, Some(Verdict::COUNT), 0),
        (true, Some(Verdict::COPY), 5),
    ] {
        let settings = Settings { payload, ..Settings::default() };
        let Some(mut bench) = Bench::for_test("payload", settings) else { return };
        greet(&mut bench);
        let key = Frame::new(DATA.0, DATA.1, 0, 0, 0).key().0;
        if let Some(verdict) = verdict {
            bench.decide(key, verdict).unwrap();
        }
        let mut data = Talk::new(&bench, Hooked::TcEgress, DATA, [1, 2]);
        data.open();
        data.say(1, ACK, 1_000);
        data.close();
        assert_eq!(bench.value(Counter::DataFrames).unwrap(), copied, "{payload} {verdict:?}");
        let frames = bench.records().unwrap().into_iter().filter(
            |record| matches!(record, BenchRecord::Frame(header, _) if header.kind == RecordKind::Data as u8),
        );
        assert_eq!(frames.count() as u64, copied);
    }
}

#[test]
fn tags_of_the_first_packet_stand_in_the_account() {
    let Some(mut bench) = Bench::for_test("tags", Settings::default()) else { return };
    greet(&mut bench);
    let syn = Frame::new(DATA.0, DATA.1, SYN, 1, 0).tag(0x88a8, 200).tag(0x8100, 0x2064);
    bench.run(Hooked::Xdp, &syn.bytes()).unwrap();
    let state = bench.flow(syn.key().0).unwrap().unwrap();
    assert_eq!((state.vlan_outer, state.vlan_inner), (200, 0x2064));
    let both = FlowState::VLAN | FlowState::VLAN_INNER;
    assert_eq!(state.flags & both, both);
}
