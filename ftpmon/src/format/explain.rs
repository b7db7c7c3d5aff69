//! Ladders of messages with what each of them means, as sessions go on.

use ftpmon_event::{Event, Origin};

use super::Formatter;
use crate::view::LiveLadder;

/// Writes rows of ladders.
pub struct Explain(LiveLadder);

impl Explain {
    /// A writer without colours; a row has nothing of where it comes from.
    pub fn plain(_origin: &Origin) -> Self {
        Self(LiveLadder::plain())
    }

    /// A writer for standard output as it is.
    pub fn for_stdout() -> Self {
        Self(LiveLadder::for_stdout())
    }
}

impl Formatter for Explain {
    fn event(&mut self, _seq: u64, event: &Event, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.text(event).as_bytes());
    }
}
