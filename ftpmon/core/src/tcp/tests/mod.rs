//! The calls that a connection makes to its receiver, behaviour by behaviour.

mod close;
mod dialogue;
mod doubt;
mod loss;
mod order;
mod properties;
mod start;

use std::net::{IpAddr, Ipv4Addr};

use super::{Closing, Conflict, Connection, Keep, Oddity, Receiver, StreamLimits};
use crate::account::Side;
use crate::addr::Endpoint;
use crate::event::GapCause;
use crate::segment::{InterfaceId, Segment, Signs, TcpFlags, VlanTags};
use crate::time::Timestamp;

const CLIENT: Side = Side::Initiator;
const SERVER: Side = Side::Listener;
const SYN: u8 = TcpFlags::SYN;
const ACK: u8 = TcpFlags::ACK;
const FIN: u8 = TcpFlags::FIN;
const RST: u8 = TcpFlags::RST;

/// A call of the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Data(Side, String),
    Gap(Side, u64, GapCause),
    Conflict(Side, u64),
    Revoked(Side),
    Closed(Side, Closing),
}

fn data(from: Side, text: &str) -> Told {
    Told::Data(from, text.to_owned())
}

/// Writes the calls down.
#[derive(Default)]
struct Recorder {
    told: Vec<Told>,
    times: Vec<Timestamp>,
    doubts: Vec<Oddity>,
}

impl Recorder {
    fn note(&mut self, at: Timestamp, told: Told) {
        self.told.push(told);
        self.times.push(at);
    }
}

impl Receiver for Recorder {
    fn data(&mut self, at: Timestamp, from: Side, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        self.note(at, Told::Data(from, bytes.iter().copied().map(char::from).collect()));
    }
    fn gap(&mut self, at: Timestamp, from: Side, bytes: u64, cause: GapCause) {
        assert!(bytes > 0);
        self.note(at, Told::Gap(from, bytes, cause));
    }
    fn conflict(&mut self, at: Timestamp, from: Side, conflict: &Conflict<'_>) {
        assert!(conflict.bytes > 0 && conflict.first != conflict.second);
        self.note(at, Told::Conflict(from, conflict.bytes));
    }
    fn doubtful(&mut self, _: Timestamp, _: Side, doubt: Oddity) {
        self.doubts.push(doubt);
    }
    fn end_revoked(&mut self, at: Timestamp, from: Side) {
        self.note(at, Told::Revoked(from));
    }
    fn closed(&mut self, at: Timestamp, from: Side, how: Closing) {
        self.note(at, Told::Closed(from, how));
    }
}

fn millis(ms: i64) -> Timestamp {
    Timestamp::from_nanos(ms * 1_000_000)
}

fn segment(from: Side, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Segment<'_> {
    let end = |port| Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let (client, server) = (end(40_000), end(21));
    let (src, dst) = if from == CLIENT { (client, server) } else { (server, client) };
    Segment {
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
    }
}

/// A connection and its receiver; each segment is a millisecond after the last. The initial sequence numbers are 999 for the
/// client and 4999 for the server, so that their bytes begin at 1000 and 5000.
struct Monitor {
    connection: Connection,
    recorder: Recorder,
    limits: StreamLimits,
    keep: Keep,
    now: i64,
}

impl Monitor {
    /// Of a connection from its handshake on.
    fn established() -> Self {
        let mut monitor = Self::midstream();
        monitor.send(CLIENT, 999, 0, SYN, "");
        monitor.send(SERVER, 4999, 1000, SYN | ACK, "");
        monitor.send(CLIENT, 1000, 5000, ACK, "");
        assert_eq!(monitor.told(), []);
        monitor
    }

    /// Of a connection of which nothing was seen.
    fn midstream() -> Self {
        Self {
            connection: Connection::new(),
            recorder: Recorder::default(),
            limits: StreamLimits::CONTROL,
            keep: Keep::Bytes,
            now: 0,
        }
    }

    fn send(&mut self, from: Side, seq: u32, ack: u32, flags: u8, payload: &str) {
        self.take(from, &segment(from, seq, ack, flags, payload.as_bytes()));
    }

    fn take(&mut self, from: Side, segment: &Segment<'_>) {
        self.now += 1;
        self.connection.handle_segment(
            millis(self.now),
            from,
            segment,
            &self.limits,
            self.keep,
            &mut self.recorder,
        );
    }

    /// A frame that the capture cut off after `payload`.
    fn send_cut(&mut self, from: Side, seq: u32, ack: u32, payload: &str, wire_payload_len: u32) {
        self.take(from, &Segment { wire_payload_len, ..segment(from, seq, ack, ACK, payload.as_bytes()) });
    }

    /// Time passes.
    fn pass_millis(&mut self, ms: i64) {
        self.now += ms;
        self.connection.handle_timeout(millis(self.now), &self.limits, self.keep, &mut self.recorder);
    }

    fn finish(&mut self) {
        self.now += 1;
        self.connection.finish(millis(self.now), self.keep, &mut self.recorder);
    }

    /// The calls since the last time.
    fn told(&mut self) -> Vec<Told> {
        self.recorder.times.clear();
        std::mem::take(&mut self.recorder.told)
    }

    fn is_at_rest(&self) -> bool {
        self.connection.held_bytes() == 0 && self.connection.poll_timeout().is_none()
    }
}
