//! A frame with its place in the capture.

use std::collections::BTreeSet;

use ftpmon_core::frame::RawFrame;
use ftpmon_event::time::Timestamp;

/// A frame of a capture.
pub(super) struct Framed<'f> {
    /// Its number, from 1.
    pub(super) number: u64,
    /// When it was captured, and the first frame of the capture.
    pub(super) at: [Timestamp; 2],
    /// The frame, secrets overwritten.
    pub(super) raw: RawFrame<'f>,
    /// Its bytes as they were captured.
    pub(super) wire: &'f [u8],
    /// Bytes at the head of its payload that continue a TLS record.
    pub(super) continued: usize,
    /// Ports of control connections.
    pub(super) ports: &'f BTreeSet<u16>,
}
