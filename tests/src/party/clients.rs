//! What a real client does at a server, and what it says about it.

use std::net::IpAddr;

use anyhow::{Result, bail};

use super::{Party, curl, ftplib, lftp, tnftp};
use crate::bed::Scratch;
use crate::compare::Expected;
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

/// Sends a client to a server with the [`Tree`](super::Tree): downloads, uploads, appends, resumes, lists, fails to log
/// in, comes anonymously, in every mode that client and family have, and, where the client can, aborts. One visit after
/// another.
///
/// # Errors
/// The client failed at something that should have worked: with its log.
pub fn visits(client: Party, namespace: &Namespace, server: IpAddr) -> Result<Vec<Visit>> {
    let scratch = Scratch::new("client")?;
    let trip = Trip { namespace, server, scratch: &scratch };
    match client {
        Party::Curl => curl::visits(&trip),
        Party::Lftp => lftp::visits(&trip),
        Party::Tnftp => tnftp::visits(&trip),
        Party::Ftplib => ftplib::visits(&trip),
        server => bail!("{server:?} is no client"),
    }
}
