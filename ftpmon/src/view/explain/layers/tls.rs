//! TLS records (RFC 8446 section 5.1).

use ftpmon_core::segment::Segment;
use ftpmon_event::addr::Endpoint;

use super::field::{Layers, Span};
use crate::bounded::BoundedMap;
use crate::view::explain::words::Term;

/// Length of a record's header.
const HEADER: usize = 5;
/// Longest body of a record (RFC 8446 section 5.2).
const BODY_MAX: usize = (1 << 14) + 256;
/// Records of a segment that are shown. Stops a segment of empty ones.
const RECORDS_MAX: usize = 64;
/// Directions whose records are followed. Stops a capture of many connections from filling memory; of one that gave way the rest of a
/// record is read as lines.
const DIRECTIONS_MAX: usize = 16_384;

/// Bytes begin like a record of SSL 3.0 to TLS 1.3.
pub(super) const fn is_record(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=24, 3, 0..=4, _, _, ..])
}

/// The length of the body that a record's header tells.
fn body_len(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        [20..=24, 3, 0..=4, high, low, ..] => {
            Some(usize::from(u16::from_be_bytes([high, low]))).filter(|len| *len <= BODY_MAX)
        }
        _ => None,
    }
}

/// Reads the records at the head of a payload. `wire` has its bytes as they were captured: no header has a secret, and no hello.
pub(super) fn read(layers: &mut Layers, wire: &[u8], mut at: usize) {
    let mut rest = wire;
    for _ in 0..RECORDS_MAX {
        let (&[kind, major, minor, ..], Some(len)) = (rest, body_len(rest)) else { break };
        let body = rest.get(HEADER..).unwrap_or_default();
        let body = body.get(..len).unwrap_or(body);
        layers.open(Term::Tls, &layers.bytes(HEADER + len));
        layers.add(Term::ContentType, Span::new(at, 1), format!("{kind} ({})", kind_name(kind)));
        let version = u16::from_be_bytes([major, minor]);
        layers.add(Term::Version, Span::new(at + 1, 2), format!("{version:#06x} ({})", version_name(minor)));
        layers.add(Term::PayloadLength, Span::new(at + 3, 2), layers.bytes(len));
        layers.reveal(Span::new(at, HEADER));
        let hello = hello(kind, body);
        if let Some((name, len)) = hello {
            let span = Span::new(at + HEADER, len);
            layers.add(Term::Payload, span, name);
            layers.reveal(span);
        }
        let shown = hello.map_or(0, |(_, len)| len);
        if body.len() > shown {
            let further = layers.bytes(body.len() - shown);
            layers.add(Term::Payload, Span::new(at + HEADER + shown, 0), further);
        }
        let read = HEADER + body.len();
        at += read;
        rest = rest.get(read..).unwrap_or_default();
    }
    if !rest.is_empty() {
        layers.open(Term::Payload, &layers.bytes(rest.len()));
    }
}

/// A hello at the head of a handshake record (RFC 8446 section 4): its name, and its bytes in the record.
fn hello(kind: u8, body: &[u8]) -> Option<(&'static str, usize)> {
    let (22, &[message, high, middle, low, ..]) = (kind, body) else { return None };
    let name = match message {
        1 => "ClientHello",
        2 => "ServerHello",
        _ => return None,
    };
    let len = u32::from_be_bytes([0, high, middle, low]) as usize;
    Some((name, (len + 4).min(body.len())))
}

const fn kind_name(kind: u8) -> &'static str {
    match kind {
        20 => "change cipher spec",
        21 => "alert",
        22 => "handshake",
        23 => "application data",
        _ => "heartbeat",
    }
}

const fn version_name(minor: u8) -> &'static str {
    match minor {
        0 => "SSL 3.0",
        1 => "TLS 1.0",
        2 => "TLS 1.1",
        3 => "TLS 1.2",
        _ => "TLS 1.3",
    }
}

/// Records that go on in the next segment, by direction.
pub(super) struct Records(BoundedMap<(Endpoint, Endpoint), u32>);

impl Records {
    pub(super) fn new() -> Self {
        Self(BoundedMap::new(DIRECTIONS_MAX))
    }

    /// The bytes at the head of a segment's payload that continue a record.
    pub(super) fn continued(&mut self, segment: &Segment<'_>) -> usize {
        let key = (segment.src, segment.dst);
        let left = self.0.get(&key).map_or(0, |end| end.wrapping_sub(segment.seq) as usize);
        let left = if left <= BODY_MAX { left } else { 0 };
        let continued = left.min(segment.payload.len());
        let mut end = left;
        while let Some(len) = segment.payload.get(end..).and_then(body_len) {
            end += HEADER + len;
        }
        if end > segment.payload.len() && end > left {
            self.0.insert(key, segment.seq.wrapping_add(u32::try_from(end).unwrap_or_default()));
        }
        continued
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use ftpmon_core::segment::{InterfaceId, Signs, TcpFlags, VlanTags};

    use super::*;

    /// A record of 305 bytes, 300 of them behind its header, in segments of 100 bytes and the rest.
    #[test]
    fn a_record_goes_on_until_its_length_is_over() {
        let end = Endpoint::new(Ipv4Addr::LOCALHOST.into(), 1);
        let mut records = Records::new();
        let mut continued = |seq: u32, payload: &[u8]| {
            records.continued(&Segment {
                src: end,
                dst: end,
                seq,
                ack: 0,
                flags: TcpFlags(0x18),
                payload,
                wire_payload_len: payload.len() as u32,
                interface: InterfaceId(0),
                vlan: VlanTags::default(),
                signs: Signs::default(),
            })
        };
        let mut record = vec![22, 3, 3, 1, 44];
        record.extend([b'\n'; 300]);
        record.extend(b"NOOP\r\n");
        let first = u32::MAX - 50;
        assert_eq!(continued(first, &record[..100]), 0);
        assert_eq!(continued(first.wrapping_add(100), &record[100..200]), 100);
        assert_eq!(continued(first.wrapping_add(200), &record[200..]), 105);
        assert_eq!(continued(first.wrapping_add(311), b"NOOP\r\n"), 0);
    }
}
