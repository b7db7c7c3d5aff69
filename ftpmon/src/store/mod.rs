//! Files to keep: pieces from the engine into a directory, under names that only their content decides.
//!
//! | file | what |
//! |---|---|
//! | `folder` | the directory: temporary files, final names, what a killed run left |
//! | `keeper` | which piece goes where, under which caps, and what is told when it does not |
//! | `writer` | the keeper on a thread of its own, behind a bounded queue |
//! | `waiting` | events that wait to hear where their file is |

mod folder;
mod keeper;
#[cfg(test)]
mod tests;
mod waiting;
mod writer;

pub(crate) use keeper::{Keeper, StoreOptions};
pub(crate) use waiting::{Outcomes, Waiting};
pub(crate) use writer::{QUEUE_BYTES_MAX, StoreWriter};

use ftpmon_event::{FileId, FileReason};

/// What became of a file: its path, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) id: FileId,
    pub(crate) stored: Result<String, FileReason>,
}
