//! The store of `--files extract`: pieces from the engine into files, under names that only their content decides.
//!
//! | file | what |
//! |---|---|
//! | `files` | which piece goes into which file, under which caps, and what is reported when it does not |
//! | `folder` | the directory: temporary files, final names, what a killed run left |
//! | `thread` | the store on a thread of its own, with a bounded queue |

mod files;
mod folder;
#[cfg(test)]
mod tests;
mod thread;

pub(crate) use files::{Store, StoreOptions};
pub(crate) use thread::{QUEUE_BYTES_MAX, StoreThread};

use ftpmon_event::{FileId, FileReason};

/// The outcome of a file: its path, or the reason why it is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileOutcome {
    pub(crate) id: FileId,
    pub(crate) stored: Result<String, FileReason>,
}
