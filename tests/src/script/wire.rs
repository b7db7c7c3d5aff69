//! Headers of the layers 3 and 4, byte by byte.
//!
//! Nothing here is shared with the decoder under test: two readings of the RFCs stand against each other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// FIN of RFC 9293 section 3.1.
pub const FIN: u8 = 0x01;
/// SYN.
pub const SYN: u8 = 0x02;
/// RST.
pub const RST: u8 = 0x04;
/// PSH.
pub const PSH: u8 = 0x08;
/// ACK.
pub const ACK: u8 = 0x10;
/// URG.
pub const URG: u8 = 0x20;

/// IP protocol numbers used here.
pub(super) mod protocol {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const IPIP: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const IPV6_IN_IP: u8 = 41;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const GRE: u8 = 47;
    pub(crate) const DESTINATION: u8 = 60;
}

/// A packet of which only the head need exist: `bytes` are its first bytes, `wire_len` what it would be on a wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// The bytes that exist.
    pub bytes: Vec<u8>,
    /// The length on the wire, at least `bytes.len()`.
    pub wire_len: usize,
}

impl Packet {
    /// A packet that exists as a whole.
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self { wire_len: bytes.len(), bytes }
    }

    /// The same packet behind `header`.
    #[must_use]
    pub fn behind(self, header: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(header.len() + self.bytes.len());
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(&self.bytes);
        Self { bytes, wire_len: self.wire_len + header.len() }
    }
}

/// The Internet checksum (RFC 1071) over the parts taken as one run of bytes; every part but the last of even length.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for part in parts {
        let mut words = part.chunks_exact(2);
        for word in &mut words {
            if let [high, low] = *word {
                sum += u64::from(u16::from_be_bytes([high, low]));
            }
        }
        if let [last] = *words.remainder() {
            sum += u64::from(last) << 8;
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The fields of a TCP header that a script sets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Flags.
    pub flags: u8,
    /// Urgent pointer.
    pub urgent: u16,
}

/// A TCP segment from `source` to `destination`. Its checksum is right where the payload exists as a whole and 0, as a
/// network card with checksum offload would leave it, where it does not. `options` are padded by the caller.
pub fn tcp(source: IpAddr, destination: IpAddr, fields: &Tcp, options: &[u8], payload: &Packet) -> Packet {
    let mut header = Vec::with_capacity(20 + options.len());
    header.extend(fields.source.to_be_bytes());
    header.extend(fields.destination.to_be_bytes());
    header.extend(fields.seq.to_be_bytes());
    header.extend(fields.ack.to_be_bytes());
    header.push((((20 + options.len()) / 4) << 4) as u8);
    header.push(fields.flags);
    header.extend(0xfaf0u16.to_be_bytes());
    header.extend([0, 0]);
    header.extend(fields.urgent.to_be_bytes());
    header.extend_from_slice(options);
    if payload.wire_len == payload.bytes.len() {
        let sum = transport_checksum(source, destination, protocol::TCP, &header, &payload.bytes);
        if let Some(field) = header.get_mut(16..18) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
    payload.clone().behind(&header)
}

fn transport_checksum(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    header: &[u8],
    payload: &[u8],
) -> u16 {
    let length = ((header.len() + payload.len()) as u32).to_be_bytes();
    let tail = [0, 0, 0, protocol];
    match (source, destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            checksum(&[&from.octets(), &to.octets(), &length, &tail, header, payload])
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            checksum(&[&from.octets(), &to.octets(), &length, &tail, header, payload])
        }
        _ => 0,
    }
}

/// A UDP datagram without a checksum, which RFC 768 allows over IPv4 and RFC 7348 asks for under VXLAN.
pub(super) fn udp(source: u16, destination: u16, payload: Packet) -> Packet {
    let mut header = Vec::with_capacity(8);
    header.extend(source.to_be_bytes());
    header.extend(destination.to_be_bytes());
    header.extend(((payload.wire_len + 8) as u16).to_be_bytes());
    header.extend([0, 0]);
    payload.behind(&header)
}

/// The position of a fragment in its datagram.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FragmentAt {
    /// Offset in bytes, a multiple of 8.
    pub(super) offset: usize,
    /// More fragments follow.
    pub(super) more: bool,
}

/// An IPv4 packet (RFC 791). `options` are padded by the caller to a multiple of 4.
pub(super) fn ipv4(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    identification: u16,
    options: &[u8],
    fragment: Option<FragmentAt>,
    payload: Packet,
) -> Packet {
    let header_len = 20 + options.len();
    let fragmentation = match fragment {
        // Don't fragment.
        None => 0x4000,
        Some(at) => (u16::from(at.more) << 13) | (at.offset / 8) as u16,
    };
    let mut header = Vec::with_capacity(header_len);
    header.push(0x40 | (header_len / 4) as u8);
    header.push(0);
    header.extend(((header_len + payload.wire_len) as u16).to_be_bytes());
    header.extend(identification.to_be_bytes());
    header.extend(fragmentation.to_be_bytes());
    header.push(64);
    header.push(protocol);
    header.extend([0, 0]);
    header.extend(source.octets());
    header.extend(destination.octets());
    header.extend_from_slice(options);
    let sum = checksum(&[&header]);
    if let Some(field) = header.get_mut(10..12) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    payload.behind(&header)
}

/// An IPv6 packet (RFC 8200).
pub(super) fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, payload: Packet) -> Packet {
    let mut header = Vec::with_capacity(40);
    header.extend([0x60, 0, 0, 0]);
    header.extend((payload.wire_len as u16).to_be_bytes());
    header.push(next_header);
    header.push(64);
    header.extend(source.octets());
    header.extend(destination.octets());
    payload.behind(&header)
}

/// An IPv6 extension header of 8 bytes (RFC 8200 section 4) before `payload`.
pub(super) fn extension(kind: u8, next_header: u8, identification: u32, payload: Packet) -> Packet {
    let header = match kind {
        // Routing header type 0 with no segments left: a node passes over it.
        protocol::ROUTING => [next_header, 0, 0, 0, 0, 0, 0, 0],
        protocol::FRAGMENT => {
            let [a, b, c, d] = identification.to_be_bytes();
            [next_header, 0, 0, 0, a, b, c, d]
        }
        // Options headers: one PadN option of 4 bytes.
        _ => [next_header, 0, 1, 4, 0, 0, 0, 0],
    };
    payload.behind(&header)
}

/// The IPv6 fragment header (RFC 8200 section 4.5) before one fragment.
pub(super) fn ipv6_fragment(next_header: u8, identification: u32, at: FragmentAt, payload: Packet) -> Packet {
    let place = ((at.offset as u16) & 0xfff8) | u16::from(at.more);
    let mut header = vec![next_header, 0];
    header.extend(place.to_be_bytes());
    header.extend(identification.to_be_bytes());
    payload.behind(&header)
}

#[cfg(test)]
mod tests {
    use super::{Packet, checksum, ipv4};

    #[test]
    fn the_checksum_of_rfc_1071s_example() {
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
    }

    #[test]
    fn an_ipv4_header_sums_to_zero() {
        let packet =
            ipv4([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), 6, 7, &[], None, Packet::whole(vec![1, 2, 3]));
        assert_eq!(checksum(&[&packet.bytes[..20]]), 0);
        assert_eq!(packet.bytes[2..4], [0, 23]);
    }
}
