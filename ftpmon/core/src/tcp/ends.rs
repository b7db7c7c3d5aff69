//! The ends of the two directions. An end is provisional: bytes behind it that the other end acknowledges revoke it.

use super::assembly::{Assembly, SIDES};
use super::receiver::{Closing, Receiver};
use super::sequence;
use super::stream::Marks;
use crate::account::Side;
use crate::segment::Segment;
use crate::time::Timestamp;

impl<R: Receiver> Assembly<'_, R> {
    /// A direction reaches its end. Pieces behind it stay: they may turn out to belong to the stream.
    pub(super) fn close(&mut self, at: Timestamp, from: Side, how: Closing) {
        let (own, other) = self.streams.split_mut(from);
        own.marks.set(Marks::CLOSED);
        match how {
            Closing::Fin => own.marks.set(Marks::FIN_SEEN | Marks::FIN_PASSED),
            Closing::Rst => {
                own.marks.set(Marks::RESET);
                own.other_at_reset = other.next as u32;
            }
        }
        let acked = own.acked >= own.closed_at();
        let pending = self.backlog.pending.side_mut(from);
        (pending.acked, pending.cut) = (0, 0);
        (pending.overdue, pending.hole, pending.stray, pending.reset) = (None, None, None, None);
        pending.ended = Some((at, how));
        self.closed_by.get_or_insert(from);
        if how == Closing::Fin && acked {
            self.report_end(from);
        }
    }

    /// Hands on the end of a direction, if it has one that was not delivered.
    pub(super) fn report_end(&mut self, from: Side) {
        let marks = &mut self.streams.side_mut(from).marks;
        if let Some((at, how)) = self.backlog.pending.side_mut(from).ended.take()
            && marks.has(Marks::CLOSED)
            && !marks.has(Marks::END_REPORTED)
        {
            marks.set(Marks::END_REPORTED);
            self.receiver.closed(at, from, how);
        }
    }

    /// The other end acknowledges a direction that has ended: its FIN, or bytes behind its end.
    pub(super) fn acknowledge_closed(&mut self, from: Side, ack: u32) {
        let stream = self.streams.side_mut(from);
        let (end, acked) = (stream.closed_at(), sequence::position(ack, stream.next));
        stream.acked = stream.acked.max(acked.min(end));
        if acked == end && stream.marks.has(Marks::FIN_PASSED) {
            self.report_end(from);
        } else if acked > end
            && self.backlog.pending.side(from).front_start().is_some_and(|start| start < acked)
        {
            self.revoke_end(from);
        }
    }

    /// Whether a segment shows that its sender, which was reset, lives on: it acknowledges bytes that were sent to it later.
    pub(super) fn outlives_reset(&self, from: Side, segment: &Segment<'_>) -> bool {
        let stream = self.streams.side(from);
        stream.marks.has(Marks::RESET)
            && segment.flags.ack()
            && !segment.flags.rst()
            && segment.ack.wrapping_sub(stream.other_at_reset).cast_signed() > 0
    }

    /// The segment that ended a direction was forged. The stream continues with what is held of it.
    pub(super) fn revoke_end(&mut self, from: Side) {
        let stream = self.streams.side_mut(from);
        if stream.marks.has(Marks::END_REPORTED) {
            return;
        }
        stream
            .marks
            .clear(Marks::CLOSED | Marks::RESET | Marks::FIN_SEEN | Marks::FIN_PASSED | Marks::RST_SEEN);
        self.backlog.pending.side_mut(from).ended = None;
        *self.closed_by = SIDES.into_iter().find(|side| self.streams.side(*side).marks.has(Marks::CLOSED));
        self.receiver.end_revoked(self.now, from);
        self.drain();
    }
}
