//! The first bytes of a connection that may turn out to be a data connection whose announcement is still to come: with
//! `--files` they are held, so that such a file is hashed from its first byte.
//!
//! Only connections between the two hosts of a session are held, and for no longer than an announcement may be behind.

use crate::account::Side;
use crate::event::GapCause;
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

    /// The ends are the other way round.
    pub(crate) fn turn_round(&mut self) {
        self.pieces.iter_mut().for_each(|(from, _)| *from = from.other());
        self.broken = (self.broken.1, self.broken.0);
    }

    /// Bytes of a direction, up to the cap: beyond it no more of either direction are held.
    pub(crate) fn hold(&mut self, from: Side, bytes: &[u8]) {
        if self.is_broken() {
            return;
        }
        if self.cost + bytes.len() > EARLY_BYTES_MAX {
            self.drop_all();
        } else {
            self.push(from, bytes);
        }
    }

    /// Lets go of everything, and takes nothing more.
    pub(crate) fn drop_all(&mut self) {
        *self = Self { broken: (true, true), ..Self::default() };
    }

    /// Bytes of a direction are missing.
    pub(crate) fn give_up(&mut self, from: Side) {
        *self.broken(from) = true;
    }

    /// Bytes of either direction are missing.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.0 || self.broken.1
    }

    /// Memory that it takes, bytes.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// The turns that the ends took in sending.
    pub(crate) fn turns(&self) -> usize {
        self.pieces.len()
    }

    /// All that is held, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (Side, &[u8])> {
        self.pieces.iter().map(|(from, bytes)| (*from, bytes.as_slice()))
    }

    /// The ends of whose bytes some are missing behind what is held.
    pub(crate) fn broken_ends(&self) -> impl Iterator<Item = Side> + use<> {
        let broken = |(side, broken): (Side, bool)| broken.then_some(side);
        [(Side::Initiator, self.broken.0), (Side::Listener, self.broken.1)].into_iter().filter_map(broken)
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
