//! The protocol core of ftpmon: TCP segments, the kernel's accounts and time go in; events come out.
//!
//! Data flows one way: frame, segment, stream, line, message, session, event. The core does no I/O and reads no clock, so a
//! live ring and a capture file run through the very same code, and every test has a clock of its own.

pub mod account;
pub mod checksum;
pub mod config;
mod counters;
pub mod detect;
mod endpoints;
pub mod engine;
pub mod fill;
mod flow;
pub mod frame;
pub mod ftp;
pub mod networks;
mod output;
pub mod pair;
mod partition;
pub mod segment;
mod selector;
pub mod session;
pub mod tcp;
mod timing;
pub mod tls;

use ftpmon_event::{self as event, addr, text, time};
