//! RST: which ones end a connection (RFC 9293 section 3.10.7.4, RFC 5961 section 3.2).

use super::assembly::Assembly;
use super::backlog::NotedReset;
use super::limits::after_millis;
use super::receiver::{Closing, Receiver};
use super::sequence;
use super::stream::Marks;
use crate::account::Side;
use crate::segment::Segment;
use crate::timing::DISORDER_NS;

/// An RST behind a FIN may answer a segment that was sent before the FIN arrived: its sequence number is as much lower as bytes
/// were on their way.
const IN_FLIGHT_MAX: u64 = 65_535;

impl<R: Receiver> Assembly<'_, R> {
    /// Takes an RST that the end `from` sent. It ends the direction where its sequence number is the one that the other end
    /// waits for, as far as that is known. Otherwise it is noted, and what follows decides.
    pub(super) fn accept_rst(&mut self, from: Side, segment: &Segment<'_>, doubtful: bool) {
        if !self.can_refuse(from, segment) {
            return;
        }
        let other_next = self.streams.side(from.other()).next;
        let stream = self.streams.side_mut(from);
        if !stream.marks.has(Marks::STARTED) {
            stream.start_at(segment.seq);
            stream.marks.set(Marks::ANCHORED);
        }
        let position = sequence::position(segment.seq, stream.next);
        if stream.marks.has(Marks::CLOSED) {
            if !doubtful && position <= stream.closed_at() && position + IN_FLIGHT_MAX >= stream.next {
                if !stream.marks.has(Marks::RESET) {
                    stream.other_at_reset = other_next as u32;
                }
                stream.marks.set(Marks::RST_SEEN | Marks::RESET);
            }
            return;
        }
        let window = u64::from(self.limits.window);
        if position + window < stream.next || position > stream.next + window {
            return;
        }
        let (next, acked) = (stream.next, stream.acked);
        let known = self.known_end(from);
        if !doubtful && (position == known || (position == acked && known == next)) {
            self.streams.side_mut(from).marks.set(Marks::RST_SEEN);
            let after = if segment.flags.ack() { self.accept_ack(from, segment) } else { 0 };
            self.accept_end(from, known, after, Closing::Rst);
            return;
        }
        let deadline = after_millis(self.now, self.limits.reset_wait_ms);
        self.backlog.pending.side_mut(from).reset =
            Some(NotedReset { position, at: self.now, other_next, deadline });
    }

    /// A SYN is refused by an RST that acknowledges it (RFC 9293 section 3.10.7.3).
    fn can_refuse(&self, from: Side, segment: &Segment<'_>) -> bool {
        let (own, other) = (self.streams.side(from), self.streams.side(from.other()));
        let refuses = !own.marks.any(Marks::SYN | Marks::TALKED) && other.marks.has(Marks::SYN);
        !refuses
            || other.marks.has(Marks::TALKED)
            || (segment.flags.ack() && segment.ack == other.start as u32)
    }

    /// A segment other than RST decides about a noted one: from its sender, if it continues; from the other end, if it answers
    /// with a challenge ACK (RFC 5961 section 3.2).
    pub(super) fn weigh_noted_resets(&mut self, from: Side, segment: &Segment<'_>, end: u64) {
        let next = self.streams.side(from).next;
        let goes_on = |noted: &NotedReset| {
            let acks_more =
                segment.flags.ack() && sequence::position(segment.ack, noted.other_next) > noted.other_next;
            // Bytes that were on their way come soon: what comes later was sent behind the RST, which was not its sender's then.
            let sent_behind = end > next && self.now.nanos_since(noted.at) > DISORDER_NS as u64;
            end > noted.position.max(next) || acks_more || sent_behind
        };
        if self.backlog.pending.side(from).reset.as_ref().is_some_and(goes_on) {
            self.drop_noted_reset(from);
        }
        let other = from.other();
        let stream = self.streams.side(other);
        let acked = sequence::position(segment.ack, stream.next);
        let is_bare = segment.flags.ack()
            && !segment.flags.syn()
            && !segment.flags.fin()
            && segment.wire_payload_len == 0;
        let challenges = |noted: &NotedReset| is_bare && acked == stream.acked && acked != noted.position;
        if self.backlog.pending.side(other).reset.as_ref().is_some_and(challenges) {
            self.drop_noted_reset(other);
        }
    }

    fn drop_noted_reset(&mut self, from: Side) {
        self.backlog.pending.side_mut(from).reset = None;
        self.receiver.end_revoked(self.now, from);
    }

    /// Bytes that came late may reach up to a noted RST: then it was exact.
    pub(super) fn reach_noted_reset(&mut self, from: Side) {
        let noted = self.backlog.pending.side(from).reset;
        if let Some(noted) = noted
            && noted.position == self.streams.side(from).next
            && self.known_end(from) == noted.position
        {
            self.settle_reset(from);
        }
    }

    /// Believes a noted RST that nothing contradicted in time.
    pub(super) fn expire_reset(&mut self, from: Side) {
        if self.backlog.pending.side(from).reset.is_some_and(|noted| noted.deadline <= self.now) {
            self.settle_reset(from);
        }
    }

    /// Believes a noted RST. Bytes before it that were never seen are a gap.
    pub(super) fn settle_reset(&mut self, from: Side) {
        let Some(noted) = self.backlog.pending.side_mut(from).reset.take() else { return };
        let end = noted.position.max(self.known_end(from));
        self.flush(from);
        let stream = self.streams.side_mut(from);
        if stream.marks.has(Marks::CLOSED) {
            return;
        }
        stream.marks.set(Marks::RST_SEEN);
        if end > self.streams.side(from).next {
            self.skip(from, end);
        }
        self.close(noted.at, from, Closing::Rst);
        self.drain();
    }
}
