//! Times in which a session may have sent something that was not seen.

use crate::event::Direction;
use crate::flow::FlowId;
use crate::time::Timestamp;
use crate::timing::{DISORDER_NS, OPENED_AFTER_COMMAND_NS};

/// A time in which bytes of a dialogue are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The control connection.
    pub(crate) session: FlowId,
    /// The direction of the missing bytes.
    pub(crate) direction: Direction,
    /// When the last bytes before them were received.
    pub(crate) since: Timestamp,
    /// When they were known to be missing; or, if earlier, when the first bytes behind them were received.
    pub(crate) until: Timestamp,
    /// When bytes were known to be missing last.
    pub(crate) told: Timestamp,
    /// No bytes behind them were received yet.
    pub(crate) open: bool,
}

impl Window {
    /// An announcement among the missing bytes may be of a connection opened at `at`.
    pub(crate) fn covers(&self, at: Timestamp) -> bool {
        self.since <= at && at <= self.until.plus_nanos(DISORDER_NS)
    }

    /// `later` begins before this one ends.
    pub(super) fn is_continued_by(&self, later: &Self) -> bool {
        (self.session, self.direction) == (later.session, later.direction) && later.since <= self.until
    }

    /// Takes in a window that continues this one.
    pub(super) fn extend(&mut self, later: &Self) {
        self.until = self.until.max(later.until);
        self.told = self.told.max(later.told);
        self.open = later.open;
    }

    /// Bytes behind the missing ones were received at `at`.
    pub(super) fn close(&mut self, at: Timestamp) {
        self.until = self.until.min(at);
        self.open = false;
    }

    /// A transfer without a known endpoint began at `at`: its connection may be opened only then.
    pub(super) fn admit_transfer(&mut self, at: Timestamp) {
        let late = OPENED_AFTER_COMMAND_NS;
        if at <= self.until.plus_nanos(late) {
            self.until = self.until.max(at.plus_nanos(late));
        }
    }
}
