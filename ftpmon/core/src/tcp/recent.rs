//! The bytes delivered last, kept to compare copies with them.

use std::collections::VecDeque;

/// Bytes kept a direction. Bounds the memory of an idle connection; a copy of older bytes is one that its receiver has
/// acknowledged long ago and drops.
pub(super) const RECENT_BYTES: usize = 2048;
/// First allocation: enough for what most clients send in a session.
const FIRST_BYTES: usize = 128;

/// The last bytes of a direction, ending at its `next`.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    bytes: VecDeque<u8>,
    /// Bytes before these are not kept: the first line may have begun in them.
    cut: bool,
}

/// A difference between two copies of the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Bytes compared.
    pub(super) bytes: u64,
    /// The number of bytes of the copy that lie before those that are kept.
    pub(super) skipped: usize,
    /// The line up to the first of them; none if its beginning is not kept.
    pub(super) line: Option<Vec<u8>>,
    /// The bytes seen first.
    pub(super) first: Vec<u8>,
}

impl Recent {
    /// The number of bytes that are kept.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds bytes that were delivered.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(bytes.len().saturating_sub(RECENT_BYTES)..).unwrap_or_default();
        let over = (self.bytes.len() + bytes.len()).saturating_sub(RECENT_BYTES);
        if over > 0 {
            self.bytes.drain(..over.min(self.bytes.len()));
            self.cut = true;
        } else if self.bytes.capacity() == 0 {
            self.bytes.reserve(FIRST_BYTES);
        }
        self.bytes.extend(bytes);
    }

    /// Forgets all bytes: what follows does not join them.
    pub(super) fn clear(&mut self) {
        self.bytes = VecDeque::new();
        self.cut = true;
    }

    /// Compares `copy`, which begins `behind` bytes before the end, with the bytes kept. `None` where it is the same, or none
    /// of it is kept.
    pub(super) fn difference(&self, behind: u64, copy: &[u8]) -> Option<Difference> {
        let len = self.bytes.len();
        let behind = usize::try_from(behind).unwrap_or(usize::MAX);
        let unknown = behind.saturating_sub(len);
        let copy = copy.get(unknown..)?;
        let start = len.checked_sub(behind - unknown)?;
        let count = copy.len().min(len - start);
        let kept = self.bytes.range(start..start + count);
        if count == 0 || kept.clone().eq(copy.iter().take(count)) {
            return None;
        }
        Some(Difference {
            bytes: count as u64,
            skipped: unknown,
            line: self.line_before(start),
            first: kept.copied().collect(),
        })
    }

    /// The line in which the byte at `index` stands, up to it.
    fn line_before(&self, index: usize) -> Option<Vec<u8>> {
        let start = match self.bytes.range(..index).rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if self.cut => return None,
            None => 0,
        };
        Some(self.bytes.range(start..index).copied().collect())
    }

    /// The last line, as far as it goes.
    pub(super) fn last_line(&self) -> Option<Vec<u8>> {
        self.line_before(self.bytes.len())
    }

    /// Whether `copy`, which begins `behind` bytes before the end, is the same as the bytes kept: none if nothing of it is
    /// kept.
    pub(super) fn is_same(&self, behind: u64, copy: &[u8]) -> Option<bool> {
        let len = self.bytes.len() as u64;
        (len > 0 && !copy.is_empty() && behind <= len).then(|| self.difference(behind, copy).is_none())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_difference_has_its_line() {
        let mut recent = Recent::default();
        recent.push(b"TYPE I\r\nRETR secret\r\n");
        let found = recent.difference(8, b"public\r\n").unwrap();
        assert_eq!(
            (found.bytes, found.line.as_deref(), found.first.as_slice()),
            (8, Some(&b"RETR "[..]), &b"secret\r\n"[..])
        );
        assert_eq!(recent.difference(8, b"secret"), None);
    }

    proptest! {
        #[test]
        fn any_other_byte_is_found_within_the_kept_ones(
            stream in proptest::collection::vec(any::<u8>(), 1..6000),
            cuts in proptest::collection::vec(1_usize..700, 1..20),
            from: proptest::sample::Index,
            len in 1_usize..300,
            changed: proptest::sample::Index,
        ) {
            let mut recent = Recent::default();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                recent.push(piece);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert!(recent.bytes.len() == stream.len().min(RECENT_BYTES));
            let start = from.index(stream.len());
            let end = (start + len).min(stream.len());
            let mut copy = stream[start..end].to_vec();
            let behind = (stream.len() - start) as u64;
            prop_assert_eq!(recent.difference(behind, &copy), None);
            let at = changed.index(copy.len());
            copy[at] ^= 0x20;
            let kept = stream.len() - (start + at) <= RECENT_BYTES;
            prop_assert_eq!(recent.difference(behind, &copy).is_some(), kept);
        }
    }
}
