//! A position in the spool.

use ftpmon_event::RunId;
use serde::{Deserialize, Serialize};

/// A position between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct SpoolPosition {
    /// The segment.
    pub(super) segment: u64,
    /// The byte in it.
    pub(super) offset: u64,
}

/// The position and number after a batch of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    /// The place of the next record.
    pub(super) place: SpoolPosition,
    /// The batch's run.
    pub(super) run: RunId,
    /// `seq` of the event after the batch's last.
    pub(super) next_seq: u64,
}
