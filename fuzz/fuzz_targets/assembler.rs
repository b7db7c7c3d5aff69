//! Any segments of one connection in any order. Whatever comes, a receiver sees each position of a stream at most once,
//! in order, with the byte that was said there.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use arbitrary::Arbitrary;
use ftpmon_core::account::Side;
use ftpmon_core::tcp::{Closing, Conflict, Connection, Keep, Receiver, StreamLimits};
use ftpmon_event::GapCause;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use ftpmon_fuzz::stream::{Shot, Talk, byte_at};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    handshake: bool,
    ranges: bool,
    isn: [u32; 2],
    shots: Vec<Shot>,
}

#[derive(Default)]
struct Ear {
    /// The position of each stream, where its beginning is known and nothing lied.
    position: [u64; 2],
    closed: [u32; 2],
    check: bool,
}

impl Receiver for Ear {
    fn data(&mut self, _: Timestamp, from: Side, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        let side = usize::from(from == Side::Listener);
        assert_eq!(self.closed[side], 0, "data after the end");
        if self.check {
            for (n, &byte) in bytes.iter().enumerate() {
                assert_eq!(byte, byte_at(self.position[side] + n as u64));
            }
        }
        self.position[side] += bytes.len() as u64;
    }

    fn gap(&mut self, _: Timestamp, from: Side, bytes: u64, _: GapCause) {
        assert!(bytes > 0);
        let side = usize::from(from == Side::Listener);
        assert_eq!(self.closed[side], 0, "a gap after the end");
        self.position[side] += bytes;
    }

    fn conflict(&mut self, _: Timestamp, _: Side, conflict: &Conflict<'_>) {
        assert!(conflict.bytes > 0 && conflict.first != conflict.second);
        assert!(!self.check, "a conflict between honest ends");
    }

    fn end_revoked(&mut self, _: Timestamp, from: Side) {
        assert_eq!(self.closed[usize::from(from == Side::Listener)], 0, "revoked after it was reported");
    }

    fn closed(&mut self, _: Timestamp, from: Side, _: Closing) {
        let side = usize::from(from == Side::Listener);
        self.closed[side] += 1;
        assert_eq!(self.closed[side], 1, "closed twice");
    }
}

fuzz_target!(|input: Input| {
    let end = |last, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port);
    let mut talk = Talk::new(end(1, 40_000), end(2, 21), input.isn);
    let mut connection = Connection::new();
    let keep = if input.ranges { Keep::Ranges } else { Keep::Bytes };
    let limits = if input.ranges { StreamLimits::BULK } else { StreamLimits::CONTROL };
    let syn = |back| Shot {
        back,
        position: ftpmon_fuzz::stream::Place::At(0),
        len: 0,
        cut: 0,
        ack: ftpmon_fuzz::stream::Place::At(0),
        flags: if back { 0x12 } else { 0x02 },
        lie: false,
        wait: 1,
    };
    let mut shots = input.shots;
    if input.handshake {
        shots.splice(0..0, [syn(false), syn(true)]);
    }
    let check = input.handshake
        && !shots.iter().any(|shot| {
            shot.lie
                || (shot.flags & 0x02 != 0 && matches!(shot.position, ftpmon_fuzz::stream::Place::Wild(_)))
        });
    let mut ear = Ear { check, ..Ear::default() };
    let mut at = Timestamp::from_parts(1_700_000_000, 0);
    for shot in &shots {
        at = at.plus_nanos(i64::from(shot.wait) * 1_000_000);
        while let Some(due) = connection.poll_timeout().filter(|due| *due <= at) {
            connection.handle_timeout(due, &limits, keep, &mut ear);
            assert!(connection.poll_timeout().is_none_or(|next| next > due), "a timeout that stays due");
        }
        let (side, segment) = talk.segment(shot);
        connection.handle_segment(at, side, &segment, &limits, keep, &mut ear);
        assert!(connection.held_bytes() <= 2 * limits.held_bytes as usize);
    }
    connection.finish(at, keep, &mut ear);
});
