//! Both directions of a TCP connection put in order, for a monitor that only watches.
//!
//! [`Connection`] takes segments as they were captured: twice, late, in the wrong order, cut short, from the middle on, of
//! one side only. A [`Receiver`] gets each byte of each direction once, in stream order, and every byte that is missing as
//! a gap with its cause. Between the directions the order is causal: bytes whose sender had acknowledged bytes of the other side
//! come after these, so that a reply is never read before its command.
//!
//! Nothing here does I/O or reads a clock; time comes in with each segment.

mod assembly;
mod backlog;
mod connection;
mod doubt;
mod ends;
mod intake;
mod limits;
mod pair;
mod position;
mod receiver;
mod recent;
mod reset;
mod sequence;
mod stream;
#[cfg(test)]
mod tests;

pub use connection::{Connection, HandshakeTimes};
pub use limits::{Checksums, StreamLimits};
pub use receiver::{Closing, Conflict, Keep, Oddity, Receiver};
