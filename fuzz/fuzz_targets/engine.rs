//! Any list of operations on the engine: segments of a few connections whose dialogue may or may not be FTP, accounts of
//! data connections, losses, time. Whatever comes: timeouts end, every container is within its cap after every operation,
//! every session that starts ends, and its end counts as many commands, replies, transfers and gaps as its events.
#![no_main]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arbitrary::Arbitrary;
use ftpmon_core::account::{DirectionAccount, FlowRecord, FlowReport, Side};
use ftpmon_core::engine::{Engine, EngineConfig, Limits, Loss, Output};
use ftpmon_core::segment::{InterfaceId, Segment, Signs, TcpFlags, VlanTags};
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{EventKind, GapCause};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Op {
    /// A text of one end, in order.
    Say { connection: u8, back: bool, text: Text, hide: bool },
    /// A bare segment at a place near the end of what was said.
    Shot { connection: u8, back: bool, off: i8, ack_off: i8, flags: u8, len: u8 },
    /// The kernel's account of a connection.
    Flow { connection: u8, report: u8, bytes: [u32; 2], syn: bool, fin: bool, rst: bool },
    /// Records were lost.
    Loss(u8),
    /// Time passes, milliseconds.
    Wait(u32),
    /// Ports are used again: the connection's streams begin anew.
    Again { connection: u8 },
}

#[derive(Arbitrary, Debug)]
enum Text {
    Line(u8),
    Port(u8),
    Pasv(u8),
    Raw(Vec<u8>),
}

const LINES: [&[u8]; 40] = [
    b"220 ready\r\n",
    b"USER alice\r\n",
    b"331 more\r\n",
    b"PASS x\r\n",
    b"230 in\r\n",
    b"530 no\r\n",
    b"PASV\r\n",
    b"EPSV\r\n",
    b"RETR a\r\n",
    b"STOR b\r\n",
    b"LIST\r\n",
    b"150 go\r\n",
    b"226 done\r\n",
    b"426 broken\r\n",
    b"ABOR\r\n",
    b"\xff\xf4\xff\xf2ABOR\r\n",
    b"QUIT\r\n",
    b"221 bye\r\n",
    b"REIN\r\n",
    b"220 again\r\n",
    b"AUTH TLS\r\n",
    b"234 go\r\n",
    b"CCC\r\n",
    b"421 closing\r\n",
    b"211-a\r\n b\r\n",
    b"211 end\r\n",
    b"PWD\r\n",
    b"257 \"/a\"\"b\"\r\n",
    b"CWD ..\r\n",
    b"250 ok\r\n",
    b"REST 100\r\n",
    b"350 ok\r\n",
    b"SIZE a\r\n",
    b"213 5\r\n",
    b"STOU\r\n",
    b"150 FILE: x\r\n",
    b"SPAS\r\n",
    b"229-x\r\n 192,0,2,2,200,1\r\n229 end\r\n",
    b"200 ok\r\n",
    b"APPE c\r\n",
];

/// The two ends of connection `n`: control connections on known and odd ports, data connections that may be announced.
fn ends(n: u8) -> (Endpoint, Endpoint) {
    let v4 = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
    let v6 = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
    match n % 12 {
        0 => (Endpoint::new(v4(1), 4_000), Endpoint::new(v4(2), 21)),
        1 => (Endpoint::new(v4(1), 4_001), Endpoint::new(v4(2), 21)),
        2 => (Endpoint::new(v4(1), 4_000), Endpoint::new(v4(3), 21)),
        3 => (Endpoint::new(v4(1), 4_000), Endpoint::new(v4(2), 2_121)),
        4 => (Endpoint::new(v4(1), 4_000), Endpoint::new(v4(2), 990)),
        5 => (Endpoint::new(v6(1), 4_000), Endpoint::new(v6(2), 21)),
        n @ 6..9 => (Endpoint::new(v4(1), 5_000 + u16::from(n)), Endpoint::new(v4(2), 51_200 + u16::from(n))),
        9 => (Endpoint::new(v4(2), 20), Endpoint::new(v4(1), 51_200)),
        10 => (Endpoint::new(v4(3), 20), Endpoint::new(v4(2), 51_206)),
        _ => (Endpoint::new(v4(9), 80), Endpoint::new(v4(8), 443)),
    }
}

/// Few of everything, so that every cap is met.
fn limits() -> Limits {
    Limits {
        flows: 6,
        pending_commands: 4,
        open_transfers: 3,
        announced_endpoints: 4,
        probe_bytes: 64,
        ..Limits::default()
    }
}

#[derive(Default, Debug)]
struct Told {
    commands: u64,
    replies: u64,
    transfers: u64,
    gaps: u64,
    /// Events that were counted and not told.
    held_back: u64,
}

impl Told {
    /// Events that came were told, or counted in their place.
    fn check(&self, told: u64, came: u64) {
        assert!(told <= came && came <= told + self.held_back, "{told} of {came}: {self:?}");
    }
}

#[derive(Default)]
struct Ledger {
    open: HashMap<String, Told>,
}

impl Ledger {
    fn drain(&mut self, engine: &mut Engine) {
        while let Some(output) = engine.poll() {
            let Output::Event(event) = output else { continue };
            let Some(session) = event.session.as_ref().map(|session| session.id().to_owned()) else {
                continue;
            };
            if let EventKind::SessionStart(_) = &event.kind {
                assert!(self.open.insert(session, Told::default()).is_none(), "started twice");
                continue;
            }
            if let EventKind::SessionEnd(end) = &event.kind {
                let told = self.open.remove(&session).expect("an end without a start");
                told.check(told.commands, end.end.commands);
                told.check(told.replies, end.end.replies);
                told.check(told.gaps, end.end.gaps);
                told.check(told.transfers, end.end.transfers);
                continue;
            }
            let told = self.open.get_mut(&session).expect("an event outside of its session");
            match &event.kind {
                EventKind::Command(command) => {
                    told.commands += 1;
                    assert!(command.tx >= told.commands);
                }
                EventKind::Reply(reply) => {
                    told.replies += 1;
                    assert_eq!(reply.tx == 0, reply.command.is_none());
                }
                EventKind::Transfer(_) => {
                    told.transfers += 1;
                }
                EventKind::Gap(gap) => {
                    told.gaps += 1;
                    assert!(gap.gap.bytes > 0);
                }
                EventKind::Anomaly(anomaly) => {
                    told.held_back += anomaly.anomaly.repeated.as_ref().map_or(0, |it| it.count);
                }
                _ => {}
            }
        }
    }
}

/// No container of the engine holds more than its cap.
fn check_caps(engine: &Engine) {
    for (container, fill) in engine.fills().iter() {
        assert!(fill.used <= fill.cap, "{container} holds {} of {}", fill.used, fill.cap);
    }
}

fuzz_target!(|ops: Vec<Op>| {
    let config = EngineConfig { detect_by_content: true, limits: limits(), ..EngineConfig::default() };
    let mut engine = Engine::new(config);
    let mut ledger = Ledger::default();
    let mut at = Timestamp::from_parts(1_700_000_000, 0);
    // What each end of each connection has said so far, as sequence numbers; it wraps early.
    let mut said: HashMap<u8, [u32; 2]> = HashMap::new();
    let mut payload = Vec::new();
    for (index, op) in ops.iter().enumerate() {
        at = at.plus_nanos(1_000_000);
        match op {
            Op::Say { connection, back, text, hide } => {
                payload.clear();
                match text {
                    Text::Line(n) => payload.extend_from_slice(LINES[usize::from(*n) % LINES.len()]),
                    Text::Port(n) => payload.extend(format!("PORT 192,0,2,1,200,{}\r\n", n % 16).bytes()),
                    Text::Pasv(n) => {
                        payload.extend(format!("227 ok (192,0,2,2,200,{})\r\n", n % 16).bytes());
                    }
                    Text::Raw(bytes) => payload.extend_from_slice(bytes),
                }
                let (initiator, listener) = ends(*connection);
                let said = said.entry(connection % 12).or_insert([u32::MAX - 60, 1_000]);
                let [own, other] = if *back { [said[1], said[0]] } else { *said };
                let (src, dst) = if *back { (listener, initiator) } else { (initiator, listener) };
                said[usize::from(*back)] = own.wrapping_add(payload.len() as u32);
                if !hide {
                    let segment = Segment {
                        src,
                        dst,
                        seq: own,
                        ack: other,
                        flags: TcpFlags(0x18),
                        payload: &payload,
                        wire_payload_len: payload.len() as u32,
                        interface: InterfaceId(0),
                        vlan: VlanTags::default(),
                        signs: Signs::default(),
                    };
                    engine.handle_segment(at, index as u64, &segment);
                }
            }
            Op::Shot { connection, back, off, ack_off, flags, len } => {
                payload.clear();
                payload.resize(usize::from(*len), b'x');
                let (initiator, listener) = ends(*connection);
                let said = said.entry(connection % 12).or_insert([u32::MAX - 60, 1_000]);
                let [own, other] = if *back { [said[1], said[0]] } else { *said };
                let (src, dst) = if *back { (listener, initiator) } else { (initiator, listener) };
                let segment = Segment {
                    src,
                    dst,
                    seq: own.wrapping_add_signed(i32::from(*off)),
                    ack: other.wrapping_add_signed(i32::from(*ack_off)),
                    flags: TcpFlags(*flags),
                    payload: &payload,
                    wire_payload_len: u32::from(*len) + u32::from(flags & 0x80),
                    interface: InterfaceId(0),
                    vlan: VlanTags::default(),
                    signs: Signs::default(),
                };
                engine.handle_segment(at, index as u64, &segment);
            }
            Op::Flow { connection, report, bytes, syn, fin, rst } => {
                let (initiator, listener) = ends(*connection);
                let account = |n: usize| DirectionAccount {
                    bytes: u64::from(bytes[n]),
                    packets: 1,
                    fin: *fin,
                    rst: *rst,
                    ..DirectionAccount::default()
                };
                engine.handle_flow(&FlowRecord {
                    at,
                    report: [FlowReport::Open, FlowReport::Progress, FlowReport::Close]
                        [usize::from(*report % 3)],
                    initiator,
                    listener,
                    incarnation: u64::from(*report / 3),
                    first: at,
                    last: at,
                    syn: syn.then_some(at),
                    syn_ack: None,
                    ack: None,
                    from_initiator: account(0),
                    from_listener: account(1),
                    closed_by: fin.then_some(Side::Initiator),
                    interface: InterfaceId(0),
                    vlan: VlanTags::default(),
                });
            }
            Op::Loss(records) => {
                engine.handle_loss(
                    at,
                    Loss { records: u64::from(*records), reason: "ring_full", cause: GapCause::RingFull },
                );
            }
            Op::Wait(ms) => {
                at = at.plus_nanos(i64::from(ms % 4_000_000) * 1_000_000);
                let mut rounds = 0;
                while engine.poll_timeout().is_some_and(|due| due <= at) {
                    engine.handle_timeout(at);
                    rounds += 1;
                    assert!(rounds < 10_000, "a timeout that stays due");
                }
            }
            Op::Again { connection } => {
                said.remove(&(connection % 12));
            }
        }
        check_caps(&engine);
        ledger.drain(&mut engine);
    }
    engine.finish(at);
    check_caps(&engine);
    ledger.drain(&mut engine);
    assert!(ledger.open.is_empty(), "sessions without an end: {:?}", ledger.open);
});
