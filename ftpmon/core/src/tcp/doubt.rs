//! Segments that their receiver drops, or that another host forged. What they carry is held until the other end acknowledges it:
//! bytes of a segment without doubt come first.

use super::assembly::Assembly;
use super::backlog::Doubted;
use super::intake::Span;
use super::limits::Checksums;
use super::receiver::{Conflict, Oddity, Receiver};
use super::sequence;
use super::stream::{Marks, Stream};
use crate::account::Side;
use crate::checksum::ChecksumState;
use crate::segment::{Segment, Signs};

/// A hop limit this far from the connection's usual one is doubtful. Routes change by a few hops.
const HOPS_MAX: u8 = 8;
/// Doubted segments held in a direction. Stops forged ones from taking memory; the oldest is dropped.
pub(super) const DOUBTED_MAX: usize = 16;
/// Bytes of a doubted segment that are held.
pub(super) const DOUBTED_BYTES_MAX: usize = 2048;

impl Stream {
    /// The sign by which a segment of this direction differs from the others. Learns from segments that are in order.
    #[inline]
    pub(super) fn oddity(&mut self, segment: &Segment<'_>, checksums: Checksums) -> Option<Oddity> {
        let Signs { hop_limit, md5, timestamp, .. } = segment.signs;
        if md5 != self.marks.has(Marks::MD5) {
            return Some(Oddity::Signature);
        }
        if !self.is_usual_hop_limit(hop_limit) {
            return Some(Oddity::HopLimit);
        }
        if checksums != Checksums::Ignore && !self.has_usual_checksum(segment, checksums) {
            return Some(Oddity::Checksum);
        }
        let timestamp = timestamp.filter(|_| self.marks.has(Marks::TIMESTAMP))?;
        // PAWS (RFC 7323 section 5.3).
        let is_new = timestamp.wrapping_sub(self.timestamp).cast_signed() >= 0;
        if is_new && segment.seq == self.next as u32 {
            self.timestamp = timestamp;
        }
        (!is_new).then_some(Oddity::OldTimestamp)
    }

    /// Whether a segment has the right checksums, or its direction has none.
    fn has_usual_checksum(&mut self, segment: &Segment<'_>, checksums: Checksums) -> bool {
        match segment.checksums() {
            ChecksumState::Good => {
                self.marks.set(Marks::CHECKSUMS);
                true
            }
            ChecksumState::Bad => checksums == Checksums::Auto && !self.marks.has(Marks::CHECKSUMS),
            ChecksumState::Unknown => true,
        }
    }

    const fn is_usual_hop_limit(&self, hop_limit: u8) -> bool {
        hop_limit.abs_diff(self.hop_limit) <= HOPS_MAX || hop_limit == 0 || self.hop_limit == 0
    }

    /// Takes the signs of the first segment of this direction, and of each SYN, for the usual ones.
    pub(super) fn learn_signs(&mut self, signs: Signs) {
        self.hop_limit = signs.hop_limit;
        if signs.md5 {
            self.marks.set(Marks::MD5);
        }
        if let Some(timestamp) = signs.timestamp {
            self.timestamp = timestamp;
            self.marks.set(Marks::TIMESTAMP);
        }
    }
}

impl<R: Receiver> Assembly<'_, R> {
    /// The sign by which the receiver of a segment drops it, or by which it is likely to be forged.
    pub(super) fn doubt_of(&mut self, from: Side, segment: &Segment<'_>) -> Option<Oddity> {
        let checksums = self.limits.checksums_for(self.keep);
        let stream = self.streams.side_mut(from);
        if segment.flags.syn() || !stream.marks.has(Marks::TALKED | Marks::SIGNS) {
            if segment.flags.syn() || !stream.marks.has(Marks::SIGNS) {
                stream.marks.set(Marks::SIGNS);
                stream.learn_signs(segment.signs);
            }
            if checksums != Checksums::Ignore && !stream.has_usual_checksum(segment, checksums) {
                return Some(Oddity::Checksum);
            }
            return None;
        }
        // RFC 9293 section 3.10.7.4: without ACK it is dropped.
        if !segment.flags.ack() && !segment.flags.rst() {
            return Some(Oddity::NoAck);
        }
        let mut usual = *segment;
        if segment.flags.rst() {
            // An RST carries no timestamp that counts (RFC 7323 section 5.3).
            usual.signs.timestamp = None;
            usual.signs.md5 = stream.marks.has(Marks::MD5);
        }
        stream.oddity(&usual, checksums)
    }

    /// Whether a segment is of those that PAWS is there for (RFC 7323 section 5): one that the network delayed or doubled, with
    /// nothing in it that was not seen.
    pub(super) fn is_late_copy(&self, from: Side, segment: &Segment<'_>, oddity: Oddity) -> bool {
        let next = self.streams.side(from).next;
        let end = sequence::position(segment.seq, next)
            + u64::from(segment.wire_payload_len)
            + u64::from(segment.flags.fin());
        oddity == Oddity::OldTimestamp && end <= next
    }

    /// Tells of an urgent byte that is text and that a receiver may read otherwise. The bytes of Telnet's Synch (RFC 854), and the
    /// end of the line behind it, are none.
    pub(super) fn tell_urgent(&mut self, from: Side, segment: &Segment<'_>) {
        let index = usize::from(segment.signs.urgent).checked_sub(1);
        let byte = index.and_then(|index| segment.payload.get(index));
        if byte.is_some_and(|byte| byte.is_ascii_graphic() || *byte == b' ') {
            self.receiver.doubtful(self.now, from, Oddity::Urgent);
        }
    }

    /// Holds the payload of a doubtful segment, after comparing it with what was seen.
    pub(super) fn doubt(&mut self, from: Side, segment: &Segment<'_>, oddity: Oddity) {
        let stream = self.streams.side(from);
        let start = sequence::position(segment.seq, stream.next);
        let end = start + segment.payload.len() as u64;
        let window = u64::from(self.limits.window);
        if segment.payload.is_empty() || start > stream.next + window || end + window < stream.next {
            return;
        }
        if start < stream.next {
            let seen = Span { start, end, bytes: segment.payload, after: 0, same_place: false };
            self.compare_recent(from, &seen);
        }
        if end <= self.streams.side(from).next {
            return;
        }
        let pending = self.backlog.pending.side_mut(from);
        if pending.doubted.len() >= DOUBTED_MAX {
            pending.doubted.remove(0);
        }
        let bytes = segment.payload.get(..DOUBTED_BYTES_MAX).unwrap_or(segment.payload);
        let (at, signs) = (self.now, segment.signs);
        pending.doubted.push(Doubted { start, bytes: bytes.into(), at, signs, oddity });
    }

    /// Bytes of a segment without doubt take the place of doubted ones. Where they differ, that is a conflict.
    pub(super) fn replace_doubted(&mut self, from: Side, span: &Span<'_>) {
        let mut doubted = core::mem::take(&mut self.backlog.pending.side_mut(from).doubted);
        doubted.retain(|other| {
            let (start, end) = (span.start.max(other.start), span.end.min(other.end()));
            if start >= end {
                return true;
            }
            let own = span.slice_of(start, end);
            let others = other.slice(start, end);
            if !own.is_empty() && own.len() == others.len() && own != others {
                let line = (start == self.streams.side(from).next)
                    .then(|| self.streams.side(from).recent.last_line())
                    .flatten();
                let conflict =
                    Conflict { bytes: end - start, line: line.as_deref(), first: own, second: others };
                self.receiver.conflict(self.now, from, &conflict);
            }
            false
        });
        self.backlog.pending.side_mut(from).doubted = doubted;
    }

    /// The other end acknowledges bytes up to `acked`: doubted ones that nothing took the place of were the right ones.
    pub(super) fn trust_acknowledged(&mut self, from: Side, acked: u64) {
        while let Some(index) =
            self.backlog.pending.side(from).doubted.iter().position(|doubted| doubted.end() <= acked)
        {
            let doubted = self.backlog.pending.side_mut(from).doubted.remove(index);
            self.streams.side_mut(from).learn_signs(doubted.signs);
            let (start, end) = (doubted.start, doubted.end());
            let now = core::mem::replace(&mut self.now, doubted.at);
            self.accept_payload(from, Span { start, end, bytes: &doubted.bytes, after: 0, same_place: true });
            self.now = now;
        }
    }
}
