//! The facts about every TCP connection, control or data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The TCP handshake of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handshake {
    /// When the SYN was seen.
    pub syn: Timestamp,
    /// From SYN to SYN-ACK, microseconds; left out where the SYN-ACK was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syn_ack_us: Option<u64>,
    /// From SYN-ACK to the ACK that completes the handshake, microseconds; left out where that was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack_us: Option<u64>,
}

/// The end that closed a connection first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The session's client.
    Client,
    /// The session's server.
    Server,
    /// Nobody: its record timed out or the capture ended.
    Nobody,
}
