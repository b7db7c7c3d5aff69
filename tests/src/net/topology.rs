//! The networks that the tests are played on.

use std::net::IpAddr;

use anyhow::Result;

use super::{Namespace, Program, Veth, offload};
use crate::net::{Attached, Hook};

/// The address family of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The client's and the server's addresses on a topology.
#[derive(Clone, Copy, Debug)]
pub struct Hosts {
    /// The client's.
    pub client: IpAddr,
    /// The server's.
    pub server: IpAddr,
}

/// Client and server on one wire. Devices: `eth0` on both.
#[derive(Debug)]
pub struct Direct {
    /// The client's namespace.
    pub client: Namespace,
    /// The server's namespace.
    pub server: Namespace,
}

impl Direct {
    /// The device's name at either end.
    pub const DEVICE: &'static str = "eth0";

    /// A wire with an MTU in bytes; addresses as [`Direct::hosts`] tells.
    ///
    /// # Errors
    /// No right, or `ip` failed.
    pub fn new(mtu: u32) -> Result<Self> {
        Self::with_addresses(mtu, &["10.77.0.1/24", "fd77::1/64"], &["10.77.0.2/24", "fd77::2/64"])
    }

    /// A wire whose ends have these addresses.
    ///
    /// # Errors
    /// No right, or `ip` failed.
    pub fn with_addresses(mtu: u32, client: &[&str], server: &[&str]) -> Result<Self> {
        let wire = Self { client: Namespace::new("client")?, server: Namespace::new("server")? };
        let client = Veth { namespace: &wire.client, name: Self::DEVICE, addresses: client };
        let server = Veth { namespace: &wire.server, name: Self::DEVICE, addresses: server };
        client.pair_with(&server, mtu)?;
        Ok(wire)
    }

    /// The addresses of [`Direct::new`].
    pub const fn hosts(family: Family) -> Hosts {
        match family {
            Family::V4 => Hosts { client: v4([10, 77, 0, 1]), server: v4([10, 77, 0, 2]) },
            Family::V6 => Hosts { client: v6(0xfd77, 0, 1), server: v6(0xfd77, 0, 2) },
        }
    }
}

/// Client and server with a router between. Devices: `eth0` at the ends; the router has `client0` and `server0`.
#[derive(Debug)]
pub struct Routed {
    /// The client's namespace.
    pub client: Namespace,
    /// The router's.
    pub router: Namespace,
    /// The server's.
    pub server: Namespace,
}

impl Routed {
    /// The router's device on the client's wire.
    pub const CLIENT_SIDE: &'static str = "client0";
    /// The router's device on the server's wire.
    pub const SERVER_SIDE: &'static str = "server0";

    /// Both wires with an MTU in bytes.
    ///
    /// # Errors
    /// No right, or `ip` failed.
    pub fn new(mtu: u32) -> Result<Self> {
        let net = Self {
            client: Namespace::new("client")?,
            router: Namespace::new("router")?,
            server: Namespace::new("server")?,
        };
        let client =
            Veth { namespace: &net.client, name: "eth0", addresses: &["10.78.1.1/24", "fd78:1::1/64"] };
        let server =
            Veth { namespace: &net.server, name: "eth0", addresses: &["10.78.2.2/24", "fd78:2::2/64"] };
        let near = ["10.78.1.254/24", "fd78:1::fe/64"];
        let far = ["10.78.2.254/24", "fd78:2::fe/64"];
        Veth { namespace: &net.router, name: Self::CLIENT_SIDE, addresses: &near }.pair_with(&client, mtu)?;
        Veth { namespace: &net.router, name: Self::SERVER_SIDE, addresses: &far }.pair_with(&server, mtu)?;
        net.router.sysctl("ipv4/ip_forward", "1")?;
        net.router.sysctl("ipv6/conf/all/forwarding", "1")?;
        net.client.ip("route add default via 10.78.1.254")?;
        net.client.ip("-6 route add default via fd78:1::fe")?;
        net.server.ip("route add default via 10.78.2.254")?;
        net.server.ip("-6 route add default via fd78:2::fe")?;
        Ok(net)
    }

    /// Its addresses.
    pub const fn hosts(family: Family) -> Hosts {
        match family {
            Family::V4 => Hosts { client: v4([10, 78, 1, 1]), server: v4([10, 78, 2, 2]) },
            Family::V6 => Hosts { client: v6(0xfd78, 1, 1), server: v6(0xfd78, 2, 2) },
        }
    }
}

/// Client and server on a tagged trunk, with a bridge between that passes tags on untouched: whoever watches the
/// bridge's ports sees every frame tagged. The ends push and pop the tag with kernel programs of the tests' own, so that
/// no 802.1Q device is needed. Devices: `eth0` at the ends; the bridge has the ports `client0` and `server0`.
#[derive(Debug)]
pub struct Bridged {
    /// The client's namespace.
    pub client: Namespace,
    /// The bridge's.
    pub bridge: Namespace,
    /// The server's.
    pub server: Namespace,
    _programs: Vec<Attached>,
}

impl Bridged {
    /// The bridge's port to the client.
    pub const CLIENT_SIDE: &'static str = "client0";
    /// The bridge's port to the server.
    pub const SERVER_SIDE: &'static str = "server0";

    /// A trunk whose frames carry these VLAN ids, outermost first (none: untagged). With `in_bytes` the outermost tag
    /// too stands in the frame's bytes; else it travels in the packet's metadata, where XDP cannot see it.
    ///
    /// # Errors
    /// No right, `ip` or ethtool failed, or the kernel refused a program.
    pub fn new(mtu: u32, tags: &[u16], in_bytes: bool) -> Result<Self> {
        let (client, bridge, server) =
            (Namespace::new("client")?, Namespace::new("bridge")?, Namespace::new("server")?);
        // Room for two tags within the frame, so that the ends may fill their MTU.
        bridge.ip("link add name br0 type bridge")?;
        let hosts = [
            (&client, Self::CLIENT_SIDE, ["10.77.0.1/24", "fd77::1/64"]),
            (&server, Self::SERVER_SIDE, ["10.77.0.2/24", "fd77::2/64"]),
        ];
        let mut programs = Vec::new();
        for (namespace, port, addresses) in hosts {
            let end = Veth { namespace, name: Direct::DEVICE, addresses: &addresses };
            Veth { namespace: &bridge, name: port, addresses: &[] }.pair_with(&end, mtu)?;
            namespace.ip(&format!("link set dev {} mtu {}", Direct::DEVICE, mtu.saturating_sub(8)))?;
            bridge.ip(&format!("link set dev {port} master br0"))?;
            if tags.is_empty() {
                continue;
            }
            if in_bytes {
                for feature in ["tx-vlan-hw-insert", "tx-vlan-stag-hw-insert"] {
                    offload(namespace, Direct::DEVICE, feature, false)?;
                }
            }
            programs.push(Program::push_vlan(tags)?.attach(namespace, Direct::DEVICE, Hook::TcxEgress)?);
            programs.push(Program::pop_vlan(tags.len())?.attach(
                namespace,
                Direct::DEVICE,
                Hook::TcxIngress,
            )?);
        }
        bridge.ip("link set dev br0 up")?;
        Ok(Self { client, bridge, server, _programs: programs })
    }

    /// Its addresses.
    pub const fn hosts(family: Family) -> Hosts {
        Direct::hosts(family)
    }
}

const fn v4(octets: [u8; 4]) -> IpAddr {
    let [a, b, c, d] = octets;
    IpAddr::V4(std::net::Ipv4Addr::new(a, b, c, d))
}

const fn v6(site: u16, net: u16, host: u16) -> IpAddr {
    IpAddr::V6(std::net::Ipv6Addr::new(site, net, 0, 0, 0, 0, 0, host))
}
