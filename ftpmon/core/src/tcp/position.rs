//! The position of a stream: its start, and the segments that are believed to belong to it.

use super::assembly::Assembly;
use super::backlog::Stray;
use super::receiver::Receiver;
use super::sequence;
use super::stream::Marks;
use crate::account::Side;
use crate::segment::Segment;

/// So many segments in a row, each following the last, are believed wherever they stand: fewer, and a forged one would lead the
/// monitor astray; more, and it would take long to find the stream again after a loss.
const STRAY_RUN: u8 = 4;

impl<R: Receiver> Assembly<'_, R> {
    /// Sets the stream's start from a SYN. False: it belongs to another connection.
    pub(super) fn accept_syn(&mut self, from: Side, segment: &Segment<'_>) -> bool {
        let stream = self.streams.side_mut(from);
        let seq = segment.seq.wrapping_add(1);
        if !stream.marks.has(Marks::STARTED) {
            stream.start_at(seq);
        }
        if seq != stream.start as u32 {
            if stream.marks.has(Marks::SYN) || !stream.is_untouched() {
                if !segment.flags.ack() {
                    self.backlog.reopening = Some(segment.seq);
                }
                return false;
            }
            let start = sequence::position(seq, stream.next);
            stream.restart_at(start);
            self.backlog.pending.side_mut(from).drop_before(start);
        }
        let marks = &mut self.streams.side_mut(from).marks;
        marks.set(Marks::SYN | Marks::ANCHORED);
        marks.clear(Marks::START_BARE);
        true
    }

    /// Learns where the streams are, as far as this was not known.
    pub(super) fn start(&mut self, from: Side, seq: u32, segment: &Segment<'_>, wire_len: u64) {
        let flags = segment.flags;
        let (own, other) = self.streams.split_mut(from);
        if !own.marks.has(Marks::STARTED) {
            own.start_at(seq);
            if flags.rst() || !other.marks.has(Marks::SYN) {
                own.marks.set(Marks::ANCHORED);
                if wire_len == 0 {
                    own.marks.set(Marks::START_BARE);
                }
            }
        }
        if !flags.syn() {
            own.marks.set(Marks::TALKED);
        }
        if flags.ack() && !flags.rst() && !other.marks.has(Marks::STARTED) {
            other.start_at(segment.ack);
            if flags.syn() || !own.marks.has(Marks::SYN) {
                other.marks.set(Marks::ANCHORED);
            }
        }
        self.adjust_start(from, seq, wire_len);
    }

    /// Moves the start of a stream of which nothing was delivered yet to its first bytes.
    fn adjust_start(&mut self, from: Side, seq: u32, wire_len: u64) {
        let other_is_untouched = self.streams.side(from.other()).is_untouched();
        let own = self.streams.side_mut(from);
        if wire_len == 0 || own.marks.has(Marks::SYN) || !own.is_untouched() {
            return;
        }
        let start = sequence::position(seq, own.next);
        let earlier = start < own.next && own.next - start <= u64::from(self.limits.window);
        let is_probe = wire_len == 1 && start + 1 == own.next;
        let behind_probe = own.marks.has(Marks::START_BARE) && start == own.next + 1;
        if behind_probe || (earlier && (own.awaits_syn() || (other_is_untouched && !is_probe))) {
            own.restart_at(start);
        }
    }

    /// Whether a segment stands where one can stand.
    pub(super) fn believes(&mut self, from: Side, seq: u32, wire_len: u64) -> bool {
        let stream = self.streams.side(from);
        let window = u64::from(self.limits.window);
        let start = sequence::position(seq, stream.next);
        let end = start + wire_len;
        let within = end + window >= stream.next && end <= stream.next + window;
        let given_up = stream.marks.has(Marks::GAP_LAST)
            && wire_len > 0
            && end <= stream.next
            && start + u64::from(stream.gap_len) >= stream.next;
        if within && !given_up {
            if wire_len > 0 {
                self.backlog.pending.side_mut(from).stray = None;
            }
            return true;
        }
        wire_len > 0 && self.believes_stray(from, seq, wire_len)
    }

    /// Counts a segment that stands where none is believed; a run of them is followed.
    fn believes_stray(&mut self, from: Side, seq: u32, wire_len: u64) -> bool {
        let end = seq.wrapping_add(wire_len as u32);
        let stray = self.backlog.pending.side(from).stray;
        let run = match stray {
            Some(last) if last.seq == seq => last.run,
            Some(last) if last.end == seq => last.run + 1,
            _ => 1,
        };
        if run < STRAY_RUN {
            self.backlog.pending.side_mut(from).stray = Some(Stray { seq, end, run });
            return false;
        }
        self.flush(from);
        *self.backlog.pending.side_mut(from) = Default::default();
        // Positions may change their meaning: what the other stream waits for is not to be compared with them.
        for piece in &mut self.backlog.pending.side_mut(from.other()).pieces {
            piece.after = 0;
        }
        let stream = self.streams.side_mut(from);
        if stream.marks.has(Marks::CLOSED) {
            return false;
        }
        let to = sequence::position(seq, stream.next);
        if to > stream.next {
            self.skip(from, to);
        } else {
            stream.go_back(seq);
        }
        true
    }
}
