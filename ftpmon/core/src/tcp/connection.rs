//! A connection as its caller sees it.

use super::assembly::Assembly;
use super::backlog::{Backlog, Piece};
use super::doubt::{DOUBTED_BYTES_MAX, DOUBTED_MAX};
use super::limits::{Checksums, StreamLimits};
use super::pair::Pair;
use super::receiver::{Keep, Receiver};
use super::recent::RECENT_BYTES;
use super::sequence;
use super::stream::{Marks, Stream};
use crate::account::{DirectionAccount, Side};
use crate::fill::Fills;
use crate::segment::{Segment, TcpFlags};
use crate::time::Timestamp;

/// Pieces for which the first one makes room.
const FIRST_PIECES: usize = 4;

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
    pub(super) streams: Pair<Stream>,
    pub(super) backlog: Option<Box<Backlog>>,
    handshake: Handshake,
    closed_by: Option<Side>,
}

/// [`HandshakeTimes`], packed.
#[derive(Clone, Debug, Default)]
struct Handshake {
    syn: Timestamp,
    syn_ack: Timestamp,
    ack: Timestamp,
    seen: u8,
}

impl Handshake {
    const SYN: u8 = 1;
    const SYN_ACK: u8 = 2;
    const ACK: u8 = 4;

    fn note(&mut self, at: Timestamp, from: Side, flags: TcpFlags) {
        let (step, time) = match (from, flags.syn(), flags.ack() && !flags.rst()) {
            (Side::Initiator, true, false) => (Self::SYN, &mut self.syn),
            (Side::Listener, true, true) => (Self::SYN_ACK, &mut self.syn_ack),
            (Side::Initiator, false, true) => (Self::ACK, &mut self.ack),
            _ => return,
        };
        if self.seen & step == 0 {
            self.seen |= step;
            *time = at;
        }
    }

    /// The time of a step, if all `steps` were seen.
    fn time(&self, time: Timestamp, steps: u8) -> Option<Timestamp> {
        (self.seen & steps == steps).then_some(time)
    }
}

impl Connection {
    /// A connection of which nothing was seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sender of `first`, the first segment seen of a connection: the listener if it answers a SYN, otherwise the
    /// initiator, for lack of better.
    pub fn sender_of(first: &Segment<'_>) -> Side {
        if first.flags.syn() && first.flags.ack() { Side::Listener } else { Side::Initiator }
    }

    /// The end that was taken for the initiator is the listener. Only where the opening was not seen.
    pub fn turn_round(&mut self) {
        self.streams.swap();
        if let Some(backlog) = &mut self.backlog {
            backlog.pending.swap();
        }
        self.closed_by = self.closed_by.map(Side::other);
        self.handshake = Handshake::default();
    }

    /// `segment`, a SYN or SYN-ACK of the end `from`, belongs to what was seen of this connection: that end's first bytes follow it.
    pub fn begins_with(&self, from: Side, segment: &Segment<'_>) -> bool {
        let stream = self.streams.side(from);
        let ahead = (stream.start as u32).wrapping_sub(segment.seq.wrapping_add(1));
        stream.marks.has(Marks::STARTED) && ahead <= StreamLimits::CONTROL.window
    }

    /// Takes a segment that the end `from` sent, and delivers what it puts in order. [`Self::poll_timeout`] may change.
    pub fn handle_segment(
        &mut self,
        at: Timestamp,
        from: Side,
        segment: &Segment<'_>,
        limits: &StreamLimits,
        keep: Keep,
        receiver: &mut impl Receiver,
    ) {
        let (own, other) = self.streams.split_mut(from);
        own.packets += 1;
        let checksums = limits.checksums_for(keep);
        if self.backlog.is_none()
            && is_in_order(own, other, segment)
            && own.oddity(segment, checksums).is_none()
        {
            other.note_ack(segment.ack);
            if !segment.payload.is_empty() {
                own.shown_by = segment.interface;
                match keep {
                    Keep::Bytes => {
                        let compared = if limits.compare_copies { segment.payload } else { &[] };
                        own.pass(segment.payload.len() as u64, compared);
                        receiver.data(at, from, segment.payload);
                    }
                    Keep::Ranges => own.pass(segment.payload.len() as u64, &[]),
                }
            }
            return;
        }
        self.handshake.note(at, from, segment.flags);
        self.assemble(at, limits, keep, receiver, |assembly| {
            assembly.count_segment();
            assembly.accept(from, segment);
            assembly.expire();
            assembly.wait();
        });
    }

    /// Counts a segment that is in order and carries nothing, where nothing is held back: there is nothing more to it. False
    /// where it is another one: [`Self::handle_segment`] takes it.
    #[inline]
    pub fn count_bare(&mut self, from: Side, segment: &Segment<'_>) -> bool {
        let (own, other) = self.streams.split_mut(from);
        let is_bare = self.backlog.is_none()
            && segment.wire_payload_len == 0
            && is_in_order(own, other, segment)
            && own.oddity(segment, Checksums::Ignore).is_none();
        if is_bare {
            own.packets += 1;
            other.note_ack(segment.ack);
        }
        is_bare
    }

    /// When [`Self::handle_timeout`] is due; none while nothing is waited for.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let backlog = self.backlog.as_ref()?;
        [Side::Initiator, Side::Listener]
            .into_iter()
            .filter_map(|from| backlog.pending.side(from).deadline())
            .min()
    }

    /// Gives up what was waited for too long by `now`. A call before its time does nothing.
    pub fn handle_timeout(
        &mut self,
        now: Timestamp,
        limits: &StreamLimits,
        keep: Keep,
        receiver: &mut impl Receiver,
    ) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.assemble(now, limits, keep, receiver, |assembly| {
                assembly.expire();
                assembly.wait();
            });
        }
    }

    /// Nothing more will come: holes become gaps, and what is held is delivered.
    pub fn finish(&mut self, at: Timestamp, keep: Keep, receiver: &mut impl Receiver) {
        if self.backlog.is_some() {
            self.assemble(at, &StreamLimits::CONTROL, keep, receiver, |assembly| {
                assembly.finish();
            });
            self.backlog = None;
        }
        for from in [Side::Initiator, Side::Listener] {
            self.streams.side_mut(from).marks.set(Marks::FINISHED);
        }
    }

    /// The account of the end `from`, as far as it is known by now. Bytes that came after they had been given up count as gap
    /// and as seen again.
    pub fn account(&self, from: Side) -> DirectionAccount {
        let stream = self.streams.side(from);
        let end = self.backlog.as_ref().map_or(0, |backlog| {
            let pending = backlog.pending.side(from);
            let closed = stream.marks.has(Marks::CLOSED);
            if closed { stream.next } else { pending.end().max(stream.next + pending.cut) }
        });
        stream.account(end)
    }

    /// The handshake, as far as it was seen.
    pub fn handshake(&self) -> HandshakeTimes {
        let Handshake { syn, syn_ack, ack, .. } = self.handshake;
        HandshakeTimes {
            syn: self.handshake.time(syn, Handshake::SYN),
            syn_ack: self.handshake.time(syn_ack, Handshake::SYN_ACK),
            ack: self.handshake.time(ack, Handshake::SYN_ACK | Handshake::ACK),
        }
    }

    /// The end that closed first, in stream order.
    pub fn closed_by(&self) -> Option<Side> {
        self.closed_by
    }

    /// Both ends sent FIN, or one sent RST, and all before it was delivered. Copies of what was seen, bytes of the other
    /// direction and a last ACK may still come: a caller does well to keep the connection for a while.
    pub fn is_closed(&self) -> bool {
        let (a, b) = (self.streams.side(Side::Initiator).marks, self.streams.side(Side::Listener).marks);
        // Two FINs that were never acknowledged may both be forged.
        let confirmed = a.any(Marks::END_REPORTED | Marks::FINISHED) || b.has(Marks::END_REPORTED);
        a.has(Marks::RESET)
            || b.has(Marks::RESET)
            || (a.has(Marks::CLOSED) && b.has(Marks::CLOSED) && confirmed)
    }

    /// `segment`, sent by the end `from`, shows that a finished connection continues: what ended it was forged. The
    /// caller then gives the segment to a new connection.
    pub fn goes_on(&self, from: Side, segment: &Segment<'_>) -> bool {
        let stream = self.streams.side(from);
        let position = sequence::position(segment.seq, stream.next);
        let ahead = position + u64::from(segment.wire_payload_len) > stream.closed_at();
        stream.marks.has(Marks::FINISHED | Marks::CLOSED)
            && segment.flags.0 & (TcpFlags::SYN | TcpFlags::RST | TcpFlags::ACK) == TcpFlags::ACK
            && segment.wire_payload_len > 0
            && ahead
            && position <= stream.closed_at() + u64::from(StreamLimits::CONTROL.held_bytes)
    }

    /// No SYN was seen: the connection is older than the capture.
    pub fn midstream(&self) -> bool {
        !self.streams.side(Side::Initiator).marks.has(Marks::SYN)
            && !self.streams.side(Side::Listener).marks.has(Marks::SYN)
    }

    /// The end `from` sent something other than RST.
    pub fn has_heard(&self, from: Side) -> bool {
        self.streams.side(from).marks.any(Marks::SYN | Marks::TALKED)
    }

    /// `segment`, sent by the end `from`, acknowledges more of the other end's bytes than its first segment did: the other end
    /// is there, though it was never seen.
    pub fn acknowledges_more(&self, from: Side, segment: &Segment<'_>) -> bool {
        let other = self.streams.side(from.other());
        segment.flags.ack()
            && other.marks.has(Marks::STARTED)
            && segment.ack.wrapping_sub(other.start as u32).cast_signed() > 0
    }

    /// `segment`, sent by the end `from`, opens another connection between the same ports (RFC 9293 section 3.6.1): the caller
    /// then finishes this one and gives the segment to a new one, whose initiator may be the other end.
    ///
    /// A SYN is believed when this connection is ending, or is not answered yet. On an established connection it may be forged:
    /// there it is the SYN-ACK to it that counts.
    pub fn starts_anew(&self, from: Side, segment: &Segment<'_>) -> bool {
        if !segment.flags.syn() {
            return false;
        }
        let (own, other) = (self.streams.side(from), self.streams.side(from.other()));
        if own.marks.has(Marks::STARTED) && segment.seq.wrapping_add(1) == own.start as u32 {
            return false;
        }
        if segment.flags.ack() {
            let answered = segment.ack.wrapping_sub(1);
            let is_ours = other.marks.has(Marks::STARTED) && segment.ack == other.start as u32;
            return (self.is_ending() && !is_ours)
                || self.backlog.as_ref().is_some_and(|backlog| backlog.reopening == Some(answered));
        }
        self.is_ending() || (own.marks.has(Marks::SYN) && other.packets == 0)
    }

    /// Nothing more will be reported of it: copies are compared no longer, and no bytes are kept for that.
    pub fn forget_bytes(&mut self) {
        for from in [Side::Initiator, Side::Listener] {
            self.streams.side_mut(from).recent.clear();
        }
    }

    /// Neither end closed, nothing is held back and nothing is waited for.
    #[inline]
    pub fn is_open_in_order(&self) -> bool {
        let ends = |from| self.streams.side(from).marks.any(Marks::CLOSED | Marks::RESET);
        self.backlog.is_none() && self.closed_by.is_none() && !ends(Side::Initiator) && !ends(Side::Listener)
    }

    /// Something is held back or waited for.
    #[inline]
    pub fn holds_bytes(&self) -> bool {
        self.backlog.is_some()
    }

    /// Bytes of memory that are held beyond the connection itself.
    pub fn held_bytes(&self) -> usize {
        self.backlog.as_ref().map_or(0, |backlog| {
            let of = |from| {
                let pending = backlog.pending.side(from);
                let doubted: usize = pending.doubted.iter().map(|doubted| doubted.bytes.len()).sum();
                pending.bytes() + doubted + pending.pieces.capacity() * size_of::<Piece>()
            };
            size_of::<Backlog>() + of(Side::Initiator) + of(Side::Listener)
        })
    }

    /// Bytes that [`Self::held_bytes`] may have beyond those that [`Self::payload_that_fits`] allows: doubtful segments, which
    /// have a cap of their own, and the first pieces of both directions.
    pub(crate) const HELD_BESIDE_MAX: usize =
        size_of::<Backlog>() + 2 * (DOUBTED_MAX * DOUBTED_BYTES_MAX + 2 * FIRST_PIECES * size_of::<Piece>());

    /// Payload bytes that `from` may have held, so that the connection holds no more than `room` bytes with one more piece.
    pub(crate) fn payload_that_fits(&self, from: Side, room: usize) -> usize {
        let Some(backlog) = self.backlog.as_deref() else {
            return room.saturating_sub(size_of::<Backlog>() + FIRST_PIECES * size_of::<Piece>());
        };
        let pending = backlog.pending.side(from);
        let (pieces, capacity) = (pending.pieces.len(), pending.pieces.capacity());
        let growth = if pieces == capacity { capacity.max(FIRST_PIECES) * size_of::<Piece>() } else { 0 };
        room.saturating_sub(self.held_bytes() - pending.bytes() + growth)
    }

    /// Notes the fill of what is held, beside these caps.
    pub(crate) fn note_fill(&self, limits: &StreamLimits, fills: &mut Fills) {
        for from in [Side::Initiator, Side::Listener] {
            fills.note("compared_bytes_of_stream", self.streams.side(from).recent.len(), RECENT_BYTES);
            let Some(backlog) = self.backlog.as_deref() else { continue };
            let pending = backlog.pending.side(from);
            fills.note("held_bytes_of_stream", pending.bytes(), limits.held_bytes as usize);
            fills.note("held_pieces_of_stream", pending.pieces.len(), limits.held_pieces.into());
            fills.note("doubtful_segments_of_stream", pending.doubted.len(), DOUBTED_MAX);
            let longest = pending.doubted.iter().map(|doubted| doubted.bytes.len()).max();
            fills.note("doubtful_segment_bytes", longest.unwrap_or_default(), DOUBTED_BYTES_MAX);
        }
    }

    /// An end sent FIN or RST.
    fn is_ending(&self) -> bool {
        let ends = |from| self.streams.side(from).marks.has(Marks::CLOSED);
        ends(Side::Initiator) || ends(Side::Listener)
    }

    fn assemble<R: Receiver>(
        &mut self,
        now: Timestamp,
        limits: &StreamLimits,
        keep: Keep,
        receiver: &mut R,
        work: impl FnOnce(&mut Assembly<'_, R>),
    ) {
        let mut fresh = Backlog::default();
        let backlog = self.backlog.as_deref_mut().unwrap_or(&mut fresh);
        work(&mut Assembly {
            streams: &mut self.streams,
            backlog,
            closed_by: &mut self.closed_by,
            limits,
            keep,
            now,
            receiver,
        });
        let is_idle = |from| backlog.pending.side(from).is_idle(self.streams.side(from).settled());
        let is_idle = backlog.reopening.is_none() && is_idle(Side::Initiator) && is_idle(Side::Listener);
        if is_idle {
            self.backlog = None;
        } else if self.backlog.is_none() {
            self.backlog = Some(Box::new(fresh));
        }
    }
}

/// The usual case: an ACK, with or without payload, exactly where both streams are.
fn is_in_order(own: &Stream, other: &Stream, segment: &Segment<'_>) -> bool {
    const FLAGS: u8 = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST | TcpFlags::ACK | TcpFlags::URG;
    segment.flags.0 & FLAGS == TcpFlags::ACK
        && segment.seq == own.next as u32
        && segment.payload.len() == segment.wire_payload_len as usize
        && segment.ack.wrapping_sub(other.next as u32) as i32 <= 0
        && own.marks.has(Marks::STARTED | Marks::ANCHORED | Marks::TALKED)
        && other.marks.has(Marks::STARTED | Marks::ANCHORED)
        && !own.marks.has(Marks::CLOSED)
}
