//! The agent: where frames come from, and where events go. What they mean is [`ftpmon_core`]'s.
//!
//! Data flows one way: frame, segment, stream, line, message, session, event, format, sink.

pub mod capture;
mod chain;
pub mod cli;
pub mod config;
pub mod dump;
pub mod format;
pub mod kernel;
mod notice;
pub mod owner;
pub mod read;
pub mod run;
pub mod sink;
mod store;
pub mod telemetry;
