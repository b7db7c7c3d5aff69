//! The engine from outside: segments and accounts in, events and port updates out.

mod caps;
mod content;
mod files;
mod fills;
mod flood;
mod missed;
mod networks;
mod open_sessions;
mod parts;
mod reload;
mod strangers;
mod under_tls;

use std::net::IpAddr;

use super::{Engine, EngineConfig, FilePiece, FilesMode, Limits, Loss, Output, SelectorUpdate};
use crate::account::{DirectionAccount, FlowRecord, FlowReport};
use crate::addr::Endpoint;
use crate::event::{EndReason, Event, EventKind, FileDirection, GapCause, LoginOutcome, Outcome};
use crate::segment::{InterfaceId, Segment, Signs, TcpFlags, VlanTags};
use crate::time::Timestamp;

const SYN: u8 = TcpFlags::SYN;
const ACK: u8 = TcpFlags::ACK;
const FIN: u8 = TcpFlags::FIN;

fn end(host: u8, port: u16) -> Endpoint {
    Endpoint::new(IpAddr::from([192, 0, 2, host]), port)
}

/// A TCP connection that an engine watches. Each step takes a millisecond of the talk's clock.
struct Talk {
    client: Endpoint,
    server: Endpoint,
    seq: [u32; 2],
}

struct Bench {
    engine: Engine,
    now: i64,
    /// Index of the next packet.
    index: u64,
    /// The outputs, by kind.
    events: Vec<Event>,
    updates: Vec<SelectorUpdate>,
    pieces: Vec<FilePiece>,
}

impl Bench {
    fn new(config: EngineConfig) -> Self {
        let engine = Engine::new(config);
        Self { engine, now: 0, index: 0, events: vec![], updates: vec![], pieces: vec![] }
    }

    fn at(&mut self) -> Timestamp {
        self.now += 1_000_000;
        Timestamp::from_nanos(self.now)
    }

    fn send(&mut self, talk: &mut Talk, from_client: bool, flags: u8, payload: &[u8]) {
        let (own, other) = if from_client { (0, 1) } else { (1, 0) };
        let (src, dst) = if from_client { (talk.client, talk.server) } else { (talk.server, talk.client) };
        let segment = Segment {
            src,
            dst,
            seq: talk.seq[own],
            ack: if flags & ACK != 0 { talk.seq[other] } else { 0 },
            flags: TcpFlags(flags),
            payload,
            wire_payload_len: u32::try_from(payload.len()).unwrap(),
            interface: InterfaceId(1),
            vlan: VlanTags::default(),
            signs: Signs::default(),
        };
        talk.seq[own] = talk.seq[own]
            .wrapping_add(u32::try_from(payload.len()).unwrap())
            .wrapping_add(u32::from(flags & (SYN | FIN) != 0));
        let at = self.at();
        self.engine.handle_timeout(at);
        self.engine.handle_segment(at, self.index, &segment);
        self.index += 1;
    }

    fn poll(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::SelectorUpdate(update) => self.updates.push(update),
                Output::FilePiece(piece) => self.pieces.push(piece),
            }
        }
    }

    fn updates(&mut self) -> Vec<SelectorUpdate> {
        self.poll();
        core::mem::take(&mut self.updates)
    }

    fn pieces(&mut self) -> Vec<FilePiece> {
        self.poll();
        core::mem::take(&mut self.pieces)
    }

    fn connect(&mut self, client: Endpoint, server: Endpoint) -> Talk {
        let mut talk = Talk { client, server, seq: [u32::MAX - 5, 77] };
        self.send(&mut talk, true, SYN, b"");
        self.send(&mut talk, false, SYN | ACK, b"");
        self.send(&mut talk, true, ACK, b"");
        talk
    }

    fn say(&mut self, talk: &mut Talk, lines: &[&str]) {
        for line in lines {
            let from_client = !line.starts_with(|c: char| c.is_ascii_digit());
            self.send(talk, from_client, ACK, format!("{line}\r\n").as_bytes());
        }
    }

    fn close(&mut self, talk: &mut Talk) {
        self.send(talk, false, FIN | ACK, b"");
        self.send(talk, true, FIN | ACK, b"");
        self.send(talk, false, ACK, b"");
    }

    fn events(&mut self) -> Vec<Event> {
        self.poll();
        core::mem::take(&mut self.events)
    }

    /// Every container is within its cap.
    fn check_caps(&self) {
        for (container, fill) in self.engine.fills().iter() {
            assert!(fill.used <= fill.cap, "{container} holds {} of {}", fill.used, fill.cap);
        }
    }

    fn finish(&mut self) -> Vec<Event> {
        self.check_caps();
        let at = self.at();
        self.engine.finish(at);
        self.events()
    }
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.kind.name()).collect()
}

fn transfers(events: &[Event]) -> Vec<&crate::event::Transfer> {
    events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Transfer(transfer) => Some(&**transfer),
            _ => None,
        })
        .collect()
}

/// An endpoint waits when the client resets, and no packet follows from anybody.
#[test]
fn a_session_ends_by_time_alone() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "USER mary", "230 in", "PORT 192,0,2,1,156,65", "200 ok"]);
    bench.send(&mut control, true, TcpFlags::RST | ACK, b"");
    bench.events();
    for _ in 0..10 {
        if let Some(due) =
            bench.engine.poll_timeout().filter(|due| *due < Timestamp::from_nanos(1_000_000_000))
        {
            bench.engine.handle_timeout(due);
        }
    }
    assert_eq!(names(&bench.events()), ["session_end"]);
}

#[test]
fn a_session_from_handshake_to_goodbye() {
    let mut bench = Bench::new(EngineConfig { files: FilesMode::Hash, ..EngineConfig::default() });
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "USER mary", "331 password", "PASS hunter2", "230 in", "PASV"]);
    bench.say(&mut control, &["227 Entering Passive Mode (192,0,2,2,104,134)."]);
    let mut data = bench.connect(end(1, 40_001), end(2, 26_758));
    bench.say(&mut control, &["RETR a.txt", "150 Opening (5 bytes)."]);
    bench.send(&mut data, false, ACK, b"hello");
    bench.close(&mut data);
    bench.say(&mut control, &["226 done", "QUIT", "221 bye"]);
    bench.close(&mut control);
    // Strangers at its endpoint are known at the exchange of partitions: the end waits for that.
    let events = bench.finish();
    assert_eq!(
        names(&events),
        [
            "session_start",
            "reply",
            "command",
            "reply",
            "command",
            "reply",
            "login",
            "command",
            "reply",
            "data_channel",
            "command",
            "reply",
            "reply",
            "transfer",
            "command",
            "reply",
            "session_end"
        ]
    );
    let EventKind::Login(login) = &events[6].kind else { panic!("no login") };
    assert_eq!((login.login.outcome, login.login.secret.as_deref()), (LoginOutcome::Success, Some("***")));
    let transfer = transfers(&events)[0];
    assert_eq!(transfer.transfer.outcome, Outcome::Complete);
    assert_eq!((transfer.transfer.bytes, transfer.transfer.declared_bytes), (5, Some(5)));
    assert_eq!(transfer.transfer.direction, Some(FileDirection::Download));
    let connection = transfer.data.as_ref().unwrap();
    assert_eq!((connection.initiator, connection.listener), (Some(end(1, 40_001)), Some(end(2, 26_758))));
    assert_eq!(connection.handshake_us, Some(2_000));
    let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(transfer.file.as_ref().unwrap().sha256.as_deref(), Some(hello));
}

#[test]
fn a_data_connection_may_be_quicker_than_its_announcement() {
    let mut bench = Bench::new(EngineConfig { detect_by_content: true, ..EngineConfig::default() });
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "PASV"]);
    let mut data = bench.connect(end(1, 40_001), end(2, 5_000));
    bench.say(&mut control, &["227 x (192,0,2,2,19,136)", "STOR up", "150 go"]);
    bench.send(&mut data, true, ACK, b"12345678");
    bench.send(&mut data, true, FIN | ACK, b"");
    bench.send(&mut data, false, FIN | ACK, b"");
    bench.say(&mut control, &["226 done"]);
    let events = bench.finish();
    let transfer = transfers(&events)[0];
    assert_eq!((transfer.transfer.bytes, transfer.transfer.outcome), (8, Outcome::Complete));
}

#[test]
fn a_refused_transfer_and_one_without_a_connection() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(
        &mut control,
        &["220 hello", "EPSV", "229 x (|||5000|)", "RETR a", "550 no", "EPSV", "229 x (|||5001|)"],
    );
    bench.say(&mut control, &["RETR b", "150 go", "226 done"]);
    let events = bench.finish();
    let outcomes: Vec<_> =
        transfers(&events).iter().map(|it| (it.transfer.outcome, it.transfer.code)).collect();
    assert_eq!(outcomes, [(Outcome::Refused, Some(550)), (Outcome::NoData, Some(226))]);
}

#[test]
fn the_kernels_account_is_taken_for_a_data_connection() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "PORT 192,0,2,1,19,136", "200 ok", "RETR big", "150 go"]);
    let (listener, peer) = (end(1, 5_000), end(2, 0).ip);
    let expect = SelectorUpdate::Expect { listener, peer, anyone: true, ttl_s: 300, payload: false };
    assert!(bench.updates().contains(&expect));
    let bytes = 5 << 30;
    for report in [FlowReport::Open, FlowReport::Progress, FlowReport::Close] {
        let at = bench.at();
        let sent = DirectionAccount { bytes, fin: true, ..DirectionAccount::default() };
        bench.engine.handle_flow(&FlowRecord {
            at,
            report,
            initiator: end(2, 20),
            listener: end(1, 5_000),
            incarnation: 9,
            // The wall clock is corrected while it runs.
            first: Timestamp::from_nanos(9_000_000 + bench.now / 1_000),
            last: at,
            syn: None,
            syn_ack: None,
            ack: None,
            from_initiator: sent,
            from_listener: DirectionAccount { fin: true, ..DirectionAccount::default() },
            closed_by: None,
            interface: InterfaceId(1),
            vlan: VlanTags::default(),
        });
    }
    bench.say(&mut control, &["226 done"]);
    let events = bench.events();
    let transfer = transfers(&events)[0];
    assert_eq!((transfer.transfer.bytes, transfer.transfer.outcome), (bytes, Outcome::Complete));
    assert_eq!(transfer.data.as_ref().unwrap().bytes_from_server, bytes);
}

#[test]
fn half_open_connections_make_no_sessions_and_the_cap_holds() {
    let limits = Limits { flows: 100, ..Limits::default() };
    let mut bench = Bench::new(EngineConfig { limits, partitions: 1, ..EngineConfig::default() });
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    for port in 1_000..3_000 {
        let mut flood = Talk { client: end(9, port), server: end(2, 21), seq: [0, 0] };
        bench.send(&mut flood, true, SYN, b"");
    }
    bench.say(&mut control, &["220 still here"]);
    assert_eq!(names(&bench.events()), ["session_start", "reply"]);
    let counters = bench.engine.counters();
    assert_eq!(counters.tables["flows"].used, 100);
    assert_eq!(counters.lost["flows_evicted"], 1_901);
}

#[test]
fn of_connections_that_ended_no_more_are_remembered_than_may_be() {
    let limits = Limits { ended_flows: 10, ..Limits::default() };
    let mut bench = Bench::new(EngineConfig { limits, ..EngineConfig::default() });
    for port in 1_000..1_100 {
        let mut control = bench.connect(end(1, port), end(2, 21));
        bench.say(&mut control, &["220 hello", "QUIT", "221 bye"]);
        bench.close(&mut control);
    }
    let counters = bench.engine.counters();
    assert!(counters.tables["flows"].used <= 12, "{:?}", counters.tables);
    assert!(!counters.lost.contains_key("flows_evicted"), "none of them had anything left to tell");
    assert_eq!(names(&bench.events()).iter().filter(|name| **name == "session_end").count(), 100);
}

#[test]
fn what_is_missing_after_a_loss_is_laid_to_it() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "NOOP"]);
    control.seq[1] = control.seq[1].wrapping_add(10);
    let at = bench.at();
    bench.engine.handle_loss(at, Loss { records: 1, reason: "ring_full", cause: GapCause::RingFull });
    bench.say(&mut control, &["PWD", "257 \"/\"", "QUIT", "221 bye"]);
    let events = bench.finish();
    let cause = events.iter().find_map(|event| match &event.kind {
        EventKind::Gap(gap) => Some((gap.gap.bytes, gap.gap.cause)),
        _ => None,
    });
    assert_eq!(cause, Some((10, GapCause::RingFull)));
    let paired = events.iter().any(|event| {
        matches!(&event.kind, EventKind::Reply(reply) if reply.reply.code == Some(257) && reply.tx == 2)
    });
    assert!(paired, "{events:#?}");
}

#[test]
fn a_connection_that_may_have_gone_by_unseen_is_not_said_to_be_none() {
    for unseen in [false, true] {
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = bench.connect(end(1, 40_000), end(2, 21));
        bench.say(&mut control, &["220 hello", "PASV", "227 x (192,0,2,2,19,136)", "RETR a", "150 go"]);
        if unseen {
            let at = bench.at();
            bench.engine.handle_unseen(at, "lost_table_flows");
        }
        bench.say(&mut control, &["226 done"]);
        let events = bench.finish();
        let told = &transfers(&events)[0].transfer;
        let expected =
            if unseen { (Outcome::Unknown, Some("lost_table_flows")) } else { (Outcome::NoData, None) };
        assert_eq!((told.outcome, told.reason.as_deref()), expected);
    }
}

#[test]
fn ports_used_again_without_an_end_make_a_second_session() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut first = bench.connect(end(1, 4000), end(2, 21));
    bench.say(&mut first, &["220 one", "USER mary", "331 more"]);
    let mut second = Talk { seq: [90_000_000, 95_000_000], ..first };
    bench.send(&mut second, true, SYN, b"");
    bench.send(&mut second, false, SYN | ACK, b"");
    bench.send(&mut second, true, ACK, b"");
    bench.say(&mut second, &["220 two", "NOOP", "200 fine"]);
    let events = bench.finish();
    let ends: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::SessionEnd(end) => Some((end.end.reason, end.end.commands, end.end.gaps)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(EndReason::Replaced, 1, 0), (EndReason::EndOfInput, 1, 0)]);
}

#[test]
fn an_end_that_was_held_back_is_the_sessions_end() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut talk = bench.connect(end(1, 4000), end(2, 21));
    bench.say(&mut talk, &["220 one", "PWD"]);
    // A reply that the client acknowledges and the capture does not hold.
    talk.seq[1] = talk.seq[1].wrapping_add(20);
    bench.say(&mut talk, &["NOOP", "200 fine"]);
    bench.close(&mut talk);
    let events = bench.finish();
    let Some(EventKind::SessionEnd(end)) = events.last().map(|event| &event.kind) else {
        panic!("the last event is the session's end");
    };
    assert_eq!((end.end.reason, end.end.replies, end.end.gaps), (EndReason::Fin, 2, 1));
}

#[test]
fn a_reset_after_a_fin_ends_the_session_soon() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "PWD"]);
    bench.send(&mut control, true, FIN | ACK, b"");
    bench.say(&mut control, &["257 \"/\""]);
    bench.send(&mut control, true, TcpFlags::RST, b"");
    bench.now += 1_000_000_000;
    let at = bench.at();
    bench.engine.handle_timeout(at);
    assert_eq!(names(&bench.events()).last(), Some(&"session_end"));
}
