//! The open sessions, told to a reader that came.

/// The part of the open sessions that was told.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// The partition that comes next.
    pub(super) partition: u8,
    /// Sessions so far.
    pub(super) told: u64,
}
