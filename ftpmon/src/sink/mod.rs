//! Where finished lines go: standard output, files, sockets.
//!
//! Each output has a thread and a bounded queue of its own: a reader that is slow or gone holds up neither capture nor
//! the other outputs. What an output could not take is counted, and the count stands in `stats`.

mod batch;
mod destination;
mod file;
mod outputs;
mod queue;
mod socket;
mod spec;
mod stdout;
mod worker;

pub use batch::Batch;
pub use outputs::{OutputError, Outputs};
pub use queue::QUEUE_BYTES_MAX;
pub use spec::{SinkSpec, SinkSpecError};
pub use stdout::reader_gone;
