//! The spool's settings.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Bytes of the spool without `--spool-max-bytes`.
pub const SPOOL_BYTES_DEFAULT: u64 = 1 << 30;
/// The smallest spool, bytes: a few segments.
pub const SPOOL_BYTES_MIN: u64 = 16 << 20;
/// Bytes at which a segment is full.
pub(super) const SEGMENT_BYTES: u64 = 4 << 20;

/// The spool of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    /// Its directory.
    pub folder: PathBuf,
    /// Bytes of all its segments.
    pub max_bytes: u64,
    /// The events that are dropped when it is full.
    pub full: SpoolFull,
}

/// The events that are dropped when the spool is full (`--spool-full`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpoolFull {
    /// The oldest events, a segment at a time.
    #[default]
    DropOldest,
    /// The newest events.
    DropNewest,
    /// Nothing: packets stay in the kernel's ring, which counts what it has no room for.
    Block,
}
