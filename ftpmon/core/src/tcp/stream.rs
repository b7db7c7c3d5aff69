//! What is known of one direction of a connection while nothing of it is held back.

use super::digest::digest;
use super::sequence;
use crate::account::DirectionAccount;
use crate::segment::InterfaceId;

/// Facts of a direction, a bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks(u16);

impl Marks {
    /// Its position is known.
    pub(super) const STARTED: u16 = 1;
    /// Its SYN was seen: the start is exact.
    pub(super) const SYN: u16 = 1 << 1;
    /// Its start stands: no SYN is waited for that could tell another.
    pub(super) const ANCHORED: u16 = 1 << 2;
    /// It sent a segment other than SYN.
    pub(super) const TALKED: u16 = 1 << 3;
    /// A segment of it carried payload.
    pub(super) const SHOWN: u16 = 1 << 4;
    /// It never showed payload, and waiting for bytes of it that the other end acknowledged was in vain once: it is not
    /// waited for again.
    pub(super) const WAIVED: u16 = 1 << 5;
    /// The other end acknowledged one byte more than was seen, and nothing came behind it: a lost FIN more likely than a
    /// lost byte. Told as a gap only if more comes.
    pub(super) const FIN_LIKELY: u16 = 1 << 6;
    /// Its start was told by a segment of its own without payload, which a keep-alive sets one too low.
    pub(super) const START_BARE: u16 = 1 << 7;
    /// What `next` passed last was a gap.
    pub(super) const GAP_LAST: u16 = 1 << 8;
    /// A FIN was seen, in order or not.
    pub(super) const FIN_SEEN: u16 = 1 << 9;
    /// An RST was seen, in order or not.
    pub(super) const RST_SEEN: u16 = 1 << 10;
    /// The end was told: whatever comes after it is not of the stream.
    pub(super) const CLOSED: u16 = 1 << 11;
    /// It sent RST, at the end or after it.
    pub(super) const RESET: u16 = 1 << 12;

    /// All of `bits` hold.
    pub(super) const fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }

    /// One of `bits` holds.
    pub(super) const fn any(self, bits: u16) -> bool {
        self.0 & bits != 0
    }

    /// From now on `bits` hold.
    pub(super) const fn set(&mut self, bits: u16) {
        self.0 |= bits;
    }

    /// From now on none of `bits` holds.
    pub(super) const fn clear(&mut self, bits: u16) {
        self.0 &= !bits;
    }
}

/// One direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// Position of the first payload byte.
    pub(super) start: u64,
    /// Position of the next byte to hand on: everything before it was handed on or told as a gap.
    pub(super) next: u64,
    /// Bytes that no packet carried, as far as they were told.
    pub(super) gap_bytes: u64,
    /// Payload bytes seen again.
    pub(super) retransmitted: u64,
    /// Packets.
    pub(super) packets: u64,
    /// How many bytes before `next` were handed on in one piece, or given up in one stretch ([`Marks::GAP_LAST`]).
    pub(super) last_len: u32,
    /// Digest of that piece.
    last_digest: u32,
    /// The interface that showed the furthest bytes. What others show again is the same packet in passing, as the kernel
    /// programs see it too (`FlowHalf::owner_ifindex`).
    pub(super) shown_by: InterfaceId,
    /// Facts.
    pub(super) marks: Marks,
}

impl Stream {
    /// The stream's first byte has this number.
    pub(super) const fn start_at(&mut self, seq: u32) {
        self.start = sequence::first(seq);
        self.next = self.start;
        self.marks.set(Marks::STARTED);
    }

    /// The stream's first byte is at this position. Right only while the stream is untouched.
    pub(super) const fn restart_at(&mut self, start: u64) {
        self.start = start;
        self.next = start;
        self.marks.clear(Marks::START_BARE);
    }

    /// Neither bytes nor a gap were told yet.
    pub(super) const fn is_untouched(&self) -> bool {
        self.next == self.start
    }

    /// Its start may still change: its SYN, not seen yet, is waited for.
    pub(super) const fn awaits_syn(&self) -> bool {
        self.marks.has(Marks::STARTED) && !self.marks.has(Marks::ANCHORED)
    }

    /// The highest acknowledgment that holds nothing back: all bytes before it were handed on or told as a gap.
    pub(super) const fn settled(&self) -> u64 {
        if self.marks.has(Marks::CLOSED) {
            u64::MAX
        } else if self.awaits_syn() {
            self.next.saturating_sub(1)
        } else {
            self.next + self.marks.has(Marks::FIN_LIKELY) as u64
        }
    }

    /// `next` goes on over bytes that were seen; `bytes` are theirs, empty where only their number counts.
    pub(super) fn pass(&mut self, len: u64, bytes: &[u8]) {
        self.next += len;
        self.marks.set(Marks::SHOWN | Marks::ANCHORED);
        self.marks.clear(Marks::FIN_LIKELY | Marks::START_BARE | Marks::GAP_LAST);
        if bytes.is_empty() {
            self.last_len = 0;
        } else {
            self.last_len = u32::try_from(bytes.len()).unwrap_or(0);
            self.last_digest = digest(bytes);
        }
    }

    /// `next` goes on over bytes that are given up.
    pub(super) fn pass_gap(&mut self, len: u64) {
        let before = if self.marks.has(Marks::GAP_LAST) { self.last_len } else { 0 };
        self.last_len = before.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        self.next += len;
        self.marks.set(Marks::GAP_LAST | Marks::ANCHORED);
        self.marks.clear(Marks::FIN_LIKELY | Marks::START_BARE);
    }

    /// `next` goes back to `seq`, which lies behind it: what was passed since was not of the stream.
    pub(super) fn go_back(&mut self, seq: u32) {
        let to = sequence::position(seq, self.next);
        let over = self.next.saturating_sub(to);
        let bytes = self.next.saturating_sub(self.start).saturating_sub(over);
        self.gap_bytes = self.gap_bytes.saturating_sub(over);
        self.next = to.max(sequence::first(seq));
        self.start = self.next.saturating_sub(bytes);
        self.last_len = 0;
        self.marks.clear(Marks::FIN_LIKELY | Marks::GAP_LAST);
    }

    /// Whether `bytes` at `start` are a copy of the piece handed on last: none where they cannot be compared.
    pub(super) fn is_last_again(&self, start: u64, bytes: &[u8]) -> Option<bool> {
        let len = u64::from(self.last_len);
        if len == 0 || self.marks.has(Marks::GAP_LAST) || start + len != self.next {
            return None;
        }
        let copy = bytes.get(..usize::try_from(len).ok()?)?;
        Some(digest(copy) == self.last_digest)
    }

    /// Its account, if `end` is the end of the bytes known of.
    pub(super) fn account(&self, end: u64) -> DirectionAccount {
        DirectionAccount {
            bytes: end.max(self.next).saturating_sub(self.start),
            gap_bytes: self.gap_bytes,
            retransmitted_bytes: self.retransmitted,
            packets: self.packets,
            fin: self.marks.has(Marks::FIN_SEEN),
            rst: self.marks.has(Marks::RST_SEEN),
        }
    }
}
