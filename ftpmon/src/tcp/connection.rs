//! A connection as its caller sees it.

use super::limits::Limits;
use super::receiver::{Closing, Keep, Receiver};
use super::sequence;
use super::stream::{Marks, Stream};
use crate::account::{DirectionAccount, Side};
use crate::event::GapCause;
use crate::segment::Segment;
use crate::time::Timestamp;

/// When the three steps of the handshake were seen (RFC 9293 section 3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandshakeTimes {
    /// The SYN.
    pub syn: Option<Timestamp>,
    /// The SYN-ACK.
    pub syn_ack: Option<Timestamp>,
    /// The ACK that completes it.
    pub ack: Option<Timestamp>,
}

/// One TCP connection. Small while nothing is held back.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    initiator: Stream,
    listener: Stream,
    handshake: HandshakeTimes,
    closed_by: Option<Side>,
}

impl Connection {
    /// A connection of which nothing was seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who sent `first`, the first segment seen of a connection: the listener if it answers a SYN, otherwise the initiator, for
    /// want of better.
    pub fn sender_of(first: &Segment<'_>) -> Side {
        if first.flags.syn() && first.flags.ack() { Side::Listener } else { Side::Initiator }
    }

    /// Takes a segment that the end `from` sent, and hands on what it puts in order. Call [`Self::poll_timeout`] afterwards.
    pub fn handle_segment(
        &mut self,
        at: Timestamp,
        from: Side,
        segment: &Segment<'_>,
        _limits: &Limits,
        keep: Keep,
        receiver: &mut impl Receiver,
    ) {
        self.note_handshake(at, from, segment);
        let (own, other) = match from {
            Side::Initiator => (&mut self.initiator, &mut self.listener),
            Side::Listener => (&mut self.listener, &mut self.initiator),
        };
        own.packets += 1;
        let flags = segment.flags;
        let seq = if flags.syn() { segment.seq.wrapping_add(1) } else { segment.seq };
        if !own.marks.has(Marks::STARTED) {
            own.start_at(seq);
        }
        if flags.syn() {
            own.marks.set(Marks::SYN);
        }
        if flags.ack() && !flags.rst() && !other.marks.has(Marks::STARTED) {
            other.start_at(segment.ack);
        }
        let start = sequence::position(seq, own.next);
        let end = start + u64::from(segment.wire_payload_len);
        if start > own.next {
            receiver.gap(at, from, start - own.next, GapCause::Missing);
            own.gap_bytes += start - own.next;
            own.next = start;
        }
        let seen = own.next - start;
        own.retransmitted += seen.min(u64::from(segment.wire_payload_len));
        if end > own.next && !own.marks.has(Marks::CLOSED) {
            let fresh =
                usize::try_from(seen).ok().and_then(|seen| segment.payload.get(seen..)).unwrap_or_default();
            own.next = end;
            if keep == Keep::Bytes {
                if !fresh.is_empty() {
                    receiver.data(at, from, fresh);
                }
                let cut = end - start - seen - fresh.len() as u64;
                if cut > 0 {
                    receiver.gap(at, from, cut, GapCause::CutShort);
                }
            }
        }
        if flags.fin() {
            own.marks.set(Marks::FIN_SEEN);
        }
        if flags.rst() {
            own.marks.set(Marks::RST_SEEN);
        }
        if (flags.fin() || flags.rst()) && !own.marks.has(Marks::CLOSED) {
            own.marks.set(Marks::CLOSED);
            if flags.rst() {
                own.marks.set(Marks::RESET);
            }
            self.closed_by.get_or_insert(from);
            receiver.closed(at, from, if flags.rst() { Closing::Rst } else { Closing::Fin });
        }
    }

    /// When [`Self::handle_timeout`] is due; none while nothing is held back.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// Gives up what was waited for too long by `now`. A call before its time does nothing.
    pub fn handle_timeout(
        &mut self,
        _now: Timestamp,
        _limits: &Limits,
        _keep: Keep,
        _receiver: &mut impl Receiver,
    ) {
    }

    /// Nothing more will come: holes become gaps, and what is held is handed on.
    pub fn finish(&mut self, _at: Timestamp, _keep: Keep, _receiver: &mut impl Receiver) {}

    /// What the end `from` sent, as far as it is known by now.
    pub fn account(&self, from: Side) -> DirectionAccount {
        self.stream(from).account(0)
    }

    /// The handshake, as far as it was seen.
    pub fn handshake(&self) -> HandshakeTimes {
        self.handshake
    }

    /// Who ended first, in stream order.
    pub fn closed_by(&self) -> Option<Side> {
        self.closed_by
    }

    /// Both ends said FIN, or one said RST, and all before it was handed on. What is still held or on its way comes with
    /// [`Self::finish`] or with further segments: a caller does well to keep the connection for a while.
    pub fn is_closed(&self) -> bool {
        let (a, b) = (self.initiator.marks, self.listener.marks);
        a.has(Marks::RESET) || b.has(Marks::RESET) || (a.has(Marks::CLOSED) && b.has(Marks::CLOSED))
    }

    /// No SYN was seen: the connection is older than the capture.
    pub fn midstream(&self) -> bool {
        !self.initiator.marks.has(Marks::SYN) && !self.listener.marks.has(Marks::SYN)
    }

    /// `segment`, sent by the end `from`, opens another connection between the same ports (RFC 9293 section 3.6.1): the caller then
    /// finishes this one and gives the segment to a new one, whose initiator may be the other end.
    pub fn starts_anew(&self, from: Side, segment: &Segment<'_>) -> bool {
        let own = self.stream(from);
        segment.flags.syn()
            && !segment.flags.ack()
            && own.marks.has(Marks::STARTED)
            && segment.seq.wrapping_add(1) != own.start as u32
            && (self.is_closed() || self.stream(from.other()).packets == 0)
    }

    /// Bytes of memory that held-back segments take.
    pub fn held_bytes(&self) -> usize {
        0
    }

    fn stream(&self, side: Side) -> &Stream {
        match side {
            Side::Initiator => &self.initiator,
            Side::Listener => &self.listener,
        }
    }

    fn note_handshake(&mut self, at: Timestamp, from: Side, segment: &Segment<'_>) {
        let times = &mut self.handshake;
        match (from, segment.flags.syn(), segment.flags.ack()) {
            (Side::Initiator, true, false) => times.syn = times.syn.or(Some(at)),
            (Side::Listener, true, true) => times.syn_ack = times.syn_ack.or(Some(at)),
            (Side::Initiator, false, true) if times.syn_ack.is_some() => times.ack = times.ack.or(Some(at)),
            _ => {}
        }
    }
}
