//! The agent: where frames come from, and where events go. What they mean is [`ftpmon_core`]'s.
//!
//! Data flows one way: frame, segment, stream, line, message, session, event, format, sink.

mod boot;
mod bounded;
pub mod capture;
mod chain;
pub mod cli;
mod companion;
pub mod config;
pub mod diagnostics;
pub mod doctor;
mod drive;
pub mod dump;
mod event_file;
pub mod format;
pub mod kernel;
mod named_file;
mod netns;
mod on_alert;
mod panics;
mod places;
pub mod process;
mod quantity;
pub mod sandbox;
pub mod sink;
pub mod status;
mod store;
pub mod telemetry;
pub mod verify;
pub mod view;
mod wall_clock;

pub use drive::{Reread, detect, explain_detector, list_detectors, read, run};
