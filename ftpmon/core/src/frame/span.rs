//! The part of a frame that is still to be read.

use super::counters::Reason;

/// The rest of a frame from the current header on: the captured bytes, and the number of those that were on the wire but
/// not captured. Reading advances the start and never passes the captured bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    /// The captured bytes.
    pub(super) bytes: &'a [u8],
    /// Bytes behind them that were on the wire but not captured (snap length).
    pub(super) missing: usize,
}

impl<'a> Span<'a> {
    /// Reads a header of fixed size.
    #[inline]
    pub(super) fn header<const N: usize>(&mut self) -> Result<&'a [u8; N], Reason> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(Reason::TruncatedHeader)?;
        self.bytes = rest;
        Ok(head)
    }

    /// Skips `len` bytes.
    #[inline]
    pub(super) fn skip(&mut self, len: usize) -> Result<(), Reason> {
        self.bytes = self.bytes.get(len..).ok_or(Reason::TruncatedHeader)?;
        Ok(())
    }

    /// Sets the length on the wire to `len`, whatever follows in the frame (padding, trailers), and even where the frame
    /// claims to be shorter.
    #[inline]
    pub(super) fn limit(&mut self, len: usize) {
        self.bytes = self.bytes.get(..len).unwrap_or(self.bytes);
        self.missing = len - self.bytes.len();
    }

    /// Its length on the wire.
    #[inline]
    pub(super) const fn wire_len(&self) -> usize {
        self.bytes.len() + self.missing
    }
}
