//! The kernel's account of a data connection, in the core's terms.

use crate::addr::Endpoint;
use crate::segment::{InterfaceId, VlanTags};
use crate::time::Timestamp;

/// The reason for the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowReport {
    /// The connection's first packet.
    Open,
    /// It continues: reported at intervals.
    Progress,
    /// Both ends sent FIN, or one sent RST, or the kernel's entry ran out.
    Close,
}

/// The two ends of a connection by who opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that sent the SYN.
    Initiator,
    /// The end that answered it.
    Listener,
}

impl Side {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Listener,
            Self::Listener => Self::Initiator,
        }
    }
}

/// The bytes and packets that one end sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionAccount {
    /// Payload bytes, each byte once: sequence number of FIN (or the highest seen) less the initial one, in 64 bits.
    pub bytes: u64,
    /// Of those, bytes that no packet carried past the monitor.
    pub gap_bytes: u64,
    /// Payload bytes seen again.
    pub retransmitted_bytes: u64,
    /// Packets.
    pub packets: u64,
    /// It sent FIN.
    pub fin: bool,
    /// It sent RST.
    pub rst: bool,
}

/// The account of one connection. Accounts are cumulative: a later one replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// When it was given.
    pub at: Timestamp,
    /// The reason for it.
    pub report: FlowReport,
    /// The end that sent the SYN; the sender of the first packet where the SYN was not seen.
    pub initiator: Endpoint,
    /// The other end.
    pub listener: Endpoint,
    /// The same in all accounts of one connection, another in those of the next between the same ports. Times will not do
    /// for that: what is one moment in the kernel's clock becomes two when the wall clock was corrected between.
    pub incarnation: u64,
    /// First packet.
    pub first: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// The SYN; none if it was not seen.
    pub syn: Option<Timestamp>,
    /// The SYN-ACK.
    pub syn_ack: Option<Timestamp>,
    /// The ACK that completed the handshake.
    pub ack: Option<Timestamp>,
    /// The initiator's bytes and packets.
    pub from_initiator: DirectionAccount,
    /// The listener's bytes and packets.
    pub from_listener: DirectionAccount,
    /// The end that sent the first FIN or RST.
    pub closed_by: Option<Side>,
    /// The interface of its first packet.
    pub interface: InterfaceId,
    /// Its VLAN tags.
    pub vlan: VlanTags,
}
