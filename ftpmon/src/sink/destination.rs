//! The interface of all kinds of output.

use core::ops::Range;
use std::io;

/// The way to continue after a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Not at all: its reader is gone for good.
    Never,
    /// Open again and continue at the same byte: what was written stands.
    SameByte,
    /// Open again and begin with a whole event: a new reader knows nothing of the last one's bytes.
    WholeEvent,
}

/// The last of the bytes that an output took, which its reader may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// So many of them.
    Bytes(u64),
    /// Their number is not known.
    Unknown,
}

/// The bytes that a single write takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// As many as there are.
    Stream,
    /// Those of one event.
    Event,
}

/// Bytes of a write that the reader will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    /// Their place in what was given to the write.
    pub(super) bytes: Range<usize>,
    /// The reason, as the reader or the system gave it.
    pub(super) reason: String,
}

/// An open or closed output.
pub(super) trait Destination: Send {
    /// Opens it, or opens it again.
    fn open(&mut self) -> io::Result<()>;

    /// Writes some of `bytes`. [`io::ErrorKind::WouldBlock`] and `TimedOut` say that the reader takes nothing just now;
    /// they come after a wait of less than a second. Any other error is followed by [`Self::recovery`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Takes those of the bytes that the last write took, which the reader refused for good.
    fn take_rejections(&mut self) -> Vec<Rejection> {
        Vec::new()
    }

    /// Bytes of several batches that it takes together at most: more than one where each write costs a round trip.
    fn batch_bytes(&self) -> usize {
        0
    }

    /// The way to continue after an error.
    fn recovery(&self) -> Recovery;

    /// The bytes that a single write takes.
    fn unit(&self) -> Unit {
        Unit::Stream
    }

    /// The bytes taken since it was opened that its reader may not have, now that it works, or after the error `after`.
    fn unread(&mut self, after: Option<&io::Error>) -> Unread {
        let _ = after;
        Unread::Bytes(0)
    }

    /// The bytes taken since it was opened that have not left this host's kernel.
    fn in_kernel(&mut self) -> u64 {
        0
    }

    /// Called between events, before something is written. Whether what follows begins a new file, in which the opening
    /// lines come first. `reopen`: the operator asks for its file to be opened again.
    fn turn(&mut self, reopen: bool) -> io::Result<bool> {
        let _ = reopen;
        Ok(false)
    }
}

/// A disk that is full or read-only: a state that may end, and no reason to watch nothing.
pub(super) fn disk_takes_nothing(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

/// The error of writing to what is not open.
pub(super) fn not_open() -> io::Error {
    io::Error::from(io::ErrorKind::NotConnected)
}
