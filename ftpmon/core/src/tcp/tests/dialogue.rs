//! A made-up dialogue of two honest ends, and a receiver that knows it.

use super::*;

/// Throws dice; the same seed throws the same.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    pub(super) fn hits(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The byte that `from` sends at `offset`.
pub(super) fn content(from: Side, offset: usize) -> u8 {
    (offset * 7 + offset / 251 + if from == CLIENT { 1 } else { 128 }) as u8
}

fn index(from: Side) -> usize {
    usize::from(from == SERVER)
}

/// A segment by its place in the streams; the first payload byte is at offset 1, SYN at 0.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) from: Side,
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) ack: usize,
    pub(super) flags: u8,
    /// Of the payload, so many bytes are cut off.
    pub(super) cut: usize,
}

impl Sent {
    pub(super) fn give(&self, monitor: &mut Monitor, isns: [u32; 2], ledger: &mut Ledger) {
        let payload: Vec<u8> =
            (self.offset..self.offset + self.len - self.cut).map(|at| content(self.from, at - 1)).collect();
        let seq = isns[index(self.from)].wrapping_add(self.offset as u32);
        let ack = if self.flags & ACK == 0 {
            0
        } else {
            isns[index(self.from.other())].wrapping_add(self.ack as u32)
        };
        let segment = Segment {
            wire_payload_len: self.len as u32,
            ..segment(self.from, seq, ack, self.flags, &payload)
        };
        monitor.now += 1;
        let at = millis(monitor.now);
        monitor.connection.handle_segment(at, self.from, &segment, &monitor.limits, monitor.keep, ledger);
    }
}

/// The segments of both ends, in the order in which they were sent.
#[derive(Clone, Debug)]
pub(super) struct Dialogue {
    pub(super) sent: Vec<Sent>,
    /// Bytes of client and server.
    pub(super) totals: [usize; 2],
}

impl Dialogue {
    pub(super) fn total(&self, from: Side) -> usize {
        self.totals[index(from)]
    }

    /// From handshake to close; each turn is who speaks and the lengths of the segments.
    pub(super) fn new(turns: &[(bool, Vec<usize>)], dice: &mut Dice) -> Self {
        let mut it = Self { sent: Vec::new(), totals: [0, 0] };
        let mut acks = [0, 1];
        let sent = |from, offset, len, ack, flags| Sent { from, offset, len, ack, flags, cut: 0 };
        it.sent.push(sent(CLIENT, 0, 0, 0, SYN));
        it.sent.push(sent(SERVER, 0, 0, 1, SYN | ACK));
        it.sent.push(sent(CLIENT, 1, 0, 1, ACK));
        for (client, lens) in turns {
            let from = if *client { CLIENT } else { SERVER };
            let (own, other) = (index(from), index(from.other()));
            for len in lens {
                // What it has seen of the other end by now is at least what it said last.
                if dice.hits(80) || acks[own] == 0 {
                    acks[own] = it.totals[other] + 1;
                }
                it.sent.push(sent(from, it.totals[own] + 1, *len, acks[own], ACK));
                it.totals[own] += len;
                if dice.hits(40) {
                    acks[other] = it.totals[own] + 1;
                    it.sent.push(sent(from.other(), it.totals[other] + 1, 0, acks[other], ACK));
                }
            }
        }
        let [client, server] = it.totals.map(|total| total + 1);
        it.sent.push(sent(CLIENT, client, 0, server, FIN | ACK));
        it.sent.push(sent(SERVER, server, 0, client + 1, FIN | ACK));
        it.sent.push(sent(CLIENT, client + 1, 0, server + 1, ACK));
        it
    }

    /// For each byte of `from`, what its sender had acknowledged.
    fn acknowledged(&self, from: Side) -> Vec<usize> {
        let mut acks = vec![usize::MAX; self.total(from)];
        for sent in self.sent.iter().filter(|sent| sent.from == from && sent.len > 0) {
            for ack in &mut acks[sent.offset.max(1) - 1..][..sent.len] {
                *ack = sent.ack - 1;
            }
        }
        acks
    }
}

/// Checks each call against the dialogue.
pub(super) struct Ledger {
    acknowledged: [Vec<usize>; 2],
    /// So many bytes before what they acknowledge may replies come.
    pub(super) slack: usize,
    /// The positions of the streams.
    pub(super) position: [usize; 2],
    /// Offsets given up.
    pub(super) gaps: [Vec<usize>; 2],
    pub(super) closed: [bool; 2],
}

impl Ledger {
    pub(super) fn new(dialogue: &Dialogue) -> Self {
        Self {
            acknowledged: [dialogue.acknowledged(CLIENT), dialogue.acknowledged(SERVER)],
            slack: 0,
            position: [0, 0],
            gaps: [Vec::new(), Vec::new()],
            closed: [false, false],
        }
    }
}

impl Ledger {
    /// Bytes that come right after they were given up, in a run, are believed: the gap was shorter than told.
    fn go_back(&mut self, from: Side, first: u8) {
        let own = index(from);
        let position = self.position[own];
        let stretch = self.gaps[own].iter().rev().zip(1..).take_while(|(at, back)| *at + back == position);
        if let Some((at, back)) = stretch.filter(|(at, _)| content(from, **at) == first).last()
            && content(from, position) != first
        {
            self.position[own] = *at;
            let kept = self.gaps[own].len() - back;
            self.gaps[own].truncate(kept);
        }
    }
}

impl Receiver for Ledger {
    fn data(&mut self, _: Timestamp, from: Side, bytes: &[u8]) {
        let own = index(from);
        assert!(!bytes.is_empty() && !self.closed[own]);
        self.go_back(from, bytes[0]);
        for byte in bytes {
            let at = self.position[own];
            assert_eq!(*byte, content(from, at), "{from:?} at {at}");
            let other = self.position[index(from.other())];
            assert!(
                self.acknowledged[own][at] <= other.saturating_add(self.slack),
                "{from:?} at {at}, the other at {other}"
            );
            self.position[own] += 1;
        }
    }
    fn gap(&mut self, _: Timestamp, from: Side, bytes: u64, _: GapCause) {
        let own = index(from);
        assert!(bytes > 0 && !self.closed[own]);
        let end = self.position[own] + bytes as usize;
        self.gaps[own].extend(self.position[own]..end);
        self.position[own] = end;
    }
    fn conflict(&mut self, _: Timestamp, from: Side, conflict: &Conflict<'_>) {
        panic!("{conflict:?} from {from:?}");
    }
    fn end_revoked(&mut self, _: Timestamp, from: Side) {
        panic!("the end of {from:?} was revoked");
    }
    fn closed(&mut self, _: Timestamp, from: Side, how: Closing) {
        assert_eq!(how, Closing::Fin);
        assert!(!std::mem::replace(&mut self.closed[index(from)], true));
    }
}
