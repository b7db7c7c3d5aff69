//! The link layer, and VLAN tags.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};
use ftpmon_core::frame::LinkType;

use super::field::{Layers, Span};
use super::framed::Framed;
use super::ip;
use crate::view::explain::words::Term;

/// VLAN tags at most, as in the engine: a frame of nothing but tags ends.
const TAGS_MAX: usize = 8;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Reads the link layer and all that is behind it.
pub(super) fn read(layers: &mut Layers, frame: &Framed<'_>) {
    let bytes = frame.raw.bytes;
    if let Some(tag) = frame.raw.tag {
        layers.open(Term::Vlan, "");
        tag_fields(layers, None, tag.control);
    }
    let (ether_type, at) = match frame.raw.link {
        LinkType::Ethernet => match ethernet(layers, bytes) {
            Some(ether_type) => (ether_type, 14),
            None => return layers.rest(0, bytes.len(), Term::Broken),
        },
        LinkType::Ip => (ip_type(bytes), 0),
        LinkType::LinuxCooked => (typed(layers, bytes, 16, 14), 16),
        LinkType::LinuxCooked2 => (typed(layers, bytes, 20, 0), 20),
        LinkType::Loopback => {
            layers.open(Term::Link, "");
            let family =
                bytes.first_chunk::<4>().map(|family| format!("{:#010x}", u32::from_be_bytes(*family)));
            layers.add(Term::Protocol, Span::new(0, 4), family.unwrap_or_default());
            (ip_type(bytes.get(4..).unwrap_or_default()), 4)
        }
        _ => return layers.rest(0, bytes.len(), Term::Link),
    };
    let (ether_type, at) = tags(layers, bytes, ether_type, at);
    let rest = bytes.get(at..).unwrap_or_default();
    match ether_type {
        IPV4 => ip::v4(layers, frame, at),
        IPV6 => ip::v6(layers, frame, at),
        _ => layers.rest(at, rest.len(), Term::Protocol),
    }
}

fn ethernet(layers: &mut Layers, bytes: &[u8]) -> Option<u16> {
    let header = Ethernet2HeaderSlice::from_slice(bytes).ok()?;
    let (source, destination) = (mac(header.source()), mac(header.destination()));
    layers.open(Term::Ethernet, &format!("{source} → {destination}"));
    layers.add(Term::Destination, Span::new(0, 6), destination);
    layers.add(Term::Source, Span::new(6, 6), source);
    let ether_type = header.ether_type().0;
    layers.add(Term::EtherType, Span::new(12, 2), type_text(ether_type));
    Some(ether_type)
}

/// A header of a length, with the protocol at an offset.
fn typed(layers: &mut Layers, bytes: &[u8], len: usize, at: usize) -> u16 {
    layers.open(Term::Link, &layers.bytes(len));
    let Some(&[high, low]) = bytes.get(at..at + 2).filter(|_| bytes.len() >= len) else { return 0 };
    let ether_type = u16::from_be_bytes([high, low]);
    layers.add(Term::Protocol, Span::new(at, 2), type_text(ether_type));
    ether_type
}

/// Reads VLAN tags. Gives the protocol behind them, and where it begins.
fn tags(layers: &mut Layers, bytes: &[u8], mut ether_type: u16, mut at: usize) -> (u16, usize) {
    for _ in 0..TAGS_MAX {
        if !matches!(ether_type, 0x8100 | 0x88a8 | 0x9100) {
            break;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let Ok(header) = SingleVlanHeaderSlice::from_slice(rest) else { break };
        layers.open(Term::Vlan, &header.vlan_identifier().value().to_string());
        let control = rest.first_chunk::<2>().map_or(0, |control| u16::from_be_bytes(*control));
        tag_fields(layers, Some(at), control);
        ether_type = header.ether_type().0;
        layers.add(Term::EtherType, Span::new(at + 2, 2), type_text(ether_type));
        at += 4;
    }
    (ether_type, at)
}

fn tag_fields(layers: &mut Layers, at: Option<usize>, control: u16) {
    let span = at.map_or(Span::NONE, |at| Span::new(at, 2));
    layers.add(Term::Priority, span, (control >> 13).to_string());
    layers.add(Term::DropEligible, span, (control >> 12 & 1).to_string());
    layers.add(Term::VlanId, span, (control & 0xfff).to_string());
}

/// The EtherType of an IP packet, by its version.
fn ip_type(bytes: &[u8]) -> u16 {
    match bytes.first().map(|byte| byte >> 4) {
        Some(4) => IPV4,
        Some(6) => IPV6,
        _ => 0,
    }
}

fn type_text(ether_type: u16) -> String {
    let name = match ether_type {
        IPV4 => " (IPv4)",
        IPV6 => " (IPv6)",
        0x0806 => " (ARP)",
        0x8100 => " (802.1Q)",
        0x88a8 => " (802.1ad)",
        0x8847 => " (MPLS)",
        0x8864 => " (PPPoE)",
        _ => "",
    };
    format!("{ether_type:#06x}{name}")
}

fn mac([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}
