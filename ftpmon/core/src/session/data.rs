//! A session's view of data connections: which endpoint is meant, and the account of the connection that came.

use crate::account::{DirectionAccount, Side};
use crate::addr::Endpoint;
use crate::event::{FileFacts, Handshake};
use crate::time::Timestamp;
use crate::tls::{Opening, TlsFacts};

/// Names one announced endpoint within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndpointId(pub u32);

/// Names a connection, wherever it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionId {
    /// Number of the partition that owns it.
    pub partition: u8,
    /// Its place there.
    pub flow: u64,
}

/// A connection to an announced endpoint, as far as it is known while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its name.
    pub connection: ConnectionId,
    /// The end that opened it.
    pub initiator: Endpoint,
    /// The end that took it.
    pub listener: Endpoint,
    /// Its handshake is complete. So it is taken to be where only the kernel's account of its opening is known.
    pub established: bool,
    /// So it was seen to be: the listener answered. What is only taken to be may be an attempt that is refused.
    pub proven: bool,
}

/// A connection that was found to be a data connection whose announcement was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundData {
    /// The client sent its bytes.
    pub upload: bool,
    /// First packet.
    pub first: Timestamp,
    /// Last packet so far.
    pub last: Timestamp,
}

/// The account of a data connection that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSummary {
    /// The end that opened it.
    pub initiator: Endpoint,
    /// The end that took it.
    pub listener: Endpoint,
    /// The initiator's bytes and packets.
    pub from_initiator: DirectionAccount,
    /// The listener's bytes and packets.
    pub from_listener: DirectionAccount,
    /// Its handshake, where the SYN was seen.
    pub handshake: Option<Handshake>,
    /// First packet.
    pub first: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// The end that sent the first FIN or RST; none if neither was seen.
    pub closed_by: Option<Side>,
    /// Another session announced it as well: a transfer between two servers.
    pub shared: bool,
    /// It carries TLS.
    pub tls: bool,
    /// The facts in its hellos.
    pub tls_facts: TlsFacts,
    /// The records with which its TLS client opened.
    pub tls_opening: Option<Opening>,
    /// With `--files`: what the initiator's bytes are.
    pub file_from_initiator: Option<FileFacts>,
    /// With `--files`: what the listener's bytes are.
    pub file_from_listener: Option<FileFacts>,
}

impl DataSummary {
    /// The bytes and packets that one end sent.
    pub fn from_side(&self, side: Side) -> &DirectionAccount {
        match side {
            Side::Initiator => &self.from_initiator,
            Side::Listener => &self.from_listener,
        }
    }

    /// Payload was sent.
    pub fn has_moved(&self) -> bool {
        self.from_initiator.bytes > 0 || self.from_listener.bytes > 0
    }

    /// It was a connection, not an attempt that was refused, reset or not answered. One end of it may not have been seen.
    pub fn was_established(&self) -> bool {
        self.handshake.is_none_or(|handshake| handshake.ack_us.is_some())
            || self.has_moved()
            || self.from_initiator.fin
            || self.from_listener.fin
    }
}
