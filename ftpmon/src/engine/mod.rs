//! The core's one door: segments, accounts and time go in; events and port updates come out.

mod update;

pub use update::{Loss, PortUpdate};
