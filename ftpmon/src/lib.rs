//! ftpmon watches FTP on the wire and turns it into one stream of events.
//!
//! Data flows one way: frame, segment, stream, line, message, session, event, format, sink.
//! The protocol core ([`tcp`], [`ftp`], [`session`], [`engine`]) does no I/O and reads no clock:
//! bytes and time go in, events and port updates come out. A live kernel ring and a capture
//! file run through the very same core.

pub mod account;
pub mod addr;
pub mod capture;
pub mod cli;
pub mod config;
pub mod dump;
pub mod engine;
pub mod event;
pub mod format;
pub mod frame;
pub mod ftp;
pub mod kernel;
mod notice;
pub mod owner;
pub mod read;
pub mod run;
pub mod segment;
pub mod session;
pub mod sink;
mod store;
pub mod tcp;
pub mod text;
pub mod time;
pub mod tls;
