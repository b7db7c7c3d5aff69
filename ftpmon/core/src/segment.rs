//! A TCP segment as the core takes it: what `frame` made of one raw frame, or of one put-together datagram.

use crate::addr::Endpoint;
pub use crate::event::link::{InterfaceId, VLAN_TAGS_MAX, VlanTag, VlanTags};

/// The flags of a TCP header that matter to a monitor (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// FIN: the sender has no more data.
    pub const FIN: u8 = 0x01;
    /// SYN: sequence numbers start here.
    pub const SYN: u8 = 0x02;
    /// RST: the connection is gone.
    pub const RST: u8 = 0x04;
    /// URG: the urgent pointer counts (Telnet Synch, RFC 854).
    pub const URG: u8 = 0x20;
    /// ACK: the acknowledgment number counts.
    pub const ACK: u8 = 0x10;

    /// FIN is set.
    pub const fn fin(self) -> bool {
        self.0 & Self::FIN != 0
    }
    /// SYN is set.
    pub const fn syn(self) -> bool {
        self.0 & Self::SYN != 0
    }
    /// RST is set.
    pub const fn rst(self) -> bool {
        self.0 & Self::RST != 0
    }
    /// ACK is set.
    pub const fn ack(self) -> bool {
        self.0 & Self::ACK != 0
    }
    /// URG is set.
    pub const fn urg(self) -> bool {
        self.0 & Self::URG != 0
    }
}

/// The checksums of a segment's headers, apart from what a [`Segment`] has anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderSum {
    /// The checksum of the TCP header.
    pub checksum: u16,
    /// The sum of the words of the TCP header that are no part of a [`Segment`], and its length.
    pub rest: u32,
    /// The IPv4 header has another checksum than its own.
    pub bad_ip: bool,
    /// All of this is known.
    pub is_known: bool,
}

/// Signs of whether a segment comes from where its connection's others come from, and whether its receiver takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// Time to live, or hop limit, of the innermost IP header; 0 where it is not known.
    pub hop_limit: u8,
    /// It has the MD5 signature option (RFC 2385).
    pub md5: bool,
    /// Its timestamp (RFC 7323 section 3.2).
    pub timestamp: Option<u32>,
    /// Its checksums.
    pub sum: HeaderSum,
    /// Its urgent pointer, with the URG flag (RFC 6093): the position behind the urgent byte, as BSD sockets have it.
    pub urgent: u16,
}

/// One TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The sender.
    pub src: Endpoint,
    /// Whom it is for.
    pub dst: Endpoint,
    /// Sequence number of the first payload byte (of the SYN, where that is set).
    pub seq: u32,
    /// Acknowledgment number; means something only with the ACK flag.
    pub ack: u32,
    /// Header flags.
    pub flags: TcpFlags,
    /// The payload bytes that were captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire: more than `payload.len()` where the capture cut the frame short (snap length).
    pub wire_payload_len: u32,
    /// The interface that it was seen on.
    pub interface: InterfaceId,
    /// The VLAN tags it carried.
    pub vlan: VlanTags,
    /// The signs of a forged segment.
    pub signs: Signs,
}
