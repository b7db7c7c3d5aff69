//! Errors that servers report twice.

use crate::ftp::Reply;
use crate::time::Timestamp;

/// An error that repeats that of the command before: a second reply to that, or the reply to its own command. It waits for the
/// next command or reply, which decide.
#[derive(Debug)]
pub(super) struct RepeatedError {
    pub(super) at: Timestamp,
    /// The command that it would answer.
    pub(super) tx: u64,
    pub(super) reply: Reply<'static>,
}
