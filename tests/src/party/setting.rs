//! The configuration of a real server.

use std::net::IpAddr;

use crate::bed::Scratch;
use crate::net::Namespace;

/// A server's use of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// It has none.
    #[default]
    Clear,
    /// AUTH TLS, on port 21.
    Explicit,
    /// TLS from the first byte, on port 990.
    Implicit,
}

impl Security {
    /// The port that the server listens on.
    pub const fn port(self) -> u16 {
        match self {
            Self::Clear | Self::Explicit => 21,
            Self::Implicit => 990,
        }
    }
}

/// The facts that a server's file needs for its configuration.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) ip: IpAddr,
    pub(super) scratch: &'a Scratch,
    pub(super) root: &'a str,
    /// The server's own log of what was said.
    pub(super) log: &'a str,
    /// The server's own log of the files that it moved.
    pub(super) xferlog: &'a str,
    pub(super) security: Security,
    /// The file with certificate and key, where there is TLS.
    pub(super) pem: &'a str,
}
