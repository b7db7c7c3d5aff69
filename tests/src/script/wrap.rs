//! The layers around an IP packet: tags, tunnels, link layers.

use std::net::Ipv4Addr;

use super::wire::{self, Packet, protocol};

/// The outer addresses of every tunnel: documentation addresses (RFC 5737).
const TUNNEL_ENDS: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 2));

/// EtherType of IPv4.
pub(super) const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_SERVICE_VLAN: u16 = 0x88a8;
const ETHERTYPE_MPLS: u16 = 0x8847;
const ETHERTYPE_PPPOE: u16 = 0x8864;

/// One layer around a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    /// IEEE 802.1Q tag.
    Vlan(u16),
    /// IEEE 802.1ad service tag; the customer's tag is a [`Wrap::Vlan`] inside it.
    ServiceVlan(u16),
    /// PPPoE session (RFC 2516).
    Pppoe(u16),
    /// One MPLS label (RFC 3032).
    Mpls(u32),
    /// GRE (RFC 2784) over IPv4.
    Gre,
    /// VXLAN (RFC 7348) over IPv4, with this network identifier.
    Vxlan(u32),
    /// IPv4 or IPv6 in IPv4 (RFC 2003, RFC 4213).
    IpInIp,
}

/// A packet with the EtherType that names it.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub(super) ethertype: u16,
    pub(super) packet: Packet,
}

impl Wrap {
    /// The packet inside this layer.
    pub(super) fn around(self, inner: Typed, identification: u16) -> Typed {
        let Typed { ethertype, packet } = inner;
        match self {
            Self::Vlan(id) => tagged(ETHERTYPE_VLAN, id, ethertype, packet),
            Self::ServiceVlan(id) => tagged(ETHERTYPE_SERVICE_VLAN, id, ethertype, packet),
            Self::Pppoe(session) => {
                let ppp: u16 = if ethertype == ETHERTYPE_IPV6 { 0x0057 } else { 0x0021 };
                let mut header = vec![0x11, 0];
                header.extend(session.to_be_bytes());
                header.extend(((packet.wire_len + 2) as u16).to_be_bytes());
                header.extend(ppp.to_be_bytes());
                Typed { ethertype: ETHERTYPE_PPPOE, packet: packet.behind(&header) }
            }
            Self::Mpls(label) => {
                let bottom = u32::from(ethertype != ETHERTYPE_MPLS);
                let entry = (label << 12) | (bottom << 8) | 64;
                Typed { ethertype: ETHERTYPE_MPLS, packet: packet.behind(&entry.to_be_bytes()) }
            }
            Self::Gre => {
                let mut header = vec![0, 0];
                header.extend(ethertype.to_be_bytes());
                tunnelled(protocol::GRE, identification, packet.behind(&header))
            }
            Self::Vxlan(network) => {
                let mut header = vec![0x08, 0, 0, 0];
                header.extend((network << 8).to_be_bytes());
                header.extend([2, 0, 0, 0, 9, 2, 2, 0, 0, 0, 9, 1]);
                header.extend(ethertype.to_be_bytes());
                let datagram = wire::udp(54_321, 4_789, packet.behind(&header));
                tunnelled(protocol::UDP, identification, datagram)
            }
            Self::IpInIp => {
                let kind = if ethertype == ETHERTYPE_IPV6 { protocol::IPV6_IN_IP } else { protocol::IPIP };
                tunnelled(kind, identification, packet)
            }
        }
    }
}

fn tagged(kind: u16, id: u16, ethertype: u16, packet: Packet) -> Typed {
    let mut header = Vec::with_capacity(4);
    header.extend((id & 0x0fff).to_be_bytes());
    header.extend(ethertype.to_be_bytes());
    Typed { ethertype: kind, packet: packet.behind(&header) }
}

fn tunnelled(kind: u8, identification: u16, payload: Packet) -> Typed {
    let (source, destination) = TUNNEL_ENDS;
    let packet = wire::ipv4(source, destination, kind, identification, &[], None, payload);
    Typed { ethertype: ETHERTYPE_IPV4, packet }
}

/// The link layer of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Ethernet II.
    #[default]
    Ethernet,
    /// No link layer: IPv4 or IPv6 from the first byte.
    Raw,
    /// Linux cooked capture, version 1.
    Cooked,
    /// Linux cooked capture, version 2.
    Cooked2,
    /// BSD null: the address family in the byte order of the host that captured (here little endian).
    Null,
    /// OpenBSD loop: the address family in network order.
    Loop,
}

impl Link {
    /// Its LINKTYPE value in a capture file.
    pub const fn number(self) -> u16 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Raw => 101,
            Self::Loop => 108,
            Self::Cooked => 113,
            Self::Cooked2 => 276,
        }
    }

    /// The frame around a packet; `ends` number the hosts that send and receive.
    pub(super) fn frame(self, typed: Typed, ends: (u8, u8)) -> Packet {
        let Typed { ethertype, packet } = typed;
        let (sender, receiver) = ends;
        // AF_INET, and AF_INET6 as FreeBSD numbers it.
        let family: u32 = if ethertype == ETHERTYPE_IPV6 { 28 } else { 2 };
        let mut header = Vec::with_capacity(20);
        match self {
            Self::Ethernet => {
                header.extend([2, 0, 0, 0, 0, receiver, 2, 0, 0, 0, 0, sender]);
                header.extend(ethertype.to_be_bytes());
            }
            Self::Raw => {}
            Self::Cooked => {
                header.extend([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, sender, 0, 0]);
                header.extend(ethertype.to_be_bytes());
            }
            Self::Cooked2 => {
                header.extend(ethertype.to_be_bytes());
                header.extend([0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, sender, 0, 0]);
            }
            Self::Null => header.extend(family.to_le_bytes()),
            Self::Loop => header.extend(family.to_be_bytes()),
        }
        packet.behind(&header)
    }
}
