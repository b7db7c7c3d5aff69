//! TCP with its options.

use core::net::IpAddr;

use etherparse::TcpHeaderSlice;

use super::field::{Layers, Span};
use super::framed::Framed;
use super::ftp;
use super::packet::{Packet, names};
use super::tls;
use crate::view::explain::words::Term;

/// Reads a TCP segment and its payload.
pub(super) fn read(layers: &mut Layers, frame: &Framed<'_>, packet: &Packet) {
    let at = packet.at;
    let captured = frame.raw.bytes.get(at..).unwrap_or_default();
    // Ethernet pads short frames.
    let segment = captured.get(..packet.len).unwrap_or(captured);
    let Ok(header) = TcpHeaderSlice::from_slice(segment) else {
        return layers.rest(at, segment.len(), Term::Broken);
    };
    let (source, destination) = (header.source_port(), header.destination_port());
    layers.open(Term::Tcp, &format!("{source} → {destination}"));
    layers.add(Term::SourcePort, Span::new(at, 2), source.to_string());
    layers.add(Term::DestinationPort, Span::new(at + 2, 2), destination.to_string());
    layers.add(Term::Sequence, Span::new(at + 4, 4), header.sequence_number().to_string());
    layers.add(Term::Acknowledgment, Span::new(at + 8, 4), header.acknowledgment_number().to_string());
    let header_len = header.slice().len();
    let length = format!("{} ({:04b} ....)", layers.bytes(header_len), header.data_offset());
    layers.add(Term::HeaderLength, Span::new(at + 12, 1), length);
    let flags = [
        (header.ns(), "NS"),
        (header.cwr(), "CWR"),
        (header.ece(), "ECE"),
        (header.urg(), "URG"),
        (header.ack(), "ACK"),
        (header.psh(), "PSH"),
        (header.rst(), "RST"),
        (header.syn(), "SYN"),
        (header.fin(), "FIN"),
    ];
    let bits = flags.iter().fold(0_u16, |bits, (is_set, _)| bits << 1 | u16::from(*is_set));
    layers.add(Term::Flags, Span::new(at + 12, 2), format!("{bits:#05x} ({})", names(&flags)));
    layers.add(Term::Window, Span::new(at + 14, 2), header.window_size().to_string());
    let payload = segment.get(header_len..).unwrap_or_default();
    let (wire_header, wire) = on_wire(frame, at, segment.len()).unwrap_or_else(|| (header.clone(), payload));
    let right = (segment.len() == packet.len).then(|| checksum(&wire_header, packet.ends, wire)).flatten();
    let (place, sum) = (Span::new(at + 16, 2), wire_header.checksum());
    let continued = frame.continued.min(payload.len());
    let is_sealed = continued == payload.len() || wire.get(continued..).is_some_and(tls::is_record);
    if payload == wire || is_sealed {
        layers.add(Term::Checksum, place, layers.checksum(sum, right));
        layers.reveal(place);
    } else {
        layers.add(Term::Checksum, place, layers.masked_checksum(sum, right));
        layers.hide(place);
    }
    layers.add(Term::Urgent, Span::new(at + 18, 2), header.urgent_pointer().to_string());
    options(layers, header.options(), at + 20);
    if continued > 0 {
        layers.open(Term::Tls, layers.word(Term::Continued));
        layers.add(Term::Payload, Span::new(at + header_len, 0), layers.bytes(continued));
    }
    let at = at + header_len + continued;
    let (payload, wire) = (&payload.get(continued..), &wire.get(continued..));
    let (payload, wire) = (payload.unwrap_or_default(), wire.unwrap_or_default());
    if tls::is_record(wire) {
        tls::read(layers, wire, at);
    } else {
        ftp::read(layers, frame.ports, [source, destination], payload, at);
    }
}

/// The header and the payload of a segment as they were captured.
fn on_wire<'f>(frame: &Framed<'f>, at: usize, len: usize) -> Option<(TcpHeaderSlice<'f>, &'f [u8])> {
    let segment = frame.wire.get(at..at.checked_add(len)?)?;
    let header = TcpHeaderSlice::from_slice(segment).ok()?;
    let payload = segment.get(header.slice().len()..)?;
    Some((header, payload))
}

fn checksum(header: &TcpHeaderSlice<'_>, ends: [IpAddr; 2], payload: &[u8]) -> Option<u16> {
    match ends {
        [IpAddr::V4(source), IpAddr::V4(destination)] => {
            header.calc_checksum_ipv4_raw(source.octets(), destination.octets(), payload).ok()
        }
        [IpAddr::V6(source), IpAddr::V6(destination)] => {
            header.to_header().calc_checksum_ipv6_raw(source.octets(), destination.octets(), payload).ok()
        }
        _ => None,
    }
}

fn options(layers: &mut Layers, mut options: &[u8], mut at: usize) {
    while let Some(&kind) = options.first() {
        let len = match (kind, options.get(1)) {
            (0 | 1, _) => 1,
            (_, Some(&len)) if len >= 2 && usize::from(len) <= options.len() => usize::from(len),
            _ => {
                layers.add(Term::OtherOption, Span::new(at, options.len()), layers.word(Term::Broken));
                return;
            }
        };
        let (option, rest) = options.split_at(len);
        let (name, value) = option_text(layers, kind, option);
        layers.add(name, Span::new(at, len), value);
        (options, at) = (rest, at + len);
        if kind == 0 {
            return;
        }
    }
}

fn option_text(layers: &Layers, kind: u8, option: &[u8]) -> (Term, String) {
    let word = |bytes: &[u8]| bytes.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    match (kind, option) {
        (0, _) => (Term::EndOfOptions, String::new()),
        (1, _) => (Term::NoOperation, String::new()),
        (2, [_, _, value @ ..]) if value.len() == 2 => (Term::MaxSegment, layers.bytes(word(value) as usize)),
        (3, &[_, _, shift]) => (Term::WindowScale, format!("{shift} (×{})", 1_u64 << shift.min(14))),
        (4, [_, _]) => (Term::SackPermitted, String::new()),
        (5, [_, _, blocks @ ..]) => {
            let edges: Vec<u32> = blocks.chunks(4).map(word).collect();
            let blocks: Vec<String> = edges
                .chunks(2)
                .map(|edges| edges.iter().map(u32::to_string).collect::<Vec<_>>().join("–"))
                .collect();
            (Term::Sack, blocks.join(", "))
        }
        (8, [_, _, values @ ..]) if values.len() == 8 => {
            let (own, echo) = values.split_at(4);
            (Term::Timestamps, format!("{}, {}", word(own), word(echo)))
        }
        _ => (Term::OtherOption, format!("{kind}, {}", layers.bytes(option.len()))),
    }
}
