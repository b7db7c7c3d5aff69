//! The content of a file: bytes, or a pattern of any length that needs no room.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock};

/// The pattern repeats after this many bytes: prime, so that no power of two (a page, a segment, 2³²) hides a shift.
const PERIOD: usize = 65_521;
/// The pattern is written in pieces of this many bytes at most.
const CHUNK: usize = 8 * PERIOD;

/// The pattern, a period more than a chunk of it, so that a chunk may begin anywhere.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_u32;
    let period: Vec<u8> = (0..PERIOD)
        .map(|_| {
            // Marsaglia's xorshift: any bytes will do as long as they do not repeat early.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        })
        .collect();
    period.iter().copied().cycle().take(CHUNK + PERIOD).collect()
});

/// The bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// This many bytes of the pattern.
    Pattern(u64),
}

impl Content {
    /// The bytes of a text.
    pub fn text(text: &str) -> Self {
        Self::Bytes(Arc::from(text.as_bytes()))
    }

    /// The number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pattern(len) => *len,
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the bytes from `offset` on. Returns how many were written; `go_on` is asked between pieces.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_from(
        &self,
        offset: u64,
        out: &mut impl Write,
        mut go_on: impl FnMut() -> bool,
    ) -> io::Result<u64> {
        let mut at = offset;
        while at < self.len() && go_on() {
            let piece = self.piece(at);
            if piece.is_empty() {
                break;
            }
            out.write_all(piece)?;
            at += piece.len() as u64;
        }
        Ok(at.saturating_sub(offset))
    }

    /// Says whether `bytes` are those that stand at `offset`.
    pub fn matches(&self, offset: u64, bytes: &[u8]) -> bool {
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let piece = self.piece(at);
            let n = piece.len().min(rest.len());
            let (Some(expected), Some((found, later))) = (piece.get(..n), rest.split_at_checked(n)) else {
                return false;
            };
            if n == 0 || expected != found {
                return false;
            }
            (at, rest) = (at + n as u64, later);
        }
        true
    }

    /// Some bytes from `offset` on; empty at the end.
    fn piece(&self, offset: u64) -> &[u8] {
        let (all, start, left): (&[u8], u64, u64) = match self {
            Self::Bytes(bytes) => (bytes, offset, u64::MAX),
            Self::Pattern(len) => (&PATTERN, offset % PERIOD as u64, len.saturating_sub(offset)),
        };
        let Some(from) = usize::try_from(start).ok().and_then(|start| all.get(start..)) else {
            return &[];
        };
        let n = from.len().min(CHUNK).min(usize::try_from(left).unwrap_or(usize::MAX));
        from.get(..n).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_has_its_length_and_no_phase_error() {
        for len in [0, 1, PERIOD as u64, CHUNK as u64 + 1, 3_000_000] {
            let content = Content::Pattern(len);
            let mut bytes = Vec::new();
            assert_eq!(content.write_from(0, &mut bytes, || true).unwrap(), len);
            assert_eq!(bytes.len() as u64, len);
            assert!(content.matches(0, &bytes));
            assert!(bytes.iter().enumerate().all(|(i, byte)| *byte == PATTERN[i % PERIOD]));
        }
    }

    #[test]
    fn a_shifted_or_longer_pattern_does_not_match() {
        let content = Content::Pattern(1000);
        let mut bytes = Vec::new();
        content.write_from(10, &mut bytes, || true).unwrap();
        assert_eq!(bytes.len(), 990);
        assert!(content.matches(10, &bytes));
        assert!(!content.matches(11, &bytes));
        bytes.push(0);
        assert!(!content.matches(10, &bytes));
    }

    #[test]
    fn bytes_are_served_from_an_offset() {
        let content = Content::text("hello");
        let mut bytes = Vec::new();
        assert_eq!(content.write_from(2, &mut bytes, || true).unwrap(), 3);
        assert_eq!(bytes, b"llo");
        assert_eq!(content.write_from(9, &mut bytes, || true).unwrap(), 0);
    }
}
