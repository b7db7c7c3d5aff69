//! The core's one door: segments, accounts and time go in; events and port updates come out.

mod config;
mod update;

pub use config::{EngineConfig, FilesMode, Limits, Secrets};
pub use update::{Loss, PortUpdate};
