//! The form of a scene's packets, and their fate on the way into the capture.

use super::wrap::{Link, Wrap};

/// Time between two frames unless told otherwise.
pub const STEP_NS: u64 = 1_000_000;
/// Payload of a segment at most, unless told otherwise: that of Ethernet with IPv4.
pub const SEGMENT_LEN: usize = 1_460;
/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the end that opened it.
    Forth,
    /// From the end that accepted it.
    Back,
}

impl Way {
    /// The other direction.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Forth => Self::Back,
            Self::Back => Self::Forth,
        }
    }
}

/// Which frames of a statement the capture missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lost {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// The n-th, counted from 1.
    Nth(usize),
}

/// The fate of the frames of one statement on their way into the capture.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// Frames that the capture does not hold, although the receiver got them.
    pub lost: Lost,
    /// Every frame stands in the capture twice.
    pub twice: bool,
    /// The frames appear only after this many later ones.
    pub late: usize,
    /// The frames appear in reverse order.
    pub reversed: bool,
    /// URG is set, and the urgent pointer is at the end of each segment.
    pub urgent: bool,
    /// The cuts of the payload into segments, besides the limit of a segment.
    pub cuts: Vec<usize>,
    /// Acknowledges so many sequence numbers less than the other end has said: the two cross on the way.
    pub blind: u32,
}

/// Payload to send.
#[derive(Clone, Debug)]
pub enum Payload {
    /// These bytes.
    Bytes(Vec<u8>),
    /// So many bytes of the repeating pattern, which continues where the connection's last one ended.
    Pattern(u64),
}

impl Payload {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pattern(len) => *len,
        }
    }
}

/// The form of packets from here on. Fields may be changed between any two statements.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Link layer of the capture.
    pub link: Link,
    /// The layers around every IP packet, outermost first.
    pub wraps: Vec<Wrap>,
    /// IPv6 extension headers by protocol number, outermost first.
    pub extensions: Vec<u8>,
    /// IPv4 headers carry options.
    pub ipv4_options: bool,
    /// The IP payload of a fragment, a multiple of 8; 0 for no fragmentation.
    pub fragment: usize,
    /// Ethernet frames are padded to 60 bytes.
    pub pad: bool,
    /// Captured bytes of a frame at most; 0 for all.
    pub snap_len: usize,
    /// Payload of a segment at most.
    pub segment: usize,
    /// Time between two frames.
    pub step_ns: u64,
    /// Only frames of this direction are captured.
    pub only: Option<Way>,
    /// Index of the interface that captures.
    pub interface: usize,
    /// Index of another one, nearer to the listener, that captures every frame as well.
    pub also: Option<usize>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            link: Link::Ethernet,
            wraps: Vec::new(),
            extensions: Vec::new(),
            ipv4_options: false,
            fragment: 0,
            pad: false,
            snap_len: 0,
            segment: SEGMENT_LEN,
            step_ns: STEP_NS,
            only: None,
            interface: 0,
            also: None,
        }
    }
}
