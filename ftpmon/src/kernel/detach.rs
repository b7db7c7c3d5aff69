//! `ftpmon detach`: removing what agents left.
//!
//! The kernel takes programs off when the last descriptor of their links is closed. Two kinds stay: pinned ones, and filters of
//! clsact (before kernel 6.6), which are no links.

use std::path::Path;

use super::clsact::ClsactOwner;
use super::error::KernelError;
use super::links::Links;
use super::pins;

/// Removes everything that agents pinned below `folder`, of every layout, which detaches their programs. Returns how many pins
/// there were.
///
/// # Errors
/// Something cannot be removed.
pub fn detach_pins(folder: &Path) -> Result<usize, KernelError> {
    pins::remove_all(folder)
}

/// Removes the clsact filters of agents that were killed from all interfaces of this network namespace, and then the qdiscs that
/// agents made, where nothing is in them. Running agents keep theirs. Returns how many filters there were. Needs a tokio runtime.
///
/// # Errors
/// The kernel does not answer, or CAP_NET_ADMIN is missing.
pub async fn detach() -> Result<usize, KernelError> {
    let links = Links::open()?;
    let mut clsact = ClsactOwner::new();
    let mut removed = 0;
    for link in links.list().await? {
        let refused = |error: rtnetlink::Error| KernelError::Detach {
            interface: link.name.clone(),
            cause: error.to_string(),
        };
        removed += clsact.remove_stale(links.route(), link.ifindex).await.map_err(refused)?;
    }
    clsact.remove_qdiscs(links.route()).await;
    Ok(removed)
}
