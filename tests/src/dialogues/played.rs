//! A session that was played, with what was reported of it.

use super::record::Record;
use crate::events::Events;

/// That which came of one session.
#[derive(Debug)]
pub struct Played {
    /// That which the client knows.
    pub record: Record,
    /// That which was reported.
    pub events: Events,
    /// The place where the two differ.
    pub differences: Vec<String>,
}
