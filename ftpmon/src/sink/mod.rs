//! Where finished lines go: standard output, files, sockets.

mod spec;

pub use spec::{SinkSpec, SinkSpecError};
