//! Records of the ring.

use crate::layout::no_padding;
use crate::{FlowKey, FlowState};

/// The most bytes of a frame that one record carries; a longer frame comes in several. The usual super-packet is carried whole.
pub const CHUNK_MAX: usize = 65_536;
/// The most bytes of a frame that are copied, over all its records. Beyond it the frame is cut and counted
/// ([`crate::Counter::FrameCut`]): BIG TCP's super-packets, the largest there are, stay within.
pub const FRAME_MAX: usize = 8 * CHUNK_MAX;
/// The most bytes of a frame in a [`RecordKind::Beginning`]: a ClientHello with post-quantum key shares has 1.7 KB.
pub const TLS_BEGINNING_MAX: usize = 2_048;
/// The most bytes of one where the payload is no TLS handshake: enough for a banner or a request line.
pub const BANNER_MAX: usize = 128;
/// Payload of an end is copied as a [`RecordKind::Beginning`] only before this offset.
pub const BEGINNING_END: u32 = 4_096;

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// A frame of a control connection, or a part of one: the header, then `chunk_len` bytes.
    Control = 1,
    /// A frame of a data connection, or a part of one.
    Data = 2,
    /// The account of a data connection: a [`FlowEvent`].
    Flow = 3,
    /// The beginning of a frame of a data connection, in one record, where no whole frames of it are wanted: what tells
    /// whether it is FTP, and what its TLS hellos contain. At most [`TLS_BEGINNING_MAX`] bytes, the rest of the frame does not follow.
    Beginning = 4,
    /// A fragment of an IP packet, or an IPv6 packet with more extension headers than the programs follow, to or from an FTP
    /// server: the frame, in one record. Of which connection it is shows when its packet is put together.
    Fragment = 5,
}

impl RecordKind {
    /// From [`RecordHeader::kind`].
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Control),
            2 => Some(Self::Data),
            3 => Some(Self::Flow),
            4 => Some(Self::Beginning),
            5 => Some(Self::Fragment),
            _ => None,
        }
    }
}

/// The hook that saw a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Hook {
    /// XDP, ingress.
    Xdp = 1,
    /// TC classifier, ingress.
    TcIngress = 2,
    /// TC classifier, egress.
    TcEgress = 3,
}

impl Hook {
    /// From [`RecordHeader::hook`].
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Xdp),
            2 => Some(Self::TcIngress),
            3 => Some(Self::TcEgress),
            _ => None,
        }
    }
}

/// The header that a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Link {
    /// An Ethernet header.
    Ethernet = 1,
    /// An IP header, whose first four bits give the version.
    RawIp = 2,
}

impl Link {
    /// From [`RecordHeader::link`].
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Ethernet),
            2 => Some(Self::RawIp),
            _ => None,
        }
    }
}

/// The reason for a report of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ReportReason {
    /// Its first packet.
    Open = 1,
    /// It continues ([`crate::names::SETTING_REPORT_NS`]).
    Progress = 2,
    /// Both ends sent FIN and were acknowledged: the entry is deleted from [`crate::names::FLOWS`]. Or one sent RST: the
    /// entry stays, see [`FlowState::CLOSED`].
    Close = 3,
    /// A SYN with another initial sequence number came for the same ends: this account is over, another opens.
    Reused = 4,
}

impl ReportReason {
    /// From [`RecordHeader::report`].
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Open),
            2 => Some(Self::Progress),
            3 => Some(Self::Close),
            4 => Some(Self::Reused),
            _ => None,
        }
    }
}

/// The header of every record. A record may be longer than its content, because the kernel reserves in steps: the content's length
/// is `chunk_len`, or for [`RecordKind::Flow`] the size of [`FlowEvent`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct RecordHeader {
    /// The time of the packet, `CLOCK_BOOTTIME` nanoseconds.
    pub at_ns: u64,
    /// The same on all records of one frame, and on no other frame's within a run. Records of one frame come in order
    /// of `offset`, though others' may stand between them; where one is missing the ring had no room for it.
    pub frame_id: u64,
    /// The interface.
    pub ifindex: u32,
    /// The length of the whole frame as the device handed it over, bytes.
    pub frame_len: u32,
    /// The offset of this record's bytes in the frame.
    pub offset: u32,
    /// The number of the frame's bytes that follow this header.
    pub chunk_len: u32,
    /// A VLAN tag that the device took out of the frame's bytes: its tag control information. Outer to any in the bytes.
    pub vlan_tci: u16,
    /// That tag's protocol (0x8100, 0x88a8), host byte order; 0: there was no such tag.
    pub vlan_proto: u16,
    /// A [`RecordKind`].
    pub kind: u8,
    /// A [`Hook`].
    pub hook: u8,
    /// A [`Link`].
    pub link: u8,
    /// A [`ReportReason`] for [`RecordKind::Flow`], otherwise 0.
    pub report: u8,
}
no_padding!(RecordHeader: 40 {
    at_ns: u64, frame_id: u64, ifindex: u32, frame_len: u32, offset: u32, chunk_len: u32, vlan_tci: u16, vlan_proto: u16,
    kind: u8, hook: u8, link: u8, report: u8,
});

/// The account of a data connection. In its header `chunk_len`, `offset` and `frame_len` are 0, and ifindex, hook, link
/// and tag are those of the packet that gave rise to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FlowEvent {
    /// The record's header.
    pub header: RecordHeader,
    /// The connection that the account is of.
    pub key: FlowKey,
    /// The account, cumulative.
    pub state: FlowState,
}
no_padding!(FlowEvent: 256 { header: RecordHeader, key: FlowKey, state: FlowState });
