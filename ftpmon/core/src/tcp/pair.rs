//! One of each for the two directions of a connection.

use crate::account::Side;

/// A value for each direction, by the end that sends.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair<T> {
    initiator: T,
    listener: T,
}

impl<T> Pair<T> {
    /// That of the direction that `side` sends.
    pub(super) const fn side(&self, side: Side) -> &T {
        match side {
            Side::Initiator => &self.initiator,
            Side::Listener => &self.listener,
        }
    }

    /// That of the direction that `side` sends.
    pub(super) const fn side_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Initiator => &mut self.initiator,
            Side::Listener => &mut self.listener,
        }
    }

    /// Each is the other one's.
    pub(super) const fn swap(&mut self) {
        core::mem::swap(&mut self.initiator, &mut self.listener);
    }

    /// First that of the direction that `side` sends, then the other.
    pub(super) const fn split_mut(&mut self, side: Side) -> (&mut T, &mut T) {
        match side {
            Side::Initiator => (&mut self.initiator, &mut self.listener),
            Side::Listener => (&mut self.listener, &mut self.initiator),
        }
    }
}
