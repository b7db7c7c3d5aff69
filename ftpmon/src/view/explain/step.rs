//! The steps of a TCP connection.

use ftpmon_event::time::Timestamp;

/// The connection of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// The control connection.
    Control,
    /// A data connection, numbered from 0.
    Data(usize),
}

/// A segment that changes a connection, or is remarkable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// When it was captured.
    pub(super) at: Timestamp,
    /// The number of its frame in the capture, from 1.
    pub(super) frame: u64,
    /// Its connection.
    pub(super) lane: Lane,
    /// The session's client sent it.
    pub(super) from_client: bool,
    /// The sequence number of its SYN, or of its first byte.
    pub(super) seq: Number,
    /// The acknowledgment number, where it has one.
    pub(super) ack: Option<Number>,
    /// Payload bytes on the wire.
    pub(super) len: u32,
    /// The payload begins with a TLS record of a handshake.
    pub(super) tls: bool,
    /// The step.
    pub(super) kind: StepKind,
}

/// A sequence or acknowledgment number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// As the segment has it.
    pub(super) absolute: u32,
    /// Counted from the initial sequence number of its direction; where that was not seen, from the number before the first one
    /// that was.
    pub(super) relative: u32,
}

/// The kind of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepKind {
    /// SYN.
    Syn,
    /// SYN and ACK. The initial sequence number that it has to acknowledge, where that is known.
    SynAck {
        /// Of the initiator.
        initial: Option<u32>,
    },
    /// The ACK that completes the handshake. The initial sequence numbers of its sender and of the other end.
    HandshakeAck {
        /// Of the initiator.
        own: u32,
        /// Of the listener.
        other: u32,
    },
    /// A SYN or SYN-ACK once more.
    SynAgain,
    /// New payload.
    Payload,
    /// Payload that was seen before.
    Copy,
    /// Payload that comes after later payload.
    Late,
    /// New payload, before which bytes are missing.
    BehindHole {
        /// Bytes that are missing.
        missing: u32,
    },
    /// FIN.
    Fin,
    /// The acknowledgment of a FIN.
    FinAck,
    /// RST.
    Reset {
        /// Its sequence number is the next one that its receiver expects: only then it is believed (RFC 5961 section 3.2).
        exact: bool,
        /// Its sender sent more afterwards.
        went_on: bool,
    },
}
