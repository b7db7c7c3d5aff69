//! The interface of a route's outputs.

use std::io;

use crate::telemetry::Sampled;

/// The outputs of a route: each gets all of its lines.
pub trait Outputs: Sampled {
    /// Bytes of finished lines after which they are handed over, whatever else is waiting.
    const BLOCK_BYTES: usize;
    /// An error of outputs that may lose nothing.
    type Error;

    /// Starts the outputs; each begins with the lines `opening`.
    ///
    /// # Errors
    /// The system gives no thread.
    fn start(&mut self, opening: &[u8]) -> io::Result<()>;

    /// Sets what stands first in every output that is opened again from now on: lines that end with a line feed.
    fn set_opening(&mut self, opening: &[u8]);

    /// Takes whole lines, which hold so many events, and leaves `lines` empty.
    fn write(&mut self, lines: &mut Vec<u8>, events: u64);

    /// Writes what waits and closes the outputs.
    ///
    /// # Errors
    /// An output that may lose nothing failed.
    fn finish(self) -> Result<(), Self::Error>;
}
