//! Handing on what is in order, giving up what is missing.

use super::backlog::{Backlog, Hole, Overdue, Pending, Piece, PieceKind};
use super::limits::{StreamLimits, after_millis};
use super::pair::Pair;
use super::receiver::{Keep, Oddity, Receiver};
use super::stream::{Marks, Stream};
use crate::account::Side;
use crate::event::GapCause;
use crate::time::Timestamp;

/// Both directions.
pub(super) const SIDES: [Side; 2] = [Side::Initiator, Side::Listener];

/// The work on a connection at one moment.
pub(super) struct Assembly<'a, R> {
    pub(super) streams: &'a mut Pair<Stream>,
    pub(super) backlog: &'a mut Backlog,
    pub(super) closed_by: &'a mut Option<Side>,
    pub(super) limits: &'a StreamLimits,
    pub(super) keep: Keep,
    pub(super) now: Timestamp,
    pub(super) receiver: &'a mut R,
}

impl<R: Receiver> Assembly<'_, R> {
    /// Hands on all that is its turn.
    pub(super) fn drain(&mut self) {
        let holds = |pending: &Pending| !pending.pieces.is_empty() || pending.cut > 0;
        if !SIDES.into_iter().any(|from| holds(self.backlog.pending.side(from))) {
            return;
        }
        loop {
            // Not `any`: each direction may free the other.
            let first = self.drain_stream(Side::Initiator);
            let second = self.drain_stream(Side::Listener);
            if !first && !second {
                return;
            }
        }
    }

    fn drain_stream(&mut self, from: Side) -> bool {
        let mut moved = false;
        loop {
            if self.streams.side(from).marks.has(Marks::CLOSED) {
                return moved;
            }
            self.give_up_cut(from);
            self.give_up_likely_fin(from);
            let stream = self.streams.side(from);
            let settled = self.streams.side(from.other()).settled();
            let is_due =
                |front: &Piece| front.start <= stream.next && front.after <= settled && !stream.awaits_syn();
            if !self.backlog.pending.side(from).pieces.front().is_some_and(is_due) {
                return moved;
            }
            self.pass_front(from);
            moved = true;
        }
    }

    /// Hands on the first piece, which begins where the stream is.
    fn pass_front(&mut self, from: Side) {
        let Some(piece) = self.backlog.pending.side_mut(from).pop() else { return };
        match piece.kind {
            PieceKind::End(how) => self.close(piece.at, from, how),
            PieceKind::Data => {
                self.pass(piece.at, from, piece.len, &piece.bytes);
                let pending = self.backlog.pending.side_mut(from);
                pending.cut = pending.cut.max(u64::from(piece.cut));
            }
        }
    }

    /// Hands on `len` bytes that were seen, `bytes` of them being at hand.
    pub(super) fn pass(&mut self, at: Timestamp, from: Side, len: u64, bytes: &[u8]) {
        let pending = self.backlog.pending.side_mut(from);
        pending.cut = pending.cut.saturating_sub(len);
        let compared = if self.limits.compare_copies { bytes } else { &[] };
        self.streams.side_mut(from).pass(len, compared);
        if self.keep == Keep::Ranges {
            return;
        }
        if !bytes.is_empty() {
            self.receiver.data(at, from, bytes);
        }
        // Backlog without its bytes, while only their number was wanted.
        let missing = len.saturating_sub(bytes.len() as u64);
        if missing > 0 {
            self.receiver.gap(at, from, missing, GapCause::CutShort);
        }
    }

    /// Gives up the bytes up to `to`, which is ahead of the stream and not behind the first piece.
    pub(super) fn skip(&mut self, from: Side, to: u64) {
        let stream = self.streams.side_mut(from);
        let pending = self.backlog.pending.side_mut(from);
        let likely_fin = stream.marks.has(Marks::FIN_LIKELY) && to == stream.next + 1;
        let acknowledged = likely_fin || pending.acked >= to;
        let total = to.saturating_sub(stream.next);
        let cut = pending.cut.min(total);
        pending.cut -= cut;
        let unseen = total - cut;
        if cut > 0 {
            stream.pass_gap(cut);
            if self.keep == Keep::Bytes {
                self.receiver.gap(self.now, from, cut, GapCause::CutShort);
            }
        }
        if unseen > 0 {
            stream.pass_gap(unseen);
            stream.gap_bytes += unseen;
            let cause = if acknowledged { GapCause::Acknowledged } else { GapCause::Missing };
            self.receiver.gap(self.now, from, unseen, cause);
        }
    }

    /// Bytes that the capture cut off are given up as soon as the stream is known to continue after them.
    pub(super) fn give_up_cut(&mut self, from: Side) {
        let stream = self.streams.side(from);
        let pending = self.backlog.pending.side(from);
        if pending.cut == 0 {
            return;
        }
        let cut_end = stream.next + pending.cut;
        let known = pending.front_start().unwrap_or(0).max(pending.acked).min(cut_end);
        let reach = pending.front_start().map_or(known, |front| front.min(known));
        if reach > stream.next {
            self.skip(from, reach);
        }
    }

    /// The position taken for a lost FIN held a byte after all, if something stands behind it.
    fn give_up_likely_fin(&mut self, from: Side) {
        let stream = self.streams.side(from);
        if stream.marks.has(Marks::FIN_LIKELY)
            && self.backlog.pending.side(from).front_start() > Some(stream.next)
        {
            let to = stream.next + 1;
            self.skip(from, to);
        }
    }

    /// Waits no longer for the bytes before `until`.
    pub(super) fn give_up(&mut self, from: Side, until: u64) {
        let stream = self.streams.side_mut(from);
        stream.marks.set(Marks::ANCHORED);
        if !stream.marks.has(Marks::SHOWN) {
            stream.marks.set(Marks::WAIVED);
        }
        self.drain();
        while self.streams.side(from).settled() < until {
            match self.front_in_place(from) {
                None => self.skip_hole(from, until),
                Some(after) => {
                    let other = from.other();
                    if self.streams.side(other).settled() < after && self.front_in_place(other).is_none() {
                        self.skip_hole(other, after);
                    } else {
                        // Each stream waits for the other: no real pair of ends does that, so either order will do.
                        self.pass_front(from);
                    }
                }
            }
            self.drain();
        }
    }

    /// The position that the first piece waits for, if it begins where the stream is.
    fn front_in_place(&self, from: Side) -> Option<u64> {
        let front = self.backlog.pending.side(from).pieces.front()?;
        (front.start <= self.streams.side(from).next).then_some(front.after)
    }

    /// Gives up the hole that the stream is at, at most up to `until`.
    fn skip_hole(&mut self, from: Side, until: u64) {
        let stream = self.streams.side_mut(from);
        stream.marks.set(Marks::ANCHORED);
        if stream.settled() >= until {
            return;
        }
        match self.backlog.pending.side(from).front_start() {
            None if until == stream.next + 1 => stream.marks.set(Marks::FIN_LIKELY),
            front => self.skip(from, front.map_or(until, |front| front.min(until))),
        }
    }

    /// Gives up the first thing that keeps a piece at `start`, which comes after the other stream's `after`, from its turn.
    pub(super) fn relieve(&mut self, from: Side, start: u64, after: u64) {
        let front = self.backlog.pending.side(from).pieces.front();
        let (start, after) = front
            .filter(|front| front.start <= start)
            .map_or((start, after), |front| (front.start, front.after));
        self.streams.side_mut(from).marks.set(Marks::ANCHORED);
        if start > self.streams.side(from).next {
            self.skip(from, start);
        } else if after > self.streams.side(from.other()).settled() {
            self.give_up(from.other(), after);
        }
        self.drain();
    }

    /// A segment more was seen while others are waited for.
    pub(super) fn count_segment(&mut self) {
        for from in SIDES {
            if let Some(overdue) = &mut self.backlog.pending.side_mut(from).overdue {
                overdue.segments = overdue.segments.saturating_sub(1);
            }
        }
    }

    /// Gives up what was waited for too long: by time, or by segments.
    pub(super) fn expire(&mut self) {
        for from in SIDES {
            let pending = self.backlog.pending.side(from);
            let overdue = pending.overdue.filter(|it| it.segments == 0 || it.deadline <= self.now);
            if let Some(overdue) = overdue {
                self.backlog.pending.side_mut(from).overdue = None;
                self.give_up(from, overdue.until);
            }
            self.expire_reset(from);
            let pending = self.backlog.pending.side_mut(from);
            if pending.hole.is_some_and(|hole| hole.deadline <= self.now) {
                pending.hole = None;
                if let Some(front) = pending.front_start() {
                    self.give_up(from, front);
                }
            }
        }
    }

    /// Sets anew what is waited for, and for how long.
    pub(super) fn wait(&mut self) {
        if SIDES.into_iter().all(|from| self.backlog.pending.side(from).is_untouched()) {
            return;
        }
        while SIDES.into_iter().any(|from| self.wait_shortly(from)) {}
        for from in SIDES {
            self.wait_longer(from);
        }
    }

    /// Bytes that the other end has, that come before an RST, or the SYN. Gives up at once what is not worth waiting for, and
    /// then reports it.
    fn wait_shortly(&mut self, from: Side) -> bool {
        let stream = self.streams.side(from);
        let pending = self.backlog.pending.side_mut(from);
        let settled = stream.settled();
        let mut until = pending.acked;
        if stream.awaits_syn() && !pending.pieces.is_empty() {
            until = until.max(stream.next);
        }
        if pending.front_start() > Some(stream.next) {
            until = until.max(pending.reset_at().unwrap_or(0));
        }
        if until <= settled {
            pending.overdue = None;
            return false;
        }
        if stream.marks.has(Marks::WAIVED) && !stream.marks.has(Marks::SHOWN) && pending.pieces.is_empty() {
            pending.overdue = None;
            self.give_up(from, until);
            return true;
        }
        if pending.overdue.is_none_or(|overdue| overdue.until <= settled) {
            pending.overdue = Some(Overdue {
                until,
                deadline: after_millis(self.now, self.limits.acknowledged_wait_ms),
                segments: self.limits.acknowledged_segments,
            });
        }
        false
    }

    /// Bytes that may be sent again.
    fn wait_longer(&mut self, from: Side) {
        let stream = self.streams.side(from);
        let (next, closed) = (stream.next, stream.marks.has(Marks::CLOSED));
        let pending = self.backlog.pending.side_mut(from);
        if closed || pending.front_start().is_none_or(|front| front <= next) {
            pending.hole = None;
        } else if pending.hole.is_none_or(|hole| hole.start != next) {
            pending.hole =
                Some(Hole { start: next, deadline: after_millis(self.now, self.limits.hole_wait_ms) });
        }
    }

    /// Nothing more will come: delivers all that is held, reporting its holes.
    pub(super) fn finish(&mut self) {
        loop {
            self.drain();
            let Some((from, until)) = SIDES.into_iter().find_map(|from| Some((from, self.awaited(from)?)))
            else {
                break;
            };
            self.give_up(from, until);
        }
        for from in SIDES {
            // Nobody acknowledged what is left: its receiver drops a wrong checksum, the other signs are of likelihood.
            let doubted = &mut self.backlog.pending.side_mut(from).doubted;
            doubted.retain(|doubted| doubted.oddity != Oddity::Checksum);
            self.trust_acknowledged(from, u64::MAX);
            self.settle_reset(from);
            self.flush(from);
            let cut = self.backlog.pending.side(from).cut;
            if cut > 0 {
                let to = self.streams.side(from).next + cut;
                self.skip(from, to);
            }
            self.report_end(from);
        }
    }

    /// Up to where bytes of a direction are waited for, if they are: those that the other end has before those it may not have.
    fn awaited(&self, from: Side) -> Option<u64> {
        let stream = self.streams.side(from);
        let pending = self.backlog.pending.side(from);
        let settled = stream.settled();
        if pending.acked > settled {
            return Some(pending.acked);
        }
        let front = pending.front_start()?;
        let awaited = front > settled || stream.awaits_syn();
        awaited.then_some(front)
    }

    /// Hands on all that is held of a direction, reporting its holes.
    pub(super) fn flush(&mut self, from: Side) {
        while let Some(front) = self.backlog.pending.side(from).front_start() {
            if self.streams.side(from).marks.has(Marks::CLOSED) {
                self.backlog.pending.side_mut(from).drop_pieces();
                return;
            }
            if front > self.streams.side(from).next {
                self.skip(from, front);
            }
            self.pass_front(from);
        }
    }
}
