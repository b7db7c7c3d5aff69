//! A million connections that are never closed, offered to the engine: memory stays at what the cap allows, and every session
//! that gave way is told.
//!
//! In a debug build a tenth of that. The figures are printed: `cargo test --release -p ftpmon-tests --test flood --
//! --nocapture --test-threads 1`.

#![expect(clippy::print_stdout, reason = "the figures are what the test is for")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ftpmon_core::engine::{Engine, EngineConfig, Limits, Output};
use ftpmon_core::segment::{InterfaceId, Segment, Signs, TcpFlags, VlanTags};
use ftpmon_event::EventKind;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;

/// Connections offered, and how many of them the engine may follow.
const OFFERED: u32 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
const FLOWS: usize = OFFERED as usize / 4;
/// Memory of a followed connection at most, bytes: the connection, its session, its place in the table, a third of which is
/// room to grow. What copies are compared with, what replies teach of the server's side and what is missing of the dialogue is held a session.
const BYTES_A_HALF_OPEN: usize = 704;
const BYTES_A_SESSION: usize = 2_368;

/// Counts what is allocated, as the C library rounds it: resident memory depends on what ran before.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
/// The C library's overhead of each piece, bytes.
const PIECE_HEAD: usize = 8;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A piece's size with all that it costs.
fn cost(piece: *mut u8) -> usize {
    // SAFETY: the piece was just given out by the C library, or is about to be given back.
    unsafe { libc::malloc_usable_size(piece.cast()) + PIECE_HEAD }
}

// SAFETY: the system's allocator does the work; what is counted changes none of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let piece = unsafe { System.alloc(layout) };
        if !piece.is_null() {
            ALLOCATED.fetch_add(cost(piece), Ordering::Relaxed);
        }
        piece
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(cost(piece), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(piece, layout) }
    }
}

/// Memory of this process in bytes.
fn allocated() -> usize {
    ALLOCATED.load(Ordering::Relaxed)
}

struct Flood {
    engine: Engine,
    at: Timestamp,
    /// Index of the latest segment.
    index: u64,
    /// Events by name, and session ends by reason.
    told: BTreeMap<String, u64>,
    /// Commands by client.
    commands: BTreeMap<Endpoint, u64>,
    /// Events that others stand for.
    repeated: u64,
}

impl Flood {
    fn new() -> Self {
        Self::with(Limits { flows: FLOWS, memory_bytes: usize::MAX / 2, ..Limits::default() })
    }

    fn with(limits: Limits) -> Self {
        let config = EngineConfig { limits, partitions: 1, ..EngineConfig::default() };
        let at = Timestamp::from_parts(1_767_225_600, 0);
        Self {
            engine: Engine::new(config),
            at,
            index: 0,
            told: BTreeMap::new(),
            commands: BTreeMap::new(),
            repeated: 0,
        }
    }

    fn segment(&mut self, client: Endpoint, back: bool, seq: [u32; 2], flags: u8, text: &[u8]) {
        let server = Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 21)), 21);
        let (src, dst) = if back { (server, client) } else { (client, server) };
        let [seq, ack] = seq;
        self.at = self.at.plus_nanos(1_000);
        let segment = Segment {
            src,
            dst,
            seq,
            ack,
            flags: TcpFlags(flags),
            payload: text,
            wire_payload_len: u32::try_from(text.len()).unwrap_or(u32::MAX),
            interface: InterfaceId(0),
            vlan: VlanTags::default(),
            signs: Signs::default(),
        };
        self.index += 1;
        self.engine.handle_segment(self.at, self.index, &segment);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            let Output::Event(event) = output else { continue };
            match (&event.kind, &event.session) {
                (EventKind::Command(_), Some(session)) => {
                    *self.commands.entry(session.client).or_default() += 1;
                }
                (EventKind::Anomaly(anomaly), _) => {
                    self.repeated += anomaly.anomaly.repeated.as_ref().map_or(0, |repeated| repeated.count);
                }
                _ => {}
            }
            let name = match &event.kind {
                EventKind::SessionEnd(end) => format!("session_end {}", end.end.reason.as_str()),
                kind => kind.name().to_owned(),
            };
            *self.told.entry(name).or_default() += 1;
        }
    }

    fn told(&self, name: &str) -> u64 {
        self.told.get(name).copied().unwrap_or_default()
    }
}

fn client(number: u32) -> Endpoint {
    let [_, a, b, c] = number.to_be_bytes();
    Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, a, b, c)), 40_000)
}

/// Offers connections with `offer`, and tells the memory that each followed one takes.
fn flood(what: &str, offer: impl Fn(&mut Flood, Endpoint)) -> (Flood, usize) {
    let before = allocated();
    let mut flood = Flood::new();
    for number in 0..OFFERED {
        offer(&mut flood, client(number));
        if number % 4_096 == 0 {
            let counters = flood.engine.counters();
            let fill = counters.tables.get("flows").copied().unwrap_or_default();
            assert!(fill.used <= fill.cap, "{fill:?}");
        }
    }
    let each = allocated().saturating_sub(before) / FLOWS;
    println!(
        "{what}: {OFFERED} offered, {FLOWS} followed, {} MiB, {each} bytes each; told: {:?}; lost: {:?}",
        (each * FLOWS) >> 20,
        flood.told,
        flood.engine.counters().lost
    );
    (flood, each)
}

/// The process's memory is measured: one flood at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn half_open_connections_stay_under_the_cap() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    const SYN: u8 = 0x02;
    let (mut flood, each) =
        flood("half open", |flood, client| flood.segment(client, false, [1, 0], SYN, b""));
    assert!(each <= BYTES_A_HALF_OPEN, "{each} bytes a half-open connection");
    let evicted = flood.engine.counters().lost.get("flows_evicted").copied().unwrap_or_default();
    assert_eq!(evicted, u64::from(OFFERED) - FLOWS as u64);
    flood.engine.finish(flood.at);
    flood.drain();
    assert!(flood.told.is_empty(), "a half-open connection is no session: {:?}", flood.told);
}

#[test]
fn idle_sessions_stay_under_the_cap_and_those_that_give_way_are_told() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    let (mut flood, each) = flood("idle sessions", |flood, client| {
        flood.segment(client, false, [100, 0], SYN, b"");
        flood.segment(client, true, [500, 101], SYN | ACK, b"");
        flood.segment(client, false, [101, 501], ACK, b"");
        flood.segment(client, true, [501, 101], ACK, b"220 ready\r\n");
        flood.segment(client, false, [101, 512], ACK, b"USER alice\r\n");
        flood.segment(client, true, [512, 113], ACK, b"331 more\r\n");
        flood.segment(client, false, [113, 522], ACK, b"PASS secret\r\n");
        flood.segment(client, true, [522, 126], ACK, b"230 in\r\n");
    });
    assert!(each <= BYTES_A_SESSION, "{each} bytes an idle session");
    let gave_way = u64::from(OFFERED) - FLOWS as u64;
    assert_eq!(flood.told("session_start"), u64::from(OFFERED));
    assert_eq!(flood.told("session_end evicted"), gave_way);
    assert_eq!(flood.engine.counters().lost.get("flows_evicted"), Some(&gave_way));
    flood.engine.finish(flood.at);
    flood.drain();
    assert_eq!(flood.told("session_end end_of_input"), FLOWS as u64);
}

/// Segments of lines from hosts that nobody asked, without a handshake: they begin no session, and are counted.
#[test]
fn one_end_alone_begins_no_session() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    const ACK: u8 = 0x10;
    const FORGED: u32 = if cfg!(debug_assertions) { 4_000 } else { 40_000 };
    for from_server in [false, true] {
        let before = allocated();
        let mut flood = Flood::with(Limits::default());
        let payload = if from_server { b"220 x\n".repeat(240) } else { b"\n".repeat(1_440) };
        let mut most = 0;
        for number in 0..FORGED {
            flood.segment(client(number), from_server, [1, 1], ACK, &payload);
            most = most.max(allocated().saturating_sub(before));
        }
        println!("from the server: {from_server}: at most {} MiB", most >> 20);
        assert!(most <= Limits::default().memory_bytes, "{most} bytes");
        flood.engine.finish(flood.at);
        flood.drain();
        assert_eq!(flood.told("session_start"), 0);
        assert_eq!(flood.engine.counters().lost.get("unproven_connections"), Some(&u64::from(FORGED)));
    }
}

/// A client that sends the shortest lines at 1 Mbit/s makes a few events a segment, and the rest is counted. What another
/// client says meanwhile is told whole.
#[test]
fn a_flood_of_lines_is_told_in_few_events() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    const ACK: u8 = 0x10;
    const SYN: u8 = 0x02;
    const LINES: u32 = 720;
    const SECONDS: u32 = 8;
    const SEGMENTS_A_SECOND: u32 = 87;
    let mut flood = Flood::with(Limits::default());
    let victim = Endpoint::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 50_000);
    let attacker = client(0);
    for one in [victim, attacker] {
        flood.segment(one, false, [100, 0], SYN, b"");
        flood.segment(one, true, [500, 101], SYN | ACK, b"");
        flood.segment(one, false, [101, 501], ACK, b"");
    }
    let lines = b"A\n".repeat(LINES as usize);
    let (mut victims, mut servers, mut attackers) = (101, 501, 101);
    for _ in 0..SECONDS * SEGMENTS_A_SECOND {
        flood.at = flood.at.plus_nanos(1_000_000_000 / i64::from(SEGMENTS_A_SECOND));
        flood.segment(attacker, false, [attackers, 501], ACK, &lines);
        attackers += 2 * LINES;
        flood.segment(victim, false, [victims, servers], ACK, b"NOOP\r\n");
        victims += 6;
        flood.segment(victim, true, [servers, victims], ACK, b"200 ok\r\n");
        servers += 8;
    }
    flood.engine.finish(flood.at);
    flood.drain();
    let sent = u64::from(SECONDS * SEGMENTS_A_SECOND);
    assert_eq!(flood.commands.get(&victim), Some(&sent));
    let told = flood.commands.get(&attacker).copied().unwrap_or_default();
    println!("{} lines: {told} commands told, {} events held back", sent * u64::from(LINES), flood.repeated);
    // Each segment pays for 2 events and one for each 64 bytes; the pair of hosts has 8,192 at first, and 200 a second.
    assert!(told <= sent * 25 + 8_192 + 200 * u64::from(SECONDS) + 100, "{told}");
    assert!(told + flood.repeated >= sent * u64::from(LINES), "what is not told is counted");
    assert_eq!(flood.engine.counters().lost.get("events_held_back"), Some(&flood.repeated));
}

/// Lines that make much of few bytes, in two segments each from hosts that nobody asked: memory stays within the budget, and
/// a session that both ends hold goes on.
#[test]
fn forged_lines_stay_within_the_memory_budget() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    const BUDGET: usize = 64 << 20;
    const ACK: u8 = 0x10;
    const SYN: u8 = 0x02;
    const FORGED: u32 = if cfg!(debug_assertions) { 4_000 } else { 40_000 };
    let long = [&[b'x'; 1_400][..], b"\r\n"].concat();
    let user = [b"USER ", &[b'u'; 1_400][..], b"\r\n"].concat();
    let lines: [(&str, Vec<u8>); 5] = [
        ("newlines", b"\n".repeat(1_440)),
        ("short lines", b"A\n".repeat(720)),
        ("transfers", b"RETR x\r\n".repeat(180)),
        ("long lines", long),
        ("users", user),
    ];
    for (what, payload) in lines {
        let before = allocated();
        let mut flood = Flood::with(Limits { memory_bytes: BUDGET, ..Limits::default() });
        let victim = Endpoint::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 50_000);
        flood.segment(victim, false, [100, 0], SYN, b"");
        flood.segment(victim, true, [500, 101], SYN | ACK, b"");
        flood.segment(victim, false, [101, 501], ACK, b"");
        flood.segment(victim, true, [501, 101], ACK, b"220 ready\r\n");
        let mut most = 0;
        for number in 0..FORGED {
            // An acknowledgment that goes on is what makes a session of one end. What it acknowledges is waited for.
            flood.at = flood.at.plus_nanos(5_000_000);
            flood.segment(client(number), false, [1, 1], ACK, b"NOOP\r\n");
            flood.segment(client(number), false, [7, 9], ACK, &payload);
            if number % 256 == 0 {
                most = most.max(allocated().saturating_sub(before));
                let fill = flood.engine.counters().tables.get("memory_bytes").copied().unwrap_or_default();
                assert!(fill.used <= fill.cap + (4 << 20), "{what}: {fill:?}");
            }
        }
        println!("{what}: at most {} MiB; lost: {:?}", most >> 20, flood.engine.counters().lost);
        assert!(most <= BUDGET + BUDGET / 2, "{what}: {most} bytes");
        let refused = flood.engine.counters().lost.get("memory_full").copied().unwrap_or_default();
        let starts = flood.told("session_start");
        assert_eq!(flood.told("session_end evicted"), refused, "{what}");
        flood.segment(victim, false, [101, 512], ACK, b"QUIT\r\n");
        flood.segment(victim, true, [512, 107], ACK, b"221 bye\r\n");
        flood.engine.finish(flood.at);
        flood.drain();
        assert_eq!(flood.told("session_start"), starts, "{what}: the victim's session was given up");
        assert_eq!(flood.told("reply"), 2, "{what}");
    }
}
