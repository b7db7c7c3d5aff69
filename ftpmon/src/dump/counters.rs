//! The counters of a capture file.

/// Frames that did not get into the file, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DumpCounters {
    /// Frames written.
    pub written: u64,
    /// The disk was too slow.
    pub queue_full: u64,
    /// The disk was full, or refused; a reader was gone, or did not take it by the end.
    pub write_failed: u64,
    /// The file had reached its size.
    pub max_bytes: u64,
    /// Of interfaces beyond [`INTERFACES_MAX`](super::INTERFACES_MAX).
    pub interfaces_full: u64,
    /// Parts of datagrams, in which passwords cannot be found to be overwritten.
    pub unmasked: u64,
}
