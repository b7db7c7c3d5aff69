//! What a session knows of data connections: which endpoint is meant, and the account of the connection that came.

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
    /// What the initiator sent.
    pub from_initiator: DirectionAccount,
    /// What the listener sent.
    pub from_listener: DirectionAccount,
    /// Its handshake, where the SYN was seen.
    pub handshake: Option<Handshake>,
    /// First packet.
    pub first: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// Who sent the first FIN or RST; none where neither was seen.
    pub closed_by: Option<Side>,
    /// It carries TLS.
    pub tls: bool,
    /// What its hellos said.
    pub tls_facts: TlsFacts,
    /// The records with which its TLS client opened.
    pub tls_opening: Option<Opening>,
    /// With `--files`: what the initiator's bytes are.
    pub file_from_initiator: Option<FileFacts>,
    /// With `--files`: what the listener's bytes are.
    pub file_from_listener: Option<FileFacts>,
}

impl DataSummary {
    /// What one end sent.
    pub fn from_side(&self, side: Side) -> &DirectionAccount {
        match side {
            Side::Initiator => &self.from_initiator,
            Side::Listener => &self.from_listener,
        }
    }
}
