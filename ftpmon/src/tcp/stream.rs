//! What is known of one direction of a connection while nothing of it is held back.

use super::sequence;
use crate::account::DirectionAccount;

/// Facts of a direction, a bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks(u16);

impl Marks {
    /// Its position is known.
    pub(super) const STARTED: u16 = 1;
    /// Its SYN was seen: the position is exact.
    pub(super) const SYN: u16 = 1 << 1;
    /// A FIN was seen, in order or not.
    pub(super) const FIN_SEEN: u16 = 1 << 2;
    /// A believable RST was seen, in order or not.
    pub(super) const RST_SEEN: u16 = 1 << 3;
    /// The end was told: whatever comes after it is not of the stream.
    pub(super) const CLOSED: u16 = 1 << 4;
    /// What was told was RST.
    pub(super) const RESET: u16 = 1 << 5;

    /// All of `bits` hold.
    pub(super) const fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }

    /// From now on `bits` hold.
    pub(super) const fn set(&mut self, bits: u16) {
        self.0 |= bits;
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
    /// Facts.
    pub(super) marks: Marks,
}

impl Stream {
    /// The stream's first byte has this number.
    pub(super) fn start_at(&mut self, seq: u32) {
        self.start = sequence::first(seq);
        self.next = self.start;
        self.marks.set(Marks::STARTED);
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
