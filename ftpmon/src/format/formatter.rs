//! The traits that formats implement.

use ftpmon_event::Event;
use ftpmon_event::time::Timestamp;

/// Writes events in one shape. What it writes it appends; what is in the buffer already it leaves alone.
pub trait Formatter {
    /// Appends what has to stand before the first event of every output (and of every rotated file).
    fn header(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        let _ = (at, out);
    }

    /// Appends `event`, whole lines only. An event that the shape cannot say appends nothing.
    fn event(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>);

    /// Appends what has to stand at the end of an output.
    fn footer(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        let _ = (at, out);
    }

    /// The same writer without numbers; none if a line depends on its number or on the events before it.
    fn into_unnumbered(self: Box<Self>) -> Option<Box<dyn Unnumbered + Send>> {
        None
    }
}

/// Writes events whose numbers are not known yet, each on its own: no line depends on those before it.
pub trait Unnumbered {
    /// Appends `event` as [`Formatter::event`] does, but for its number. Returns the position in `out` of the number.
    fn unnumbered(&mut self, event: &Event, out: &mut Vec<u8>) -> usize;
}
