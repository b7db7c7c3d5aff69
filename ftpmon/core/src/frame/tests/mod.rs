//! Frames built with etherparse and by hand.

mod fragments;
mod hostile;
mod ip;
mod links;
mod tunnels;

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, TcpHeader};

use super::{DecodeCounters, Decoder, LinkType, RawFrame};
use crate::segment::InterfaceId;
use crate::time::Timestamp;

const PAYLOAD: &[u8] = b"RETR file\r\n";

/// The fields of a segment that tests compare.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    ends: String,
    payload: Vec<u8>,
    wire_payload_len: u32,
    vlan: Vec<u16>,
}

fn raw(link: LinkType, bytes: &[u8]) -> RawFrame<'_> {
    let wire_len = u32::try_from(bytes.len()).unwrap();
    RawFrame { link, bytes, wire_len, interface: InterfaceId(3), tag: None }
}

fn decode(decoder: &mut Decoder, frame: &RawFrame<'_>) -> Option<Seen> {
    decode_at(decoder, 0, frame)
}

fn decode_at(decoder: &mut Decoder, seconds: i64, frame: &RawFrame<'_>) -> Option<Seen> {
    let segment = decoder.decode(Timestamp::from_parts(seconds, 0), frame)?;
    assert_eq!(segment.interface, frame.interface);
    Some(Seen {
        ends: format!("{} {}", segment.src, segment.dst),
        payload: segment.payload.to_vec(),
        wire_payload_len: segment.wire_payload_len,
        vlan: segment.vlan.as_slice().to_vec(),
    })
}

/// Decodes one frame with a decoder of its own.
fn decode_one(link: LinkType, bytes: &[u8]) -> Result<Seen, DecodeCounters> {
    let mut decoder = Decoder::default();
    decode(&mut decoder, &raw(link, bytes)).ok_or(*decoder.counters())
}

fn seen(ends: &str, vlan: &[u16]) -> Seen {
    let wire_payload_len = u32::try_from(PAYLOAD.len()).unwrap();
    Seen { ends: ends.to_owned(), payload: PAYLOAD.to_vec(), wire_payload_len, vlan: vlan.to_vec() }
}

const ENDS_V4: &str = "192.0.2.1:40000 192.0.2.2:21";
const ENDS_V6: &str = "[2001:db8::1]:40000 [2001:db8::2]:21";
const SRC_V6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const DST_V6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// An IPv4 packet with [`PAYLOAD`] in a TCP segment between [`ENDS_V4`].
fn ipv4() -> Vec<u8> {
    let mut out = Vec::new();
    let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).tcp(40000, 21, 1, 1000).ack(2);
    builder.write(&mut out, PAYLOAD).unwrap();
    out
}

/// The same over IPv6, between [`ENDS_V6`].
fn ipv6() -> Vec<u8> {
    let mut out = Vec::new();
    let builder = PacketBuilder::ipv6(SRC_V6, DST_V6, 64).tcp(40000, 21, 1, 1000).ack(2);
    builder.write(&mut out, PAYLOAD).unwrap();
    out
}

/// A TCP segment alone.
fn tcp(payload: &[u8]) -> Vec<u8> {
    let mut out = TcpHeader::new(40000, 21, 1, 1000).to_bytes().to_vec();
    out.extend(payload);
    out
}

/// An IPv4 packet around `payload` between [`ENDS_V4`].
fn in_ipv4(protocol: IpNumber, payload: &[u8]) -> Vec<u8> {
    ipv4_fragment(protocol, 1, 0, false, payload)
}

fn ipv4_fragment(protocol: IpNumber, id: u16, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap();
    let mut header = Ipv4Header::new(len, 64, protocol, [192, 0, 2, 1], [192, 0, 2, 2]).unwrap();
    header.identification = id;
    header.fragment_offset = IpFragOffset::try_new(u16::try_from(offset / 8).unwrap()).unwrap();
    header.more_fragments = more;
    header.dont_fragment = false;
    let mut out = header.to_bytes().to_vec();
    out.extend(payload);
    out
}

/// An IPv6 packet around `payload`, whose first header is `next_header`, between [`ENDS_V6`].
fn in_ipv6(next_header: IpNumber, payload: &[u8]) -> Vec<u8> {
    let header = Ipv6Header {
        payload_length: u16::try_from(payload.len()).unwrap(),
        next_header,
        hop_limit: 64,
        source: SRC_V6,
        destination: DST_V6,
        ..Ipv6Header::default()
    };
    let mut out = header.to_bytes().to_vec();
    out.extend(payload);
    out
}

/// An Ethernet frame.
fn in_ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[0x02; 6], &[0x04; 6], &ether_type.to_be_bytes()[..], payload].concat()
}

/// A UDP datagram.
fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    [&50000_u16.to_be_bytes(), &port.to_be_bytes(), &len.to_be_bytes(), &[0, 0][..], payload].concat()
}
