//! Wall-clock time as the core knows it: a number that comes in with each packet.

mod rfc3339;
mod timestamp;

pub use rfc3339::Rfc3339;
pub use timestamp::Timestamp;
