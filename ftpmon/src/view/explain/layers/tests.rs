use std::collections::BTreeSet;

use ftpmon_core::frame::{LinkType, RawFrame};
use ftpmon_core::segment::InterfaceId;
use ftpmon_event::time::Timestamp;
use proptest::prelude::*;

use super::plain::text;
use super::*;

/// A frame in Ethernet, IPv4 and TCP, as RFC 894, RFC 791 and RFC 9293 have their fields. Its checksums were worked out by hand
/// from RFC 1071.
const FRAME: [u8; 70] = [
    0x02, 0, 0, 0, 0, 0x15, 0x02, 0, 0, 0, 0, 0x0a, 0x08, 0x00, // Ethernet
    0x45, 0x00, 0x00, 0x38, 0x00, 0x01, 0x40, 0x00, 0x40, 0x06, 0xb6, 0x9f, 192, 0, 2, 10, 192, 0, 2,
    21, // IPv4
    0x9c, 0x40, 0x00, 0x15, 0, 0, 0, 1, 0, 0, 0, 2, 0x70, 0x18, 0x20, 0x00, 0, 0, 0, 0, // TCP
    2, 4, 5, 0xb4, 1, 3, 3, 7, // options
    b'N', b'O', b'O', b'P', b'\r', b'\n', b'x', b'y', // 2 lines
];

fn layers_of(bytes: &[u8], link: LinkType) -> Layers {
    masked_layers_of(bytes, bytes, link)
}

fn masked_layers_of(bytes: &[u8], wire: &[u8], link: LinkType) -> Layers {
    let raw = RawFrame { link, bytes, wire_len: bytes.len() as u32, interface: InterfaceId(0), tag: None };
    let ports = BTreeSet::from([21]);
    let at = [Timestamp::default(); 2];
    layers(&Framed { number: 1, at, raw, wire, continued: 0, ports: &ports }, Language::En)
}

fn values(layers: &Layers, name: Term) -> Vec<(usize, usize, &str)> {
    let fields = layers.list.iter().flat_map(|layer| &layer.fields);
    let named = fields.filter(|field| field.name == name);
    named.map(|field| (field.span.at, field.span.len, field.value.as_str())).collect()
}

#[test]
fn every_field_stands_where_its_rfc_has_it() {
    let layers = layers_of(&FRAME, LinkType::Ethernet);
    let names: Vec<Term> = layers.list.iter().map(|layer| layer.name).collect();
    assert_eq!(names, [Term::Frame, Term::Ethernet, Term::Ipv4, Term::Tcp, Term::Ftp]);
    assert_eq!(values(&layers, Term::EtherType), [(12, 2, "0x0800 (IPv4)")]);
    assert_eq!(values(&layers, Term::TotalLength), [(16, 2, "56 bytes")]);
    assert_eq!(values(&layers, Term::Source), [(6, 6, "02:00:00:00:00:0a"), (26, 4, "192.0.2.10")]);
    assert_eq!(values(&layers, Term::Flags), [(20, 1, "DF"), (46, 2, "0x018 (ACK, PSH)")]);
    assert_eq!(values(&layers, Term::Sequence), [(38, 4, "1")]);
    assert_eq!(
        values(&layers, Term::HeaderLength),
        [(14, 1, "20 bytes (.... 0101)"), (46, 1, "28 bytes (0111 ....)")]
    );
    assert_eq!(values(&layers, Term::Window), [(48, 2, "8192")]);
    assert_eq!(values(&layers, Term::MaxSegment), [(54, 4, "1460 bytes")]);
    assert_eq!(values(&layers, Term::WindowScale), [(59, 3, "7 (×128)")]);
    assert_eq!(values(&layers, Term::Command), [(62, 4, "NOOP"), (68, 2, "xy")]);
    assert_eq!(values(&layers, Term::LineEnd), [(66, 2, "CR LF")]);
    assert_eq!(values(&layers, Term::HeaderChecksum), [(24, 2, "0xb69f, correct")]);
}

#[test]
fn fields_follow_the_order_of_the_wire() {
    let layers = layers_of(&FRAME, LinkType::Ethernet);
    let fields = layers.list.iter().flat_map(|layer| &layer.fields).filter(|field| field.span.len > 0);
    let places: Vec<usize> = fields.map(|field| field.span.at).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_checksum_that_is_wrong_says_the_right_one() {
    let mut bytes = FRAME;
    bytes[25] ^= 1;
    let layers = layers_of(&bytes, LinkType::Ethernet);
    assert_eq!(values(&layers, Term::HeaderChecksum), [(24, 2, "0xb69e, wrong, should be 0xb69f")]);
    let cut = layers_of(&FRAME[..64], LinkType::Ethernet);
    assert!(values(&cut, Term::Checksum)[0].2.contains("not verified"));
}

/// FRAME with the right checksum of TCP, worked out with RFC 1071 over its pseudo header.
fn summed() -> [u8; 70] {
    let mut bytes = FRAME;
    let pseudo = [192, 0, 2, 10, 192, 0, 2, 21, 0, 6, 0, 36];
    let pairs = pseudo.chunks(2).chain(FRAME[34..].chunks(2));
    let mut sum: u32 = pairs.map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    bytes[50..52].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    bytes
}

#[test]
fn the_checksum_of_masked_bytes_is_judged_by_the_wire_and_not_shown() {
    let wire = summed();
    let plain = layers_of(&wire, LinkType::Ethernet);
    assert!(values(&plain, Term::Checksum)[0].2.ends_with(", correct"));
    for (spoiled, verdict) in [(0, "it is correct"), (1, "it is wrong")] {
        let mut wire = wire;
        wire[51] ^= spoiled;
        let mut shown = wire;
        shown[62..66].copy_from_slice(b"****");
        let layers = masked_layers_of(&shown, &wire, LinkType::Ethernet);
        let (at, len, value) = values(&layers, Term::Checksum)[0];
        assert!((at, len) == (50, 2) && value.ends_with(verdict) && !value.contains("0x"), "{value}");
        layers.settle(&wire, &mut shown);
        assert_eq!(shown[50..52], *b"**");
    }
}

/// Records as RFC 8446 section 5.1 has them: type, version, length, and what they carry.
#[test]
fn tls_records_are_no_lines_of_ftp() {
    let hello = [22, 3, 1, 0, 6, 1, 0, 0, 2, b'\n', 7];
    let sealed = [23, 3, 3, 0, 3, 9, 9, 9];
    let wire = [&FRAME[..62], &hello, &sealed].concat();
    let mut wire = wire;
    // The total length of IPv4.
    wire[17] = (20 + 28 + hello.len() + sealed.len()) as u8;
    let mut shown = wire.clone();
    shown[62..].fill(b'*');
    let layers = masked_layers_of(&shown, &wire, LinkType::Ethernet);
    let names: Vec<Term> = layers.list.iter().map(|layer| layer.name).skip(4).collect();
    assert_eq!(names, [Term::Tls, Term::Tls]);
    assert_eq!(
        values(&layers, Term::ContentType),
        [(62, 1, "22 (handshake)"), (73, 1, "23 (application data)")]
    );
    assert_eq!(values(&layers, Term::Payload), [(67, 6, "ClientHello"), (78, 0, "3 bytes")]);
    layers.settle(&wire, &mut shown);
    assert_eq!(shown[62..78], wire[62..78], "a hello has no secret");
    assert_eq!(shown[78..], *b"***", "what is sealed stays as it was shown");
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..120), at in 0..70_usize, link in 0..5_usize) {
        let links = [LinkType::Ethernet, LinkType::Ip, LinkType::LinuxCooked, LinkType::Loopback, LinkType::Ppp];
        // Behind a part of a good frame, so that all headers are reached.
        let bytes = [&FRAME[..at], &bytes].concat();
        let layers = layers_of(&bytes, links[link]);
        prop_assert!(!text(&layers, &bytes, 80, false).is_empty());
    }
}
