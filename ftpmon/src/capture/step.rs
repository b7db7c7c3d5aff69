//! One packet or interface of a capture.

use ftpmon_core::frame::RawFrame;
use ftpmon_event::link::InterfaceId;
use ftpmon_event::time::Timestamp;

/// Longest captured frame. Four times what any tool writes. Stops a broken length from taking memory.
pub const RECORD_LEN_MAX: u32 = 1 << 20;

/// One step through a capture.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// An interface is described. It may replace an earlier one of the same number.
    Interface {
        /// Its number.
        id: InterfaceId,
        /// Its name, where the file has one.
        name: Option<&'a str>,
    },
    /// A packet.
    Packet {
        /// When it was captured.
        at: Timestamp,
        /// Its frame.
        frame: RawFrame<'a>,
    },
    /// The buffer is used up. The next call reads from the source and may block: output should be flushed before.
    Wait,
    /// The capture is complete.
    End,
}
