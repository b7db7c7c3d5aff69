//! A session's view of data connections: which endpoint is meant, and the account of the connection that came.

use crate::account::{DirectionAccount, Side};
use crate::addr::Endpoint;
use crate::event::{FileFacts, Handshake};
use crate::time::Timestamp;
use crate::tls::{Opening, TlsFacts};

/// Names one announced endpoint within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndpointId(pub u32);

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
    /// The end that sent the first FIN or RST; none where neither was seen.
    pub closed_by: Option<Side>,
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
}
