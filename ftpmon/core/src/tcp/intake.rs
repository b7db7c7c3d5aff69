//! Intake of a segment: what it shows, and the position of its bytes.

use super::assembly::Assembly;
use super::backlog::{Piece, PieceKind};
use super::receiver::{Closing, Conflict, Keep, Receiver};
use super::sequence;
use super::stream::Marks;
use crate::account::Side;
use crate::segment::{InterfaceId, Segment};

/// Payload and the place where it belongs.
#[derive(Clone, Copy)]
pub(super) struct Span<'a> {
    /// Position of its first byte.
    pub(super) start: u64,
    /// Position behind its last byte on the wire.
    pub(super) end: u64,
    /// The bytes captured, at most `end - start`.
    pub(super) bytes: &'a [u8],
    /// The other stream comes first up to here; 0 if it need not.
    pub(super) after: u64,
    /// It was seen where the bytes before it were: what is seen again was sent again.
    pub(super) same_place: bool,
}

impl<R: Receiver> Assembly<'_, R> {
    /// Takes a segment that the end `from` sent.
    pub(super) fn accept(&mut self, from: Side, segment: &Segment<'_>) {
        let flags = segment.flags;
        if flags.syn() {
            // No end takes SYN with either (RFC 9293 section 3.10.7).
            if flags.rst() || flags.fin() || !self.accept_syn(from, segment) {
                return;
            }
        }
        let doubt = self.doubt_of(from, segment);
        if let Some(doubt) = doubt
            && !self.is_late_copy(from, segment, doubt)
        {
            self.receiver.doubtful(self.now, from, doubt);
        }
        if flags.rst() {
            return self.accept_rst(from, segment, doubt.is_some());
        }
        if let Some(doubt) = doubt {
            return self.doubt(from, segment, doubt);
        }
        let seq = if flags.syn() { segment.seq.wrapping_add(1) } else { segment.seq };
        let wire_len =
            segment.payload.len().max(usize::try_from(segment.wire_payload_len).unwrap_or(usize::MAX)) as u64;
        self.start(from, seq, segment, wire_len);
        if self.outlives_reset(from, segment) {
            self.revoke_end(from);
        }
        let closed = self.streams.side(from).marks.has(Marks::CLOSED);
        if !closed && !self.believes(from, seq, wire_len) {
            return;
        }
        let next = self.streams.side(from).next;
        self.weigh_noted_resets(from, segment, sequence::position(seq, next) + wire_len);
        if wire_len > 0 {
            self.backlog.reopening = None;
        }
        let after = if flags.ack() { self.accept_ack(from, segment) } else { 0 };
        self.drain();
        let stream = self.streams.side(from);
        let start = sequence::position(seq, stream.next);
        let end = start + wire_len;
        let within = start <= stream.next + u64::from(self.limits.window) && end >= stream.next;
        if stream.marks.has(Marks::CLOSED) && !within {
            return;
        }
        if wire_len > 0 && !self.backlog.pending.side(from).doubted.is_empty() {
            let span = Span { start, end, bytes: segment.payload, after, same_place: false };
            self.replace_doubted(from, &span);
        }
        if flags.urg() && wire_len > 0 {
            self.tell_urgent(from, segment);
        }
        if wire_len > 0 {
            let same_place = self.is_where_it_was(from, segment.interface, end);
            self.accept_payload(from, Span { start, end, bytes: segment.payload, after, same_place });
        }
        if flags.fin() {
            self.accept_fin(from, end, after);
        }
        self.reach_noted_reset(from);
    }

    /// Takes what a segment acknowledges. Up to where the other stream has to come first; 0 if no further than it is.
    pub(super) fn accept_ack(&mut self, from: Side, segment: &Segment<'_>) -> u64 {
        let other = from.other();
        if self.streams.side(other).marks.has(Marks::CLOSED) {
            self.acknowledge_closed(other, segment.ack);
        }
        let stream = self.streams.side_mut(other);
        if !stream.marks.has(Marks::STARTED) || stream.marks.has(Marks::CLOSED) {
            return 0;
        }
        let pending = self.backlog.pending.side_mut(other);
        let acked = sequence::position(segment.ack, stream.next);
        if acked <= stream.settled() {
            // The hole is known to the receiver: it waits, and so does the monitor.
            pending.hole = None;
            stream.acked = stream.acked.max(acked);
            return 0;
        }
        if stream.marks.has(Marks::SHOWN) && acked > stream.next + u64::from(self.limits.window) {
            return 0;
        }
        if stream.marks.has(Marks::START_BARE) && stream.is_untouched() && acked == stream.next + 1 {
            stream.restart_at(acked);
            return 0;
        }
        pending.acked = pending.acked.max(acked);
        stream.acked = stream.acked.max(acked);
        if !self.backlog.pending.side(other).doubted.is_empty() {
            self.trust_acknowledged(other, acked);
        }
        self.give_up_cut(other);
        if acked <= self.streams.side(other).settled() { 0 } else { acked }
    }

    /// Whether the sender's furthest bytes so far were seen at this interface too. It is where they are from now on if it
    /// shows something new, up to `end`.
    fn is_where_it_was(&mut self, from: Side, interface: InterfaceId, end: u64) -> bool {
        let held = self.backlog.pending.side(from).end();
        let stream = self.streams.side_mut(from);
        let same = stream.shown_by == interface;
        if end > stream.next.max(held) {
            stream.shown_by = interface;
        }
        same
    }

    /// Hands on the bytes that are due, holds those that are early, drops those seen before.
    pub(super) fn accept_payload(&mut self, from: Side, mut span: Span<'_>) {
        let next = self.streams.side(from).next;
        if span.start < next {
            self.accept_repeated(from, &span);
            if span.end <= next {
                return;
            }
            let seen = usize::try_from(next - span.start).unwrap_or(usize::MAX);
            span.bytes = span.bytes.get(seen..).unwrap_or_default();
            span.start = next;
        }
        let covered = match self.keep {
            Keep::Bytes => span.start + span.bytes.len() as u64,
            Keep::Ranges => span.end,
        };
        self.give_up_cut_before(from, span.start);
        self.place(from, &span, covered);
        if covered < span.end {
            self.note_cut(from, &span, covered);
        }
    }

    /// Takes a FIN at `position`. Behind an RST it is held: the other end's acknowledgment decides.
    fn accept_fin(&mut self, from: Side, position: u64, after: u64) {
        let stream = self.streams.side_mut(from);
        if !stream.marks.has(Marks::CLOSED) {
            stream.marks.set(Marks::FIN_SEEN);
            return self.accept_end(from, position, after, Closing::Fin);
        }
        let kind = PieceKind::End(Closing::Fin);
        let pending = self.backlog.pending.side(from);
        let contradicts = |piece: &Piece| piece.start < position;
        let held = pending.pieces.iter().any(|piece| piece.kind == kind)
            || pending.pieces.get(pending.index_behind(position)).is_some_and(contradicts);
        if !stream.marks.has(Marks::FIN_PASSED) && !held && self.has_room(from, 0) {
            let piece =
                Piece { start: position, len: 0, bytes: Box::default(), cut: 0, kind, after, at: self.now };
            self.backlog.pending.side_mut(from).insert(piece);
        }
    }

    /// Counts and checks the bytes of a segment that lie before the stream's `next`.
    fn accept_repeated(&mut self, from: Side, span: &Span<'_>) {
        let stream = self.streams.side_mut(from);
        let behind = stream.next - span.start;
        let is_same = stream.recent.is_same(behind, span.bytes);
        // A keep-alive may carry one byte of any value, when all is acknowledged (RFC 9293 section 3.8.4): usually NUL.
        let is_probe = span.end == stream.next && behind == 1;
        if is_probe && is_same != Some(true) && (stream.acked >= stream.next || span.bytes == [0]) {
            return;
        }
        if span.same_place {
            stream.retransmitted += span.end.min(stream.next) - span.start;
        }
        self.compare_recent(from, span);
    }

    /// Compares bytes that lie before the stream's `next` with those that were delivered.
    pub(super) fn compare_recent(&mut self, from: Side, span: &Span<'_>) {
        let stream = self.streams.side(from);
        let behind = stream.next.saturating_sub(span.start);
        let Some(difference) = stream.recent.difference(behind, span.bytes) else { return };
        let second = span.bytes.get(difference.skipped..).unwrap_or_default();
        let conflict = Conflict {
            bytes: difference.bytes,
            line: difference.line.as_deref(),
            first: &difference.first,
            second: second.get(..difference.first.len()).unwrap_or(second),
        };
        self.receiver.conflict(self.now, from, &conflict);
    }

    /// The stream continues at `start`: bytes before it that the capture cut off are not waited for.
    fn give_up_cut_before(&mut self, from: Side, start: u64) {
        let stream = self.streams.side(from);
        let pending = self.backlog.pending.side(from);
        if pending.cut > 0 && start > stream.next && pending.pieces.is_empty() {
            let to = start.min(stream.next + pending.cut);
            self.skip(from, to);
        }
    }

    /// Puts the bytes from `span.start` to `covered` where they belong.
    fn place(&mut self, from: Side, span: &Span<'_>, covered: u64) {
        let after = if self.keep == Keep::Bytes { span.after } else { 0 };
        let mut cursor = span.start;
        loop {
            let next = self.streams.side(from).next;
            if cursor < next {
                // Pieces that were held behind a hole, which this segment filled, were handed on meanwhile.
                let end = next.min(covered);
                self.compare_recent(
                    from,
                    &Span { start: cursor, end, bytes: span.slice(cursor, end, self.keep), ..*span },
                );
                cursor = next;
            }
            if cursor >= covered {
                return;
            }
            let stream = self.streams.side(from);
            let closed = stream.marks.has(Marks::CLOSED);
            let pending = self.backlog.pending.side(from);
            let index = pending.index_behind(cursor);
            let stop = match pending.pieces.get(index) {
                Some(piece) if piece.start <= cursor => {
                    let stop = piece.end().min(covered);
                    self.accept_overlap(from, span, index, cursor, stop);
                    cursor = stop;
                    continue;
                }
                Some(piece) => piece.start.min(covered),
                None => covered,
            };
            let bytes = span.slice(cursor, stop, self.keep);
            let is_due = index == 0 && cursor == stream.next && !closed && !stream.awaits_syn();
            if is_due && after <= self.streams.side(from.other()).settled() {
                self.pass(self.now, from, stop - cursor, bytes);
                self.drain();
            } else if self.has_room(from, bytes.len()) {
                let piece = Piece {
                    start: cursor,
                    len: stop - cursor,
                    bytes: bytes.into(),
                    cut: 0,
                    kind: PieceKind::Data,
                    after,
                    at: self.now,
                };
                self.backlog.pending.side_mut(from).insert(piece);
                self.drain();
            } else if closed {
                return;
            } else {
                self.relieve(from, cursor, after);
                continue;
            }
            cursor = stop;
        }
    }

    /// Bytes from `start` to `stop` are held already, in the piece at `index`: those stand.
    fn accept_overlap(&mut self, from: Side, span: &Span<'_>, index: usize, start: u64, stop: u64) {
        if span.same_place {
            self.streams.side_mut(from).retransmitted += stop - start;
        }
        let copy = span.slice(start, stop, self.keep);
        let next = self.streams.side(from).next;
        let Some(piece) = self.backlog.pending.side_mut(from).pieces.get_mut(index) else { return };
        let held = slice(&piece.bytes, piece.start, start, stop);
        let is_other = !held.is_empty() && !copy.is_empty() && held != copy;
        let first = if is_other { Box::from(held) } else { Box::default() };
        let before = slice(&piece.bytes, piece.start, piece.start, start);
        let line_start = before.iter().rposition(|byte| *byte == b'\n');
        let mut line = line_start.map(|end| before.get(end + 1..).unwrap_or_default().to_vec());
        if is_other && line.is_none() && piece.start == next {
            line = self.streams.side(from).recent.last_line();
            line.iter_mut().for_each(|line| line.extend_from_slice(before));
        }
        // The copy that came first may have been sent last: what the other knew of the other stream is what counts.
        if start == piece.start && stop == piece.end() {
            piece.after = piece.after.min(span.after);
        }
        if is_other {
            let conflict =
                Conflict { bytes: stop - start, line: line.as_deref(), first: &first, second: copy };
            self.receiver.conflict(self.now, from, &conflict);
        }
        self.drain();
    }

    /// Remembers that the capture cut off the bytes from `covered` on.
    fn note_cut(&mut self, from: Side, span: &Span<'_>, covered: u64) {
        let stream = self.streams.side(from);
        if stream.marks.has(Marks::CLOSED) {
            return;
        }
        let mut covered = covered.max(stream.next);
        let pending = self.backlog.pending.side_mut(from);
        let index = pending.index_behind(covered);
        for piece in pending.pieces.iter().skip(index).take_while(|piece| piece.kind == PieceKind::Data) {
            if piece.start > covered {
                break;
            }
            covered = piece.end();
        }
        if span.end <= covered {
            return;
        }
        if covered == stream.next && pending.pieces.front().is_none_or(|front| front.start > stream.next) {
            pending.cut = pending.cut.max(span.end - stream.next);
            self.drain();
            return;
        }
        let cut = u32::try_from(span.end - covered).unwrap_or(u32::MAX);
        let before = pending.index_behind(covered).checked_sub(1);
        let piece = before.and_then(|before| pending.pieces.get_mut(before));
        if let Some(piece) = piece.filter(|piece| piece.end() == covered && piece.kind == PieceKind::Data) {
            piece.cut = piece.cut.max(cut);
        } else if self.has_room(from, 0) {
            let piece = Piece {
                start: covered,
                len: 0,
                bytes: Box::default(),
                cut,
                kind: PieceKind::Data,
                after: span.after,
                at: self.now,
            };
            self.backlog.pending.side_mut(from).insert(piece);
            self.drain();
        }
    }

    /// Puts the stream's end where it belongs.
    pub(super) fn accept_end(&mut self, from: Side, position: u64, after: u64, how: Closing) {
        self.take_back_fin(from, position);
        loop {
            let stream = self.streams.side(from);
            if position < stream.next || stream.marks.has(Marks::CLOSED) {
                return;
            }
            let pending = self.backlog.pending.side(from);
            let index = pending.index_behind(position);
            // Bytes seen before show that the stream continues here.
            let contradicted = pending.pieces.get(index).is_some_and(|piece| piece.start < position);
            let mut before =
                pending.pieces.iter().take(index).rev().take_while(|piece| piece.start == position);
            if contradicted || before.any(|piece| piece.kind == PieceKind::End(how)) {
                return;
            }
            let is_due = position == stream.next
                && !stream.awaits_syn()
                && pending.front_start().is_none_or(|front| front >= position);
            if is_due && after <= self.streams.side(from.other()).settled() {
                self.close(self.now, from, how);
                return self.drain();
            }
            if self.has_room(from, 0) {
                let piece = Piece {
                    start: position,
                    len: 0,
                    bytes: Box::default(),
                    cut: 0,
                    kind: PieceKind::End(how),
                    after,
                    at: self.now,
                };
                self.backlog.pending.side_mut(from).insert(piece);
                return self.drain();
            }
            self.relieve(from, position, after);
        }
    }

    /// The position that was acknowledged and given up last may have been that of the FIN that comes now.
    fn take_back_fin(&mut self, from: Side, position: u64) {
        let stream = self.streams.side_mut(from);
        if stream.marks.has(Marks::GAP_LAST) && position + 1 == stream.next {
            stream.go_back(position as u32);
        }
    }

    /// The end of the bytes of a stream that are known to exist.
    pub(super) fn known_end(&self, from: Side) -> u64 {
        let next = self.streams.side(from).next;
        let pending = self.backlog.pending.side(from);
        // One byte more may be a FIN.
        let acked = if pending.acked > next + 1 { pending.acked } else { 0 };
        pending.end().max(acked).max(next + pending.cut)
    }

    /// Whether a piece of this many bytes may be held.
    fn has_room(&self, from: Side, bytes: usize) -> bool {
        let pending = self.backlog.pending.side(from);
        pending.pieces.len() < usize::from(self.limits.held_pieces)
            && (pending.bytes() + bytes) as u64 <= u64::from(self.limits.held_bytes)
    }
}

impl<'a> Span<'a> {
    /// The bytes from `start` to `stop`.
    pub(super) fn slice_of(&self, start: u64, stop: u64) -> &'a [u8] {
        slice(self.bytes, self.start, start, stop)
    }

    /// The bytes from `start` to `stop`, as far as they are to be kept.
    fn slice(&self, start: u64, stop: u64, keep: Keep) -> &'a [u8] {
        match keep {
            Keep::Bytes => slice(self.bytes, self.start, start, stop),
            Keep::Ranges => &[],
        }
    }
}

/// The bytes from `start` to `stop` of those that begin at `origin`.
fn slice(bytes: &[u8], origin: u64, start: u64, stop: u64) -> &[u8] {
    let index = |position: u64| {
        usize::try_from(position.saturating_sub(origin)).unwrap_or(usize::MAX).min(bytes.len())
    };
    bytes.get(index(start)..index(stop)).unwrap_or_default()
}
