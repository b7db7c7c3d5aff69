//! The interface of a route's outputs.

use std::io;

use super::losses::Loss;
use crate::telemetry::Sampled;

/// Finished lines of a route.
#[derive(Debug, Default)]
pub struct Lines {
    /// The lines.
    pub bytes: Vec<u8>,
    /// The end of each event in them; empty where [`Outputs::BY_EVENT`] is not asked for.
    pub ends: Vec<u32>,
    /// The owner of each event in them; empty as the ends are.
    pub owners: Vec<u8>,
    /// `seq` of the first event.
    pub first_seq: u64,
    /// An event among them is to be on the disk soon.
    pub urgent: bool,
}

/// The outputs of a route: each gets all of its lines.
pub trait Outputs: Sampled {
    /// Bytes of finished lines after which they are handed over.
    const BLOCK_BYTES: usize;
    /// They want to know where each event ends.
    const BY_EVENT: bool;
    /// An error of outputs that may lose nothing.
    type Error;

    /// Starts the outputs; each begins with the lines `opening`, which hold the event `seq`.
    ///
    /// # Errors
    /// The system gives no thread.
    fn start(&mut self, opening: &[u8], seq: u64) -> io::Result<()>;

    /// Sets what stands first in every output that is opened again from now on: lines that end with a line feed.
    fn set_opening(&mut self, opening: &[u8]);

    /// Takes whole lines, and leaves `lines` empty.
    fn write(&mut self, lines: &mut Lines);

    /// Takes lines that report losses: they find room where other lines do not.
    fn write_report(&mut self, lines: &mut Lines) {
        self.write(lines);
    }

    /// Takes what outputs lost and is to be reported now, with the output's name; at the end all of it.
    fn take_losses(&mut self, end: bool) -> Vec<(String, Loss)> {
        let _ = end;
        Vec::new()
    }

    /// Writes what waits and closes the outputs.
    ///
    /// # Errors
    /// An output that may lose nothing failed.
    fn finish(self) -> Result<(), Self::Error>;
}
