//! An FTP server and client of the tests' own: small, exact about what they said, and able to do things that real ones
//! will not do on request (fixed ports, scripted replies, files of any size without a disk).

mod client;
mod content;
mod server;
mod session;
mod shared;
mod transcript;
mod wire;

pub use client::{Client, ClientOptions, DataMode, Received};
pub use content::Content;
pub use server::Server;
pub use shared::{Behaviour, Ports, User};
pub use transcript::{Reply, Said, Transcript};
pub(crate) use wire::{extended, host_port, parse_extended_port, parse_host_port, parse_last_port, resolve};
