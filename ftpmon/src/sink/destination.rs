//! The interface of all kinds of output.

use std::io;

/// The way to go on after a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Not at all: its reader is gone for good.
    Never,
    /// Open again and go on at the same byte: what was written stands.
    SameByte,
    /// Open again and begin with a whole line: a new reader knows nothing of the last one's bytes.
    WholeLine,
}

/// An open or closed output.
pub(super) trait Destination: Send {
    /// Opens it, or opens it again.
    fn open(&mut self) -> io::Result<()>;

    /// Writes some of `bytes`. [`io::ErrorKind::WouldBlock`] and `TimedOut` say that the reader takes nothing just now;
    /// they come after a wait of less than a second. Any other error closes the output.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// The way to go on after an error.
    fn recovery(&self) -> Recovery;
}

/// The error of writing to what is not open.
pub(super) fn not_open() -> io::Error {
    io::Error::from(io::ErrorKind::NotConnected)
}
