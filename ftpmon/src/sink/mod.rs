//! Outputs for finished lines: standard output, files, sockets.
//!
//! Live, each output has a thread and a bounded queue of its own: a reader that is slow or gone holds up neither capture nor
//! the other outputs. What an output could not take is counted, and the count stands in `stats`. Reading capture files
//! waits for its outputs instead.

mod batch;
mod destination;
mod direct;
mod file;
mod kinds;
mod outputs;
mod queue;
mod queued;
mod socket;
mod spec;
mod stdout;
mod worker;

pub use batch::LineBatch;
pub use direct::{DirectOutputError, DirectOutputs};
pub use outputs::Outputs;
pub use queue::QUEUE_BYTES_MAX;
pub use queued::{OutputError, QueuedOutputs};
pub use spec::{SinkSpec, SinkSpecError};
pub use stdout::reader_gone;
