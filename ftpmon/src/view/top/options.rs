//! The settings of `ftpmon top`.

use super::tab::Tab;
use crate::view::event_source::EventSource;
use crate::view::language::Language;
use crate::view::sessions::{Filter, Order};
use crate::view::terminal::ColorChoice;

/// The settings of `ftpmon top`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopOptions {
    /// The source of events.
    pub source: EventSource,
    /// The speed at which events of a file are taken, in thousandths of that at which they happened; at once where none is given.
    pub speed_permille: Option<u64>,
    /// The table that is shown first.
    pub tab: Tab,
    /// The order of sessions.
    pub order: Order,
    /// The filters, all of which have to match.
    pub filters: Vec<Filter>,
    /// The filters as they were written.
    pub filter_text: String,
    /// Plain text on standard output in place of a screen.
    pub batch: Option<Batch>,
    /// Whether there are colours.
    pub color: ColorChoice,
    /// Columns of plain text; those of the terminal where none are given.
    pub width: Option<usize>,
    /// The language in which a session is explained.
    pub language: Language,
}

/// When plain text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Once, at the end of the input.
    Once,
    /// Again and again.
    Every {
        /// Milliseconds between two tables.
        every_ms: u64,
        /// Tables at most.
        count: Option<u64>,
    },
}
