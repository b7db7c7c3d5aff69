//! The words of one end of a control connection while nothing shows that the other end exists.

use crate::account::Side;
use crate::event::GapCause;
use crate::ftp::Verb;
use crate::tcp::{Closing, Conflict, Receiver};
use crate::time::Timestamp;

/// Bytes of one connection that are held. The other end answers a line or two.
const HELD_MAX: usize = 16 * 1024;

/// Bytes or a gap of a direction.
#[derive(Debug)]
pub(crate) enum Said {
    /// Bytes that were seen.
    Data(Box<[u8]>),
    /// Bytes that are missing.
    Gap(u64, GapCause),
}

/// The words of one end. Anybody can have sent it: it is held until the other end is heard, or until later segments acknowledge more
/// of what the other end says.
#[derive(Debug, Default)]
pub(crate) struct Unproven {
    pieces: Vec<(Timestamp, Side, Said)>,
    held: usize,
}

impl Unproven {
    /// Memory of what is held, bytes.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// More is held than one connection may hold.
    pub(crate) fn is_full(&self) -> bool {
        self.held > HELD_MAX
    }

    /// Forgets what was said: a session that begins later is told that it is missing.
    pub(crate) fn forget(&mut self) {
        let Some(&(at, from, _)) = self.pieces.first() else { return };
        let lost = |said: &Said| match said {
            Said::Data(bytes) => bytes.len() as u64,
            Said::Gap(bytes, _) => *bytes,
        };
        let bytes = self.pieces.iter().map(|(_, _, said)| lost(said)).sum();
        *self = Self::default();
        self.push(at, from, Said::Gap(bytes, GapCause::Missing));
    }

    /// It begins as a command that is known, or as a reply does (RFC 959 section 4.2).
    pub(crate) fn speaks_ftp(&self) -> bool {
        let Some((_, _, Said::Data(bytes))) = self.pieces.first() else { return false };
        let end = bytes.iter().position(|byte| matches!(byte, b' ' | b'-' | b'\r' | b'\n'));
        let Some(word) = end.and_then(|end| bytes.get(..end)) else { return false };
        let is_code = word.len() == 3 && word.iter().all(u8::is_ascii_digit);
        is_code || Verb::from_name(word) != Verb::Other
    }

    /// The words in order, to be read by the session that it begins.
    pub(crate) fn into_pieces(self) -> Vec<(Timestamp, Side, Said)> {
        self.pieces
    }

    fn push(&mut self, at: Timestamp, from: Side, said: Said) {
        self.held += size_of::<(Timestamp, Side, Said)>();
        if let Said::Data(bytes) = &said {
            self.held += bytes.len();
        }
        self.pieces.push((at, from, said));
    }
}

impl Receiver for Unproven {
    fn data(&mut self, at: Timestamp, from: Side, bytes: &[u8]) {
        self.push(at, from, Said::Data(bytes.into()));
    }

    fn gap(&mut self, at: Timestamp, from: Side, bytes: u64, cause: GapCause) {
        self.push(at, from, Said::Gap(bytes, cause));
    }

    fn conflict(&mut self, _at: Timestamp, _from: Side, _conflict: &Conflict<'_>) {}

    fn end_revoked(&mut self, _at: Timestamp, _from: Side) {}

    fn closed(&mut self, _at: Timestamp, _from: Side, _how: Closing) {}
}
