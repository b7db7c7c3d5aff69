//! Data connections whose announcement was lost before it came here: told once, and nothing else is taken for one.

mod random;

use super::{ACK, Bench, Talk, end, names, transfers};
use crate::account::{DirectionAccount, FlowRecord, FlowReport};
use crate::addr::Endpoint;
use crate::engine::{EngineConfig, FilesMode, Loss, SelectorUpdate};
use crate::event::{Event, FileDirection, GapCause, Mode, Outcome, Via};
use crate::segment::{InterfaceId, VlanTags};
use crate::time::Timestamp;

const LISTENER: u16 = 50_000;
const PASV: &str = "227 Entering Passive Mode (192,0,2,2,195,80)";

fn session(bench: &mut Bench, port: u16) -> Talk {
    let mut control = bench.connect(end(1, port), end(2, 21));
    bench.say(&mut control, &["220 hello", "TYPE I", "200 ok"]);
    control
}

/// Lines that are said, and that the agent does not get.
fn lose(bench: &mut Bench, control: &mut Talk, lines: &[&str]) {
    for line in lines {
        let said = usize::from(line.starts_with(|c: char| c.is_ascii_digit()));
        control.seq[said] = control.seq[said].wrapping_add(u32::try_from(line.len() + 2).unwrap());
        bench.now += 1_000_000;
    }
}

/// The dialogue before a download, lost.
fn lose_download(bench: &mut Bench, control: &mut Talk) {
    lose(bench, control, &["PASV", PASV, "RETR a", "150 go"]);
}

/// A whole connection that brings bytes from the listener.
fn fetch(bench: &mut Bench, port: u16, listener: Endpoint) {
    let mut data = bench.connect(end(1, port), listener);
    bench.send(&mut data, false, ACK, b"hello");
    bench.close(&mut data);
}

fn wait(bench: &mut Bench, seconds: i64) {
    for _ in 0..seconds * 10 {
        bench.now += 99_000_000;
        let at = bench.at();
        bench.engine.handle_timeout(at);
    }
}

/// The listener, direction, bytes and command of each transfer.
fn told(events: &[Event]) -> Vec<(u16, Option<FileDirection>, u64, u64)> {
    let told = |it: &&crate::event::Transfer| {
        let data = it.data.as_ref().unwrap();
        assert_eq!((data.announced.via, data.gap_bytes), (Via::Inferred, 0));
        (data.announced.port, it.transfer.direction, it.transfer.bytes, it.tx)
    };
    transfers(events).iter().map(told).collect()
}

fn download(bytes: u64, tx: u64) -> Vec<(u16, Option<FileDirection>, u64, u64)> {
    vec![(LISTENER, Some(FileDirection::Download), bytes, tx)]
}

fn account(bench: &mut Bench, report: FlowReport, opened: Timestamp, bytes: [u64; 2]) {
    let at = bench.at();
    let sent = |bytes| DirectionAccount { bytes, fin: true, ..DirectionAccount::default() };
    bench.engine.handle_timeout(at);
    bench.engine.handle_flow(&FlowRecord {
        at,
        report,
        initiator: end(1, 41_000),
        listener: end(2, LISTENER),
        incarnation: 1,
        first: opened,
        last: at,
        syn: Some(opened),
        syn_ack: Some(opened),
        ack: Some(opened),
        from_initiator: sent(bytes[0]),
        from_listener: sent(bytes[1]),
        closed_by: None,
        interface: InterfaceId(1),
        vlan: VlanTags::default(),
    });
}

#[test]
fn a_transfer_of_which_only_the_connection_was_seen() {
    for files in [FilesMode::Off, FilesMode::Hash] {
        for detect_by_content in [false, true] {
            let mut bench = Bench::new(EngineConfig { files, detect_by_content, ..EngineConfig::default() });
            let mut control = session(&mut bench, 40_000);
            lose_download(&mut bench, &mut control);
            fetch(&mut bench, 41_000, end(2, LISTENER));
            bench.say(&mut control, &["226 done", "NOOP", "200 ok"]);
            wait(&mut bench, 12);
            let events = bench.events();
            assert_eq!(told(&events), download(5, 0));
            let whole = transfers(&events)[0].file.as_ref().map(|file| file.complete);
            assert_eq!(whole, (files == FilesMode::Hash).then_some(true));
            assert!(transfers(&bench.finish()).is_empty(), "told once");
            assert_eq!(bench.engine.counters().inferred, 1);
        }
    }
}

#[test]
fn without_a_gap_it_stays_untold() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000);
    fetch(&mut bench, 41_000, end(2, LISTENER));
    bench.say(&mut control, &["NOOP", "200 ok"]);
    // Before it, and after it.
    lose_download(&mut bench, &mut control);
    bench.say(&mut control, &["226 done", "NOOP", "200 ok"]);
    wait(&mut bench, 12);
    fetch(&mut bench, 41_001, end(2, LISTENER));
    wait(&mut bench, 12);
    assert!(transfers(&bench.finish()).is_empty());
    assert_eq!(bench.engine.counters().inferred, 0);
}

/// Each was opened while something was missing.
#[test]
fn what_is_no_data_connection_is_not_adopted() {
    type Say = fn(&mut Bench);
    let cases: [(&str, Say); 5] = [
        ("bytes both ways", |bench| {
            let mut web = bench.connect(end(1, 41_000), end(2, 8_080));
            bench.send(&mut web, true, ACK, b"GET / HTTP/1.1\r\n\r\n");
            bench.send(&mut web, false, ACK, b"HTTP/1.1 200 OK\r\n\r\n");
            bench.close(&mut web);
        }),
        ("nothing said", |bench| {
            let mut silent = bench.connect(end(1, 41_000), end(2, 8_080));
            bench.close(&mut silent);
        }),
        ("a well-known port", |bench| fetch(bench, 41_000, end(2, 80))),
        ("another host", |bench| fetch(bench, 41_000, end(3, LISTENER))),
        ("opened unseen", |bench| {
            let mut old = Talk { client: end(1, 41_000), server: end(2, LISTENER), seq: [1, 1] };
            bench.send(&mut old, false, ACK, b"hello");
            bench.close(&mut old);
        }),
    ];
    for (what, say) in cases {
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = session(&mut bench, 40_000);
        lose_download(&mut bench, &mut control);
        say(&mut bench);
        bench.say(&mut control, &["226 done", "NOOP", "200 ok"]);
        wait(&mut bench, 12);
        assert!(transfers(&bench.finish()).is_empty(), "{what}");
    }
}

#[test]
fn a_listener_that_answered_once_serves_something_else() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000);
    let mut shell = bench.connect(end(1, 41_001), end(2, LISTENER));
    bench.send(&mut shell, true, ACK, b"hello");
    bench.send(&mut shell, false, ACK, b"hello");
    bench.close(&mut shell);
    lose_download(&mut bench, &mut control);
    fetch(&mut bench, 41_000, end(2, LISTENER));
    bench.say(&mut control, &["226 done", "NOOP", "200 ok"]);
    assert!(transfers(&bench.finish()).is_empty());
}

/// PORT comes from the client, 227 from the server.
#[test]
fn what_is_missing_went_the_way_of_the_announcement() {
    for (mode, lost, found) in [
        (Mode::Passive, vec![PASV], 1),
        (Mode::Passive, vec!["CWD a/directory/of/mine"], 0),
        (Mode::Active, vec!["PORT 192,0,2,1,195,80"], 1),
        (Mode::Active, vec!["250 Directory changed, you are in it"], 0),
        // Too little to say where.
        (Mode::Passive, vec!["200 short"], 0),
    ] {
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = session(&mut bench, 40_000);
        bench.say(&mut control, &["PASV"]);
        lose(&mut bench, &mut control, &lost);
        match mode {
            Mode::Passive => fetch(&mut bench, 41_000, end(2, LISTENER)),
            Mode::Active => {
                let mut data = bench.connect(end(2, 20), end(1, LISTENER));
                bench.send(&mut data, true, ACK, b"hello");
                bench.close(&mut data);
            }
        }
        bench.say(&mut control, &["NOOP", "200 ok", "NOOP", "200 ok"]);
        wait(&mut bench, 12);
        let events = bench.events();
        assert_eq!(transfers(&events).len(), found, "{mode:?} {lost:?}");
        let told = transfers(&events).first().and_then(|it| it.data.as_ref()?.announced.mode);
        assert_eq!(told, (found == 1).then_some(mode));
    }
}

#[test]
fn a_command_whose_endpoint_was_lost_gets_its_connection() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000);
    // Of two downloads the first left nothing, the second its command.
    lose_download(&mut bench, &mut control);
    fetch(&mut bench, 41_000, end(2, 49_000));
    lose(&mut bench, &mut control, &["226 done", "PASV", PASV]);
    fetch(&mut bench, 41_001, end(2, LISTENER));
    bench.say(&mut control, &["RETR b", "150 go", "226 done"]);
    wait(&mut bench, 12);
    let events = bench.events();
    let mut told = told(&events);
    told.sort_unstable_by_key(|it| it.0);
    let down = Some(FileDirection::Download);
    assert_eq!(told, [(49_000, down, 5, 0), (LISTENER, down, 5, 2)]);
    let outcome = transfers(&events).iter().find(|it| it.tx == 2).unwrap().transfer.outcome;
    assert_eq!(outcome, Outcome::Complete);
}

#[test]
fn an_upload_is_not_the_connection_of_a_download() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000);
    lose(&mut bench, &mut control, &["PASV", PASV]);
    let mut data = bench.connect(end(1, 41_000), end(2, LISTENER));
    bench.send(&mut data, true, ACK, b"hello");
    bench.close(&mut data);
    bench.say(&mut control, &["RETR b", "150 go", "226 done"]);
    let events = bench.finish();
    let told: Vec<_> = transfers(&events).iter().map(|it| (it.tx, it.data.is_some())).collect();
    assert_eq!(told, [(0, true), (2, false)]);
}

/// 227 comes after the gap, and behind the connection.
#[test]
fn a_late_announcement_takes_it_first() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000);
    lose(&mut bench, &mut control, &["CWD somewhere", "250 you are somewhere now", "PASV"]);
    fetch(&mut bench, 41_000, end(2, LISTENER));
    bench.say(&mut control, &[PASV, "RETR a", "150 go", "226 done"]);
    wait(&mut bench, 12);
    let events = bench.finish();
    let via: Vec<_> =
        transfers(&events).iter().map(|it| (it.tx, it.data.as_ref().unwrap().announced.via)).collect();
    assert_eq!(via, [(2, Via::Pasv)]);
    assert_eq!(bench.engine.counters().inferred, 0);
}

#[test]
fn what_two_sessions_may_have_announced_is_neithers() {
    for both in [true, false] {
        let mut bench = Bench::new(EngineConfig::default());
        let mut controls = [session(&mut bench, 40_000), session(&mut bench, 40_001)];
        lose_download(&mut bench, &mut controls[0]);
        if both {
            lose_download(&mut bench, &mut controls[1]);
        }
        fetch(&mut bench, 41_000, end(2, LISTENER));
        for control in &mut controls {
            bench.say(control, &["226 done", "NOOP", "200 ok"]);
        }
        wait(&mut bench, 12);
        for control in &mut controls {
            bench.close(control);
        }
        let events = bench.finish();
        assert_eq!(transfers(&events).len(), usize::from(!both));
        assert_eq!(bench.engine.counters().not_inferred, u64::from(both));
    }
}

/// The other one shows only seconds later that it lost something as well.
#[test]
fn others_are_waited_for() {
    for (pause, found) in [(3, 0), (9, 1)] {
        let mut bench = Bench::new(EngineConfig::default());
        let (mut one, mut two) = (session(&mut bench, 40_000), session(&mut bench, 40_001));
        lose_download(&mut bench, &mut one);
        lose_download(&mut bench, &mut two);
        fetch(&mut bench, 41_000, end(2, LISTENER));
        bench.say(&mut one, &["226 done", "NOOP", "200 ok"]);
        wait(&mut bench, pause);
        bench.say(&mut two, &["226 done", "NOOP", "200 ok"]);
        wait(&mut bench, 12);
        assert_eq!(transfers(&bench.finish()).len(), found);
    }
}

#[test]
fn of_two_sessions_the_one_whose_command_waits_for_it() {
    let mut bench = Bench::new(EngineConfig::default());
    let (mut one, mut two) = (session(&mut bench, 40_000), session(&mut bench, 40_001));
    lose_download(&mut bench, &mut one);
    lose(&mut bench, &mut two, &["PASV", PASV]);
    fetch(&mut bench, 41_000, end(2, LISTENER));
    bench.say(&mut two, &["RETR b", "150 go", "226 done"]);
    bench.say(&mut one, &["426 broken", "NOOP", "200 ok"]);
    wait(&mut bench, 12);
    assert_eq!(told(&bench.events()), download(5, 2));
}

#[test]
fn it_may_outlive_its_session() {
    for detect_by_content in [false, true] {
        let mut bench = Bench::new(EngineConfig { detect_by_content, ..EngineConfig::default() });
        let mut control = session(&mut bench, 40_000);
        lose_download(&mut bench, &mut control);
        let mut data = bench.connect(end(1, 41_000), end(2, LISTENER));
        bench.send(&mut data, false, ACK, b"hello");
        bench.say(&mut control, &["QUIT", "221 bye"]);
        bench.close(&mut control);
        wait(&mut bench, 3);
        assert!(!names(&bench.events()).contains(&"session_end"));
        bench.send(&mut data, false, ACK, b"more");
        bench.close(&mut data);
        let events = bench.events();
        assert_eq!(told(&events), download(9, 0));
        assert_eq!(names(&events), ["transfer", "session_end"]);
        assert_eq!(bench.engine.counters().tables["probe_bytes"].used, 0);
    }
}

/// A client at a prompt says nothing for a while, so that nobody knows what is missing.
#[test]
fn the_gap_may_be_told_minutes_later() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000);
    lose_download(&mut bench, &mut control);
    fetch(&mut bench, 41_000, end(2, LISTENER));
    lose(&mut bench, &mut control, &["226 done"]);
    wait(&mut bench, 280);
    bench.say(&mut control, &["NOOP", "200 ok", "NOOP", "200 ok"]);
    wait(&mut bench, 12);
    assert_eq!(told(&bench.events()), download(5, 0));
}

/// Live the kernel counts, and records are lost.
#[test]
fn the_kernels_account_is_enough() {
    for (bytes, kept) in [([0, 9 << 30], true), ([300, 9 << 30], false), ([0, 0], false)] {
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = session(&mut bench, 40_000);
        let at = bench.at();
        bench.engine.handle_loss(at, Loss { records: 4, reason: "ring_full", cause: GapCause::RingFull });
        lose_download(&mut bench, &mut control);
        let opened = bench.at();
        account(&mut bench, FlowReport::Open, opened, [0, 0]);
        account(&mut bench, FlowReport::Progress, opened, [bytes[0], bytes[1] / 2]);
        // Longer than a connection that nobody announced is counted otherwise.
        wait(&mut bench, 30);
        let released =
            bench.updates().into_iter().any(|update| matches!(update, SelectorUpdate::Release { .. }));
        assert_eq!(released, !kept, "{bytes:?}");
        account(&mut bench, FlowReport::Close, opened, bytes);
        bench.say(&mut control, &["226 done", "NOOP", "200 ok"]);
        wait(&mut bench, 12);
        let expected = if kept { download(9 << 30, 0) } else { Vec::new() };
        assert_eq!(told(&bench.events()), expected, "{bytes:?}");
    }
}

#[test]
fn connections_of_two_hosts_are_bounded() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000);
    lose_download(&mut bench, &mut control);
    for port in 0..100 {
        fetch(&mut bench, 41_000, end(2, 20_000 + port));
    }
    bench.say(&mut control, &["226 done", "NOOP", "200 ok"]);
    wait(&mut bench, 12);
    let counters = bench.engine.counters();
    assert_eq!((counters.inferred, counters.lost["unclaimed_full"]), (64, 1));
    assert_eq!(transfers(&bench.finish()).len(), 64);
}
