//! The bytes of a frame that are still to be read.

use super::counters::Reason;

/// What is left of a frame from the current header on: the bytes that were captured, and how many more there were on
/// the wire. Reading takes from the front; it never goes past what was captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    /// The captured bytes.
    pub(super) bytes: &'a [u8],
    /// Bytes behind them that were on the wire but not captured (snap length).
    pub(super) missing: usize,
}

impl<'a> Span<'a> {
    /// Takes a header of fixed size.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Reason> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(Reason::TruncatedHeader)?;
        self.bytes = rest;
        Ok(head)
    }

    /// Leaves out `len` bytes.
    #[inline]
    pub(super) fn skip(&mut self, len: usize) -> Result<(), Reason> {
        self.bytes = self.bytes.get(len..).ok_or(Reason::TruncatedHeader)?;
        Ok(())
    }

    /// What follows is `len` bytes long on the wire, whatever comes after them in the frame (padding, trailers), and
    /// even where the frame says that it was shorter.
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
