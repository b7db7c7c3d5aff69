//! The receiver of what a connection delivers.

use crate::account::Side;
use crate::event::GapCause;
use crate::time::Timestamp;

/// The end of a direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closing {
    /// FIN: its sender had no more bytes.
    Fin,
    /// RST: its sender gave the connection up.
    Rst,
}

/// The part of the payload that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The bytes: [`Receiver::data`] is called, and bytes that come ahead of others are kept until it is their turn.
    Bytes,
    /// Only the number of bytes: [`Receiver::data`] is never called and no byte is kept. A cut-short frame leaves no gap here,
    /// since its length is known.
    Ranges,
}

/// The sign by which a segment is doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Oddity {
    /// Its checksum is wrong.
    Checksum,
    /// It has no ACK flag (RFC 9293 section 3.10.7.4).
    NoAck,
    /// Its timestamp is older than the last one (PAWS, RFC 7323 section 5.3).
    OldTimestamp,
    /// It has an MD5 signature and the others have none, or the other way round (RFC 2385).
    Signature,
    /// It came over another number of hops than the others.
    HopLimit,
    /// It has an urgent byte, which its receiver reads in its place or takes out of the stream (RFC 6093).
    Urgent,
}

/// Two different texts for the same bytes of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict<'a> {
    /// Bytes compared, at least 1.
    pub bytes: u64,
    /// The line that they are in, up to the first of them; none if its beginning is not known.
    pub line: Option<&'a [u8]>,
    /// The bytes that were seen first, and are delivered.
    pub first: &'a [u8],
    /// The other bytes.
    pub second: &'a [u8],
}

/// Takes the two streams of a connection.
///
/// Within a direction the calls are in stream order; between the directions, bytes come after the bytes that their sender
/// had acknowledged. `at` is the time of the packet that carried the bytes or the close, or that revealed the gap, so it may
/// step back by as much as the packets were out of order.
pub trait Receiver {
    /// The next bytes of a direction, never empty.
    fn data(&mut self, at: Timestamp, from: Side, bytes: &[u8]);

    /// The next `bytes` of a direction, at least 1, were never seen whole. What comes after them follows.
    fn gap(&mut self, at: Timestamp, from: Side, bytes: u64, cause: GapCause);

    /// A copy of bytes seen before has other content. The bytes seen first are delivered.
    fn conflict(&mut self, at: Timestamp, from: Side, conflict: &Conflict<'_>);

    /// A doubtful segment came. Its bytes are handed on only if the other end acknowledges them and no other segment has them; an
    /// urgent byte is handed on in its place.
    fn doubtful(&mut self, at: Timestamp, from: Side, doubt: Oddity) {
        let _ = (at, from, doubt);
    }

    /// An RST or FIN was not of its sender: the direction goes on.
    fn end_revoked(&mut self, at: Timestamp, from: Side);

    /// A direction ended. Called once a direction, after its last byte: when the other end acknowledged its FIN, or when
    /// nothing more will come. `at` is the time of the FIN or RST, so it may lie before that of earlier calls.
    fn closed(&mut self, at: Timestamp, from: Side, how: Closing);
}
