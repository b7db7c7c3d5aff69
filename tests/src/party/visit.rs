//! What a real client does at a server, and what it says about it.

use std::net::IpAddr;

use crate::bed::Scratch;
use crate::expected::Expected;
use crate::ftp::Transcript;
use crate::net::Namespace;

/// One control connection of a client.
#[derive(Clone, Debug)]
pub struct Visit {
    /// What it was for.
    pub what: &'static str,
    /// What was said, as the client logged it.
    pub transcript: Transcript,
    /// What was moved, in order.
    pub transfers: Vec<Expected>,
    /// How its login should have ended.
    pub login: &'static str,
}

/// What a client's file needs to know.
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
