//! The pieces that are held back, and the bytes that are waited for. A connection has this only while it needs it.

use std::collections::VecDeque;

use super::limits::NEVER;
use super::pair::Pair;
use super::receiver::{Closing, Oddity};
use crate::segment::Signs;
use crate::time::Timestamp;

/// The content at a position of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// Payload, possibly none.
    Data,
    /// The stream's end.
    End(Closing),
}

/// A piece of a stream that waits for its turn.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Its first position.
    pub(super) start: u64,
    /// Bytes that it covers, 0 for the stream's end.
    pub(super) len: u64,
    /// The bytes covered; none if only their number counts.
    pub(super) bytes: Box<[u8]>,
    /// Bytes behind it that its packet carried and the capture cut off.
    pub(super) cut: u32,
    /// Data or end.
    pub(super) kind: PieceKind,
    /// The other stream comes first up to here; 0 if it need not.
    pub(super) after: u64,
    /// Its packet's time.
    pub(super) at: Timestamp,
}

impl Piece {
    /// The first position after it.
    pub(super) const fn end(&self) -> u64 {
        self.start + self.len
    }

    /// `other`, which follows at once, becomes part of it. Only of pieces whose bytes do not matter.
    fn absorb(&mut self, other: &Self) -> bool {
        let plain = self.kind == PieceKind::Data
            && other.kind == PieceKind::Data
            && self.bytes.is_empty()
            && other.bytes.is_empty();
        let joins = plain && self.len > 0 && other.len > 0 && self.end() == other.start && self.cut == 0;
        if joins {
            self.len += other.len;
            self.cut = other.cut;
        }
        joins
    }
}

/// Bytes that the other end has, or that cannot come any more: waited for shortly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overdue {
    /// They end here.
    pub(super) until: u64,
    /// Given up at this time …
    pub(super) deadline: Timestamp,
    /// … or after this many more segments.
    pub(super) segments: u16,
}

/// A hole that may still be filled by a retransmission.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hole {
    /// It begins here.
    pub(super) start: u64,
    /// Given up at this time.
    pub(super) deadline: Timestamp,
}

/// Segments outside of the window, each following the last: a stream that continues at an unexpected position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stray {
    /// Sequence number of the last one.
    pub(super) seq: u32,
    /// The sequence number after it.
    pub(super) end: u32,
    /// The number.
    pub(super) run: u8,
}

/// Payload of a doubtful segment.
#[derive(Clone, Debug)]
pub(super) struct Doubted {
    /// Position of its first byte.
    pub(super) start: u64,
    /// Its bytes.
    pub(super) bytes: Box<[u8]>,
    /// Its segment's time.
    pub(super) at: Timestamp,
    /// Its segment's signs.
    pub(super) signs: Signs,
    /// The one by which it is doubtful.
    pub(super) oddity: Oddity,
}

impl Doubted {
    /// Position behind its last byte.
    pub(super) const fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// The bytes from `start` to `stop`, which lie within it.
    pub(super) fn slice(&self, start: u64, stop: u64) -> &[u8] {
        let index =
            |position: u64| usize::try_from(position.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.bytes.get(index(start)..index(stop)).unwrap_or_default()
    }
}

/// An RST whose sequence number is not the next one: forged, or sent behind bytes that were not captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotedReset {
    /// Its position.
    pub(super) position: u64,
    /// Its time.
    pub(super) at: Timestamp,
    /// The position of the other direction.
    pub(super) other_next: u64,
    /// Believed at this time, if nothing contradicts it.
    pub(super) deadline: Timestamp,
}

/// The pieces of one direction that are held back. They are in order, none covers a byte of another, and none begins before the
/// stream's `next`.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    /// The pieces.
    pub(super) pieces: VecDeque<Piece>,
    /// Payload bytes in them.
    bytes: usize,
    /// The highest position that the other end acknowledged, where that was ahead of the bytes seen.
    pub(super) acked: u64,
    /// Bytes from the stream's `next` on that the capture cut off.
    pub(super) cut: u64,
    /// The hole that is waited for briefly.
    pub(super) overdue: Option<Overdue>,
    /// The hole that is waited for longer.
    pub(super) hole: Option<Hole>,
    /// Segments not believed.
    pub(super) stray: Option<Stray>,
    /// Payload of doubtful segments.
    pub(super) doubted: Vec<Doubted>,
    /// The stream's end, while it is not delivered: its time and kind.
    pub(super) ended: Option<(Timestamp, Closing)>,
    /// An RST not believed yet.
    pub(super) reset: Option<NotedReset>,
}

impl Pending {
    /// Nothing is held or waited for, if the stream is `settled` up to there.
    pub(super) fn is_idle(&self, settled: u64) -> bool {
        self.pieces.is_empty()
            && self.acked <= settled
            && self.cut == 0
            && self.stray.is_none()
            && self.reset.is_none()
            && self.ended.is_none()
            && self.doubted.is_empty()
    }

    /// Nothing was ever held or waited for.
    pub(super) fn is_untouched(&self) -> bool {
        self.pieces.is_empty()
            && self.acked == 0
            && self.overdue.is_none()
            && self.hole.is_none()
            && self.reset.is_none()
    }

    /// Payload bytes held.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The index of the first piece that ends behind `position`.
    pub(super) fn index_behind(&self, position: u64) -> usize {
        self.pieces.partition_point(|piece| piece.end() <= position)
    }

    /// The position of the first piece.
    pub(super) fn front_start(&self) -> Option<u64> {
        self.pieces.front().map(|piece| piece.start)
    }

    /// Adds a piece at its place, and joins it with its neighbours where no bytes are kept.
    pub(super) fn insert(&mut self, piece: Piece) {
        self.bytes += piece.bytes.len();
        let index = self.index_behind(piece.start);
        if let Some(before) = index.checked_sub(1).and_then(|before| self.pieces.get_mut(before))
            && before.absorb(&piece)
        {
            let mut joined = before.clone();
            if self.pieces.get(index).is_some_and(|after| joined.absorb(after)) {
                self.pieces.remove(index);
                if let Some(before) = self.pieces.get_mut(index - 1) {
                    *before = joined;
                }
            }
            return;
        }
        self.pieces.insert(index, piece);
    }

    /// Takes the first piece.
    pub(super) fn pop(&mut self) -> Option<Piece> {
        let piece = self.pieces.pop_front()?;
        self.bytes -= piece.bytes.len();
        Some(piece)
    }

    /// Drops all pieces.
    pub(super) fn drop_pieces(&mut self) {
        self.pieces = VecDeque::new();
        self.bytes = 0;
    }

    /// Drops what begins before `position`.
    pub(super) fn drop_before(&mut self, position: u64) {
        while self.front_start().is_some_and(|start| start < position) {
            self.pop();
        }
    }

    /// When to give up what is waited for first, if time gives it up.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let overdue = self.overdue.map(|it| it.deadline);
        let hole = self.hole.map(|it| it.deadline);
        let reset = self.reset.map(|it| it.deadline);
        overdue.into_iter().chain(hole).chain(reset).filter(|it| *it < NEVER).min()
    }

    /// The end of the bytes seen, if it is held.
    pub(super) fn end(&self) -> u64 {
        self.pieces.back().map_or(0, |piece| piece.end() + u64::from(piece.cut))
    }

    /// The index of the piece with RST.
    pub(super) fn reset_at(&self) -> Option<u64> {
        self.pieces
            .iter()
            .rev()
            .find(|piece| piece.kind == PieceKind::End(Closing::Rst))
            .map(|piece| piece.start)
    }
}

/// The pieces of both directions that are held back.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    /// By direction.
    pub(super) pending: Pair<Pending>,
    /// Sequence number of a SYN that does not belong to this connection: if it is answered, another one begins.
    pub(super) reopening: Option<u32>,
}
