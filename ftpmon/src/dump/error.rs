//! The reasons why there is no capture file.

use std::io;

/// The reason why no file can be written.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// It is a FIFO, and its reader is to be there first.
    #[error("nobody reads this FIFO: start its reader first")]
    Unread,
    /// The file cannot be created, or the system gives no thread.
    #[error(transparent)]
    Io(#[from] io::Error),
}
