//! An event as far as its place in a run depends on it.

use serde::Deserialize;

/// The fields of a line that its place depends on.
#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) event: String,
    pub(super) sensor: String,
    pub(super) run: String,
    pub(super) seq: u64,
    #[serde(default)]
    pub(super) drop: Option<DropRange>,
}

/// The numbers that a `drop` event names.
#[derive(Deserialize)]
pub(super) struct DropRange {
    pub(super) run: Option<String>,
    pub(super) from_seq: u64,
    pub(super) to_seq: u64,
}
