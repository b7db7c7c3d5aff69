//! What a connection hands on, and to whom.

use crate::account::Side;
use crate::event::GapCause;
use crate::time::Timestamp;

/// How a direction of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closing {
    /// FIN: its sender had no more bytes.
    Fin,
    /// RST: its sender gave the connection up.
    Rst,
}

/// What of the payload is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The bytes: [`Receiver::data`] is called, and bytes that come ahead of others are kept until it is their turn.
    Bytes,
    /// How many: [`Receiver::data`] is never called and no byte is kept. A cut-short frame leaves no gap here, since its
    /// length is known.
    Ranges,
}

/// Takes the two streams of a connection.
///
/// Within a direction the calls are in stream order; between the directions, bytes come after the bytes that their sender
/// had acknowledged. `at` is the time of the packet that carried the bytes or the close, or that told of the gap, so it may
/// step back by as much as the packets were out of order.
pub trait Receiver {
    /// The next bytes of a direction, never empty.
    fn data(&mut self, at: Timestamp, from: Side, bytes: &[u8]);

    /// The next `bytes` of a direction, at least 1, were never seen whole. What comes after them follows.
    fn gap(&mut self, at: Timestamp, from: Side, bytes: u64, cause: GapCause);

    /// A copy of `bytes` bytes, seen before, has other content. The bytes seen first stand.
    fn conflict(&mut self, at: Timestamp, from: Side, bytes: u64);

    /// A direction ended. Told once a direction, after its last byte.
    fn closed(&mut self, at: Timestamp, from: Side, how: Closing);
}
