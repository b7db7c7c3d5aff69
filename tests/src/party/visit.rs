//! A real client's visit at a server, and its own account of it.

use std::net::IpAddr;

use crate::bed::Scratch;
use crate::expected::Expected;
use crate::ftp::Transcript;
use crate::net::Namespace;

/// One control connection of a client.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The purpose.
    pub what: &'static str,
    /// The dialogue, as the client logged it.
    pub transcript: Transcript,
    /// The transfers, in order.
    pub transfers: Vec<Expected>,
    /// The expected outcome of its login.
    pub login: &'static str,
}

/// The facts that a client's file needs.
#[derive(Debug)]
pub(super) struct Trip<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) server: IpAddr,
    pub(super) scratch: &'a Scratch,
}

impl Trip<'_> {
    /// The server as a URL has it.
    pub(super) fn host(&self) -> String {
        match self.server {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        }
    }
}
