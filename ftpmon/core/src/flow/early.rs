//! The first bytes of a connection that may turn out to be a data connection whose announcement is still to come: with
//! `--files` they are held, so that such a file is hashed from its first byte.
//!
//! Only connections between the two hosts of a session are held, and for no longer than an announcement may be behind.

use super::data::DataFlow;
use crate::account::Side;
use crate::event::GapCause;
use crate::output::OutputQueue;
use crate::tcp::{Closing, Conflict, Receiver};
use crate::time::Timestamp;

/// Bytes of one connection that are held. More than a fast sender moves while an announcement is a few milliseconds behind.
pub(crate) const EARLY_BYTES_MAX: usize = 4 << 20;
/// The cost of a piece beside its bytes: two ends that send single bytes by turns pay for what they make the engine hold.
const PIECE_COST: usize = 64;

/// The first bytes of a connection, both directions.
#[derive(Debug, Default)]
pub(crate) struct EarlyBytes {
    pieces: Vec<(Side, Vec<u8>)>,
    /// Bytes are missing of what the initiator sent, and of what the listener sent: what follows is not held.
    broken: (bool, bool),
    cost: usize,
}

impl EarlyBytes {
    /// Takes over what was held of a connection for another purpose.
    pub(crate) fn from_pieces(pieces: impl IntoIterator<Item = (Side, Vec<u8>)>) -> Self {
        let mut early = Self::default();
        for (from, bytes) in pieces {
            early.push(from, &bytes);
        }
        early
    }

    /// Memory that it takes, bytes.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// Hands all that is held to the reader of the data connection that this turned out to be.
    pub(crate) fn replay(self, data: &mut DataFlow, out: &mut OutputQueue) {
        for (from, bytes) in &self.pieces {
            data.read(*from, bytes, out);
        }
        if self.broken.0 {
            data.miss(Side::Initiator);
        }
        if self.broken.1 {
            data.miss(Side::Listener);
        }
    }

    fn broken(&mut self, from: Side) -> &mut bool {
        match from {
            Side::Initiator => &mut self.broken.0,
            Side::Listener => &mut self.broken.1,
        }
    }

    fn push(&mut self, from: Side, bytes: &[u8]) {
        match self.pieces.last_mut() {
            Some((side, held)) if *side == from => held.extend_from_slice(bytes),
            _ => {
                self.pieces.push((from, bytes.to_vec()));
                self.cost += PIECE_COST;
            }
        }
        self.cost += bytes.len();
    }
}

impl Receiver for EarlyBytes {
    fn data(&mut self, _at: Timestamp, from: Side, bytes: &[u8]) {
        if !*self.broken(from) {
            self.push(from, bytes);
        }
    }

    fn gap(&mut self, _at: Timestamp, from: Side, _bytes: u64, _cause: GapCause) {
        *self.broken(from) = true;
    }

    fn conflict(&mut self, _at: Timestamp, _from: Side, _conflict: &Conflict<'_>) {}

    fn end_revoked(&mut self, _at: Timestamp, _from: Side) {}

    fn closed(&mut self, _at: Timestamp, _from: Side, _how: Closing) {}
}
