//! The state of one direction of a connection while nothing of it is held back.

use super::recent::Recent;
use super::sequence;
use crate::account::DirectionAccount;
use crate::segment::InterfaceId;

/// Facts of a direction, a bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks(u32);

impl Marks {
    /// Its position is known.
    pub(super) const STARTED: u32 = 1;
    /// Its SYN was seen: the start is exact.
    pub(super) const SYN: u32 = 1 << 1;
    /// Its start is final: no SYN is awaited that could change it.
    pub(super) const ANCHORED: u32 = 1 << 2;
    /// It sent a segment other than SYN.
    pub(super) const TALKED: u32 = 1 << 3;
    /// A segment of it carried payload.
    pub(super) const SHOWN: u32 = 1 << 4;
    /// It never showed payload, and waiting for bytes of it that the other end acknowledged was in vain once: it is not
    /// waited for again.
    pub(super) const WAIVED: u32 = 1 << 5;
    /// The other end acknowledged one byte more than was seen, and nothing came behind it: a lost FIN more likely than a
    /// lost byte. Reported as a gap only if more comes.
    pub(super) const FIN_LIKELY: u32 = 1 << 6;
    /// Its start is that of a segment without payload, which a keep-alive sets one too low.
    pub(super) const START_BARE: u32 = 1 << 7;
    /// `next` passed a gap last.
    pub(super) const GAP_LAST: u32 = 1 << 8;
    /// A FIN was seen, in order or not.
    pub(super) const FIN_SEEN: u32 = 1 << 9;
    /// An RST was seen, in order or not.
    pub(super) const RST_SEEN: u32 = 1 << 10;
    /// Its end was reached. Bytes behind it are held, and delivered if the other end acknowledges them.
    pub(super) const CLOSED: u32 = 1 << 11;
    /// It sent RST, at the end or after it.
    pub(super) const RESET: u32 = 1 << 12;
    /// Its end was delivered to the receiver.
    pub(super) const END_REPORTED: u32 = 1 << 13;
    /// A FIN ended it, not an RST.
    pub(super) const FIN_PASSED: u32 = 1 << 15;
    /// Its usual signs are known.
    pub(super) const SIGNS: u32 = 1 << 16;
    /// Its segments have MD5 signatures.
    pub(super) const MD5: u32 = 1 << 17;
    /// A segment of it had the right checksums.
    pub(super) const CHECKSUMS: u32 = 1 << 19;
    /// Its segments have timestamps.
    pub(super) const TIMESTAMP: u32 = 1 << 18;
    /// The connection was finished: nothing of it is delivered any more.
    pub(super) const FINISHED: u32 = 1 << 14;

    /// All of `bits` hold.
    pub(super) const fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }

    /// One of `bits` holds.
    pub(super) const fn any(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// From now on `bits` hold.
    pub(super) const fn set(&mut self, bits: u32) {
        self.0 |= bits;
    }

    /// From now on none of `bits` holds.
    pub(super) const fn clear(&mut self, bits: u32) {
        self.0 &= !bits;
    }
}

/// One direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// Position of the first payload byte.
    pub(super) start: u64,
    /// Position of the next byte to deliver: everything before it was delivered or reported as a gap.
    pub(super) next: u64,
    /// Bytes that no packet carried, as far as they were reported.
    pub(super) gap_bytes: u64,
    /// Payload bytes seen again.
    pub(super) retransmitted: u64,
    /// Packets.
    pub(super) packets: u64,
    /// Position of the highest byte that the other end acknowledged, plus 1; 0 while it acknowledged nothing.
    pub(super) acked: u64,
    /// The bytes before `next`, where copies are compared.
    pub(super) recent: Recent,
    /// The number of bytes before `next` that were given up in one stretch ([`Marks::GAP_LAST`]).
    pub(super) gap_len: u32,
    /// The last timestamp in order.
    pub(super) timestamp: u32,
    /// The usual hop limit, 0 while it is not known.
    pub(super) hop_limit: u8,
    /// The position of the other direction, as a sequence number, when this one was reset.
    pub(super) other_at_reset: u32,
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

    /// Neither bytes nor a gap were reported yet.
    pub(super) const fn is_untouched(&self) -> bool {
        self.next == self.start
    }

    /// Its start may still change: its SYN, not seen yet, is waited for.
    pub(super) const fn awaits_syn(&self) -> bool {
        self.marks.has(Marks::STARTED) && !self.marks.has(Marks::ANCHORED)
    }

    /// The highest acknowledgment that holds nothing back: all bytes before it were delivered or reported as a gap.
    pub(super) const fn settled(&self) -> u64 {
        if self.marks.has(Marks::CLOSED) {
            u64::MAX
        } else if self.awaits_syn() {
            self.next.saturating_sub(1)
        } else {
            self.next + self.marks.has(Marks::FIN_LIKELY) as u64
        }
    }

    /// Notes an acknowledgment of bytes that were delivered.
    #[inline]
    pub(super) fn note_ack(&mut self, ack: u32) {
        let behind = (self.next as u32).wrapping_sub(ack);
        self.acked = self.acked.max(self.next.saturating_sub(u64::from(behind)));
    }

    /// Moves `next` past bytes that were seen; `bytes` are theirs, empty where only their number counts.
    pub(super) fn pass(&mut self, len: u64, bytes: &[u8]) {
        self.next += len;
        self.marks.set(Marks::SHOWN | Marks::ANCHORED);
        self.marks.clear(Marks::FIN_LIKELY | Marks::START_BARE | Marks::GAP_LAST);
        if bytes.len() as u64 == len {
            self.recent.push(bytes);
        } else {
            self.recent.clear();
        }
    }

    /// Moves `next` past bytes that are given up.
    pub(super) fn pass_gap(&mut self, len: u64) {
        let before = if self.marks.has(Marks::GAP_LAST) { self.gap_len } else { 0 };
        self.recent.clear();
        self.gap_len = before.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
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
        self.gap_len = 0;
        self.acked = self.acked.min(self.next);
        self.recent.clear();
        self.marks.clear(Marks::FIN_LIKELY | Marks::GAP_LAST);
    }

    /// Its end, one byte behind a FIN: what the other end acknowledges once it has all.
    pub(super) const fn closed_at(&self) -> u64 {
        self.next + self.marks.has(Marks::FIN_PASSED) as u64
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
