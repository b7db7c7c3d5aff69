//! Builders for captures in either format and endianness.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::pcapng;
use super::Got;
use ftpmon_core::frame::LinkType;

/// Writes numbers in one endianness.
#[derive(Clone, Copy)]
pub(super) struct Order {
    pub(super) big: bool,
}

impl Order {
    pub(super) fn u16(self, value: u16) -> [u8; 2] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(super) fn u32(self, value: u32) -> [u8; 4] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(super) fn u64(self, value: u64) -> [u8; 8] {
        if self.big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(super) fn words(self, values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| self.u32(*value)).collect()
    }
}

pub(super) const LITTLE: Order = Order { big: false };
pub(super) const BIG: Order = Order { big: true };
pub(super) const ORDERS: [Order; 2] = [LITTLE, BIG];

pub(super) fn pcap_header(order: Order, magic: u32, link: u32) -> Vec<u8> {
    [order.words(&[magic]), [order.u16(2), order.u16(4)].concat(), order.words(&[0, 0, 262_144, link])]
        .concat()
}

pub(super) fn pcap_record(order: Order, seconds: u32, fraction: u32, wire_len: u32, bytes: &[u8]) -> Vec<u8> {
    [order.words(&[seconds, fraction, bytes.len() as u32, wire_len]), bytes.to_vec()].concat()
}

/// Two packets; where each of its parts ends.
pub(super) fn pcap(order: Order, magic: u32) -> (Vec<u8>, Vec<usize>) {
    let parts = [
        pcap_header(order, magic, 1),
        pcap_record(order, 10, 7, 3, b"one"),
        pcap_record(order, 11, 999_999, 300, b"second"),
    ];
    joined(&parts)
}

pub(super) fn joined(parts: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
    let ends = parts.iter().scan(0, |end, part| {
        *end += part.len();
        Some(*end)
    });
    (parts.concat(), ends.collect())
}

pub(super) fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let body = [body, &vec![0; body.len().next_multiple_of(4) - body.len()]].concat();
    let len = body.len() as u32 + 12;
    [order.words(&[kind, len]), body, order.words(&[len])].concat()
}

pub(super) fn section(order: Order) -> Vec<u8> {
    let version = [order.u16(1), order.u16(0)].concat();
    block(order, SHB, &[order.words(&[0x1a2b_3c4d]), version, order.u64(u64::MAX).to_vec()].concat())
}

pub(super) const SHB: u32 = pcapng::SECTION_HEADER;

pub(super) fn options(order: Order, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (code, value) in options {
        out.extend(order.u16(*code));
        out.extend(order.u16(value.len() as u16));
        out.extend(*value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out.extend([0; 4]);
    out
}

pub(super) fn interface(order: Order, link: u16, snap_len: u32, given: &[(u16, &[u8])]) -> Vec<u8> {
    let body = [[order.u16(link), [0; 2]].concat(), order.words(&[snap_len]), options(order, given)];
    block(order, 1, &body.concat())
}

pub(super) fn enhanced(order: Order, interface: u32, ticks: u64, wire_len: u32, bytes: &[u8]) -> Vec<u8> {
    let head = order.words(&[interface, (ticks >> 32) as u32, ticks as u32, bytes.len() as u32, wire_len]);
    let mut body = [&head[..], bytes].concat();
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(options(order, &[(1, b"a comment")]));
    block(order, 6, &body)
}

/// A file with every kind of block; where each ends.
pub(super) fn pcapng(order: Order) -> (Vec<u8>, Vec<usize>) {
    let old = [[order.u16(1), order.u16(9)].concat(), order.words(&[0, 5_000, 3, 3]), b"old\0".to_vec()];
    joined(&[
        section(order),
        interface(order, 1, 0, &[(2, b"eth0"), (9, &[9])]),
        interface(order, 101, 4, &[(9, &[3]), (14, &order.u64(100))]),
        enhanced(order, 0, 10_000_000_007, 3, b"one"),
        block(order, 0x0bad, b"nobody looks into this"),
        block(order, 3, &[&order.words(&[3])[..], b"two"].concat()),
        block(order, 2, &old.concat()),
        block(order, 5, &order.words(&[0, 0, 0])),
        section(order),
        interface(order, 113, 2, &[]),
        enhanced(order, 0, 11_999_999, 300, b"last"),
        block(order, 3, &[&order.words(&[400])[..], b"cu"].concat()),
    ])
}

pub(super) fn pcapng_packets() -> Vec<Got> {
    let got = |ns, link, bytes: &[u8], wire_len, interface| Got {
        ns,
        link,
        bytes: bytes.to_vec(),
        wire_len,
        interface,
    };
    vec![
        got(10_000_000_007, LinkType::Ethernet, b"one", 3, 0),
        got(10_000_000_007, LinkType::Ethernet, b"two", 3, 0),
        got(105_000_000_000, LinkType::Ip, b"old", 3, 1),
        got(11_999_999_000, LinkType::LinuxCooked, b"last", 300, 0),
        got(11_999_999_000, LinkType::LinuxCooked, b"cu", 400, 0),
    ]
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
