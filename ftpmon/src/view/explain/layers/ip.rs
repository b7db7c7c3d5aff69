//! IPv4 and IPv6.

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::field::{Layers, Span};
use super::framed::Framed;
use super::packet::{Packet, names};
use super::tcp;
use crate::view::explain::words::Term;

/// IANA's number of TCP.
const TCP: u8 = 6;
/// Extension headers at most: a packet of nothing but them ends.
const EXTENSIONS_MAX: usize = 8;

/// Reads an IPv4 packet and all that is in it.
pub(super) fn v4(layers: &mut Layers, frame: &Framed<'_>, at: usize) {
    let rest = frame.raw.bytes.get(at..).unwrap_or_default();
    let Ok(header) = Ipv4HeaderSlice::from_slice(rest) else {
        return layers.rest(at, rest.len(), Term::Broken);
    };
    let (source, destination) = (header.source_addr(), header.destination_addr());
    layers.open(Term::Ipv4, &format!("{source} → {destination}"));
    let header_len = header.slice().len();
    layers.add(Term::Version, Span::new(at, 1), "4 (0100 ....)");
    let length = format!("{} (.... {:04b})", layers.bytes(header_len), header.ihl());
    layers.add(Term::HeaderLength, Span::new(at, 1), length);
    layers.add(Term::Dscp, Span::new(at + 1, 1), header.dcp().value().to_string());
    layers.add(Term::Ecn, Span::new(at + 1, 1), header.ecn().value().to_string());
    layers.add(Term::TotalLength, Span::new(at + 2, 2), layers.bytes(usize::from(header.total_len())));
    let identification = header.identification();
    layers.add(
        Term::Identification,
        Span::new(at + 4, 2),
        format!("{identification:#06x} ({identification})"),
    );
    let flags = [(header.dont_fragment(), "DF"), (header.more_fragments(), "MF")];
    layers.add(Term::Flags, Span::new(at + 6, 1), names(&flags));
    let offset = u32::from(header.fragments_offset().value()) * 8;
    layers.add(Term::FragmentOffset, Span::new(at + 6, 2), offset.to_string());
    layers.add(Term::TimeToLive, Span::new(at + 8, 1), header.ttl().to_string());
    let protocol = header.protocol().0;
    layers.add(Term::Protocol, Span::new(at + 9, 1), protocol_text(protocol));
    let right = header.to_header().calc_header_checksum();
    layers.add(
        Term::HeaderChecksum,
        Span::new(at + 10, 2),
        layers.checksum(header.header_checksum(), Some(right)),
    );
    layers.add(Term::Source, Span::new(at + 12, 4), source.to_string());
    layers.add(Term::Destination, Span::new(at + 16, 4), destination.to_string());
    if header_len > 20 {
        layers.add(Term::Options, Span::new(at + 20, header_len - 20), layers.bytes(header_len - 20));
    }
    let packet = Packet {
        ends: [source.into(), destination.into()],
        at: at + header_len,
        len: usize::from(header.total_len()).saturating_sub(header_len),
    };
    let is_fragment = header.more_fragments() || offset > 0;
    inner(layers, frame, &packet, protocol, is_fragment);
}

/// Reads an IPv6 packet and all that is in it.
pub(super) fn v6(layers: &mut Layers, frame: &Framed<'_>, at: usize) {
    let rest = frame.raw.bytes.get(at..).unwrap_or_default();
    let Ok(header) = Ipv6HeaderSlice::from_slice(rest) else {
        return layers.rest(at, rest.len(), Term::Broken);
    };
    let (source, destination) = (header.source_addr(), header.destination_addr());
    layers.open(Term::Ipv6, &format!("{source} → {destination}"));
    layers.add(Term::Version, Span::new(at, 1), "6 (0110 ....)");
    let class = header.traffic_class();
    layers.add(Term::Dscp, Span::new(at, 2), (class >> 2).to_string());
    layers.add(Term::Ecn, Span::new(at + 1, 1), (class & 3).to_string());
    layers.add(Term::FlowLabel, Span::new(at + 1, 3), format!("{:#07x}", header.flow_label().value()));
    let len = usize::from(header.payload_length());
    layers.add(Term::PayloadLength, Span::new(at + 4, 2), layers.bytes(len));
    let mut protocol = header.next_header().0;
    layers.add(Term::NextHeader, Span::new(at + 6, 1), protocol_text(protocol));
    layers.add(Term::HopLimit, Span::new(at + 7, 1), header.hop_limit().to_string());
    layers.add(Term::Source, Span::new(at + 8, 16), source.to_string());
    layers.add(Term::Destination, Span::new(at + 24, 16), destination.to_string());
    let mut packet = Packet { ends: [source.into(), destination.into()], at: at + 40, len };
    let mut is_fragment = false;
    for _ in 0..EXTENSIONS_MAX {
        let rest = frame.raw.bytes.get(packet.at..).unwrap_or_default();
        let (0 | 43 | 44 | 60, &[next, length, high, low, ..]) = (protocol, rest) else { break };
        let length = if protocol == 44 { 8 } else { (usize::from(length) + 1) * 8 };
        // Offset and the flag of more fragments: all but two reserved bits.
        is_fragment |= protocol == 44 && u16::from_be_bytes([high, low]) & 0xfff9 != 0;
        let value = format!("{}, {}", protocol_text(protocol), layers.bytes(length));
        layers.add(Term::Extension, Span::new(packet.at, length.min(rest.len())), value);
        (protocol, packet.at) = (next, packet.at + length);
        packet.len = packet.len.saturating_sub(length);
    }
    inner(layers, frame, &packet, protocol, is_fragment);
}

fn inner(layers: &mut Layers, frame: &Framed<'_>, packet: &Packet, protocol: u8, is_fragment: bool) {
    if protocol == TCP && !is_fragment {
        tcp::read(layers, frame, packet);
    } else {
        let captured = frame.raw.bytes.len().saturating_sub(packet.at).min(packet.len);
        layers.rest(packet.at, captured, if is_fragment { Term::FragmentOffset } else { Term::Protocol });
    }
}

fn protocol_text(number: u8) -> String {
    let name = match number {
        0 => " (hop-by-hop)",
        1 => " (ICMP)",
        4 => " (IPv4)",
        TCP => " (TCP)",
        17 => " (UDP)",
        41 => " (IPv6)",
        43 => " (routing)",
        44 => " (fragment)",
        47 => " (GRE)",
        58 => " (ICMPv6)",
        60 => " (destination options)",
        _ => "",
    };
    format!("{number}{name}")
}
