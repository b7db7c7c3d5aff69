//! The limits on the bytes that a connection may hold back, and on the time.

use super::receiver::Keep;
use crate::time::Timestamp;

/// A time that never comes.
pub(super) const NEVER: Timestamp = Timestamp::from_nanos(i64::MAX);

/// Caps on one connection. They stop a peer that opens holes and never fills them from filling the monitor's memory, and
/// one that invents sequence or acknowledgment numbers from leading the monitor astray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Payload bytes held in a direction. Reached: the oldest hole is given up.
    pub held_bytes: u32,
    /// Pieces (segments, or runs of them) held in a direction. Reached: the oldest hole is given up. Stops a peer that sends
    /// each second byte, whose pieces cost many times their bytes.
    pub held_pieces: u16,
    /// The greatest distance of a sequence or acknowledgment number from the bytes due, either way, to be believed; below 2³¹,
    /// where ahead and behind become one.
    pub window: u32,
    /// Bytes that their receiver acknowledged can only be late in the capture, or lost: they are given up after this many
    /// further segments of the connection …
    pub acknowledged_segments: u16,
    /// … or this many milliseconds of packet time, whichever is first. [`StreamLimits::NEVER`]: however long it takes.
    pub acknowledged_wait_ms: u32,
    /// Bytes that were not acknowledged may still be retransmitted: they are given up after this many milliseconds without
    /// progress. [`StreamLimits::NEVER`]: however long it takes.
    pub hole_wait_ms: u32,
    /// An RST whose sequence number is not the next one ends the connection after this many milliseconds in which nothing
    /// contradicts it.
    pub reset_wait_ms: u32,
    /// Whether copies of bytes seen before are compared with them, as far as those are kept. Costs a copy of every byte.
    pub compare_copies: bool,
    /// Which checksums count. Only those of segments whose bytes are wanted.
    pub checksums: Checksums,
}

/// Which checksums count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// Those of a direction that has right ones: a capture on the sending host has wrong ones in all of its segments.
    #[default]
    Auto,
    /// All.
    Verify,
    /// None.
    Ignore,
}

impl StreamLimits {
    /// The checksums that count for segments of which so much is kept: without the bytes a wrong one changes nothing.
    pub(super) const fn checksums_for(&self, keep: Keep) -> Checksums {
        match keep {
            Keep::Bytes => self.checksums,
            Keep::Ranges => Checksums::Ignore,
        }
    }

    /// Milliseconds that never pass: only segments, caps and the end give up what is waited for. Right where time between
    /// packets means little and no reader waits for events, as in capture files.
    pub const NEVER: u32 = u32::MAX;

    /// For a control connection: lines of text, one at a time.
    pub const CONTROL: Self = Self {
        held_bytes: 64 * 1024,
        held_pieces: 64,
        window: 1024 * 1024,
        acknowledged_segments: 16,
        acknowledged_wait_ms: 500,
        hole_wait_ms: 60_000,
        reset_wait_ms: 5_000,
        compare_copies: true,
        checksums: Checksums::Auto,
    };

    /// For bulk data: windows of megabytes, thousands of segments behind one that was lost, and captures that hold a few
    /// packets of many gigabytes, whose counts follow the acknowledgments as far as sequence numbers allow.
    pub const BULK: Self = Self {
        held_bytes: 4 * 1024 * 1024,
        held_pieces: 4096,
        window: (1 << 31) - 1,
        acknowledged_segments: 1024,
        acknowledged_wait_ms: 500,
        hole_wait_ms: 60_000,
        reset_wait_ms: 5_000,
        compare_copies: false,
        checksums: Checksums::Auto,
    };
}

/// The time `ms` milliseconds after `now`.
pub(super) const fn after_millis(now: Timestamp, ms: u32) -> Timestamp {
    if ms == StreamLimits::NEVER { NEVER } else { now.plus_nanos(ms as i64 * 1_000_000) }
}
