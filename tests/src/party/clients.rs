//! The visits of each real client.

use std::net::IpAddr;

use anyhow::{Result, bail};

use super::visit::{Trip, Visit};
use super::{Party, curl, ftplib, lftp, tnftp};
use crate::bed::Scratch;
use crate::net::Namespace;

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
