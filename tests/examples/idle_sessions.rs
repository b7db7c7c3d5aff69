//! `idle_sessions SESSIONS MESSAGES`: so many sessions log in and fall silent, then so many messages come from all over them.
//! Says in one line of JSON what a session takes in memory, and a message in CPU time. `cargo xtask bench sessions` runs it.

#![expect(clippy::print_stdout, reason = "standard output is where the figures go")]

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, Result};
use ftpmon_core::engine::{Engine, EngineConfig, Limits, Output};
use ftpmon_core::segment::{InterfaceId, Segment, Signs, TcpFlags, VlanTags};
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use ftpmon_tests::usage;

/// The lines at the beginning of a session, and their senders.
const LOGIN: [(bool, &[u8]); 5] = [
    (false, b"220 ready\r\n"),
    (true, b"USER alice\r\n"),
    (false, b"331 Password required for alice\r\n"),
    (true, b"PASS wonderland\r\n"),
    (false, b"230 User alice logged in\r\n"),
];
const COMMAND: &[u8] = b"NOOP\r\n";
const REPLY: &[u8] = b"200 NOOP ok\r\n";
/// Initial sequence numbers of client and server.
const ISN: (u32, u32) = (1_000, 2_000);

/// Sequence numbers of both ends of a session: what comes next.
#[derive(Clone, Copy)]
struct Next {
    client: u32,
    server: u32,
}

struct World {
    engine: Engine,
    /// Nanoseconds since 1970; a segment each ten microseconds.
    now: i64,
    /// Index of the latest segment.
    index: u64,
    events: u64,
}

impl World {
    fn segment(&mut self, session: u32, from_client: bool, flags: u8, next: Next, payload: &[u8]) {
        let [_, a, b, c] = session.to_be_bytes();
        let client = Endpoint { ip: IpAddr::V4(Ipv4Addr::new(10, a, b, c)), port: 40_000 };
        let server = Endpoint { ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 21)), port: 21 };
        let (src, dst, seq, ack) = if from_client {
            (client, server, next.client, next.server)
        } else {
            (server, client, next.server, next.client)
        };
        self.now += 10_000;
        let at = Timestamp::from_nanos(self.now);
        if self.engine.poll_timeout().is_some_and(|due| due <= at) {
            self.engine.handle_timeout(at);
        }
        self.index += 1;
        self.engine.handle_segment(
            at,
            self.index,
            &Segment {
                src,
                dst,
                seq,
                ack,
                flags: TcpFlags(flags),
                payload,
                wire_payload_len: payload.len() as u32,
                interface: InterfaceId(1),
                vlan: VlanTags::default(),
                signs: Signs::default(),
            },
        );
        while let Some(output) = self.engine.poll() {
            self.events += u64::from(matches!(output, Output::Event(_)));
        }
    }

    fn say(&mut self, session: u32, from_client: bool, next: &mut Next, text: &[u8]) {
        self.segment(session, from_client, TcpFlags::ACK, *next, text);
        let place = if from_client { &mut next.client } else { &mut next.server };
        *place = place.wrapping_add(text.len() as u32);
    }

    fn log_in(&mut self, session: u32) -> Next {
        let mut next = Next { client: ISN.0, server: ISN.1 };
        self.segment(session, true, TcpFlags::SYN, Next { server: 0, ..next }, b"");
        next.client += 1;
        self.segment(session, false, TcpFlags::SYN | TcpFlags::ACK, next, b"");
        next.server += 1;
        self.segment(session, true, TcpFlags::ACK, next, b"");
        for (from_client, text) in LOGIN {
            self.say(session, from_client, &mut next, text);
        }
        next
    }
}

/// A command and its reply, `pairs` times, each of another session. A function of its own, so that its instructions can be
/// counted.
#[inline(never)]
fn talk(world: &mut World, sessions: &mut [Next], pairs: usize) {
    // A stride that is prime to any number of sessions here: neighbours in memory are none in time.
    let mut place = 0;
    for _ in 0..pairs {
        place = (place + 7_919) % sessions.len();
        if let Some(next) = sessions.get_mut(place) {
            world.say(place as u32, true, next, COMMAND);
            world.say(place as u32, false, next, REPLY);
        }
    }
}

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let sessions = numbers.next().context("how many sessions?")??;
    let messages = numbers.next().context("how many messages?")??;
    let limits = Limits {
        flows: sessions.max(1),
        control_idle_s: u32::MAX,
        memory_bytes: usize::MAX / 2,
        ..Limits::default()
    };
    let engine = Engine::new(EngineConfig { limits, ..EngineConfig::default() });
    let mut world = World { engine, now: 1_767_225_600_000_000_000, index: 0, events: 0 };
    let mut ends: Vec<Next> = Vec::with_capacity(sessions);
    let own = std::process::id();
    let before = usage::memory(own, "VmRSS")?;
    let begin = usage::cpu(own)?;
    for session in 0..sessions {
        ends.push(world.log_in(session as u32));
    }
    let login_ns = (usage::cpu(own)? - begin).as_nanos() as f64 / sessions as f64;
    let grown = usage::memory(own, "VmRSS")?.saturating_sub(before);
    let begin = usage::cpu(own)?;
    talk(&mut world, &mut ends, messages / 2);
    let message_ns = (usage::cpu(own)? - begin).as_nanos() as f64 / messages as f64;
    anyhow::ensure!(world.engine.counters().sessions == sessions as u64, "sessions were lost");
    println!(
        "{{\"sessions\":{sessions},\"bytes\":{},\"login_ns\":{login_ns:.0},\"message_ns\":{message_ns:.1},\"events\":{}}}",
        grown / sessions.max(1) as u64,
        world.events
    );
    Ok(())
}
