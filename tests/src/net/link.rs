//! Links between namespaces.

use anyhow::Result;

use super::Namespace;
use crate::process::run_ok;

/// One end of a veth pair to be.
#[derive(Clone, Copy, Debug)]
pub struct Veth<'a> {
    /// Its namespace.
    pub namespace: &'a Namespace,
    /// Its name there.
    pub name: &'a str,
    /// Its addresses with prefix length.
    pub addresses: &'a [&'a str],
}

impl Veth<'_> {
    /// Makes the pair of this end and `other`, both up, with an MTU in bytes.
    ///
    /// # Errors
    /// `ip` is missing or failed.
    pub fn pair_with(&self, other: &Veth<'_>, mtu: u32) -> Result<()> {
        self.namespace.ip(&format!(
            "link add name {} mtu {mtu} type veth peer name {} mtu {mtu} netns {}",
            self.name,
            other.name,
            other.namespace.path(),
        ))?;
        self.bring_up()?;
        other.bring_up()
    }

    fn bring_up(&self) -> Result<()> {
        for address in self.addresses {
            // Without duplicate address detection an IPv6 address can be used at once.
            let nodad = if address.contains(':') { " nodad" } else { "" };
            self.namespace.ip(&format!("addr add {address} dev {}{nodad}", self.name))?;
        }
        self.namespace.ip(&format!("link set dev {} up", self.name))?;
        Ok(())
    }
}

/// Turns an offload of a device on or off with ethtool: `offload(ns, "eth0", "gro", true)`.
///
/// # Errors
/// ethtool is missing or failed.
pub fn offload(namespace: &Namespace, device: &str, feature: &str, on: bool) -> Result<()> {
    run_ok(namespace.command("ethtool").args(["-K", device, feature, if on { "on" } else { "off" }]))?;
    Ok(())
}
