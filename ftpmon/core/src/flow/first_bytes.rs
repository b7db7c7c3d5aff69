//! The beginnings of the two directions of a connection: TLS and its hellos, or something else.

use smallvec::SmallVec;

use crate::account::Side;
use crate::segment::Segment;
use crate::tls::{self, Hello, Opening, RecordReader, TlsFacts};

/// Bytes kept to identify the protocol at the beginning of a direction.
const FIRST_LEN: usize = 16;
/// Bytes of a direction that may pass until its hello is complete, and that one segment may come ahead of another.
const HELLO_END: u32 = 8 << 10;

/// The kind of a direction's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentKind {
    /// Nothing was sent yet, or too little to decide.
    Silent,
    /// A TLS handshake.
    Tls,
    /// The banner or request of a protocol that is not FTP's data.
    Foreign,
    /// Anything else.
    Bytes,
}

/// The beginnings of both directions. Nothing is allocated but for a TLS handshake.
#[derive(Debug, Default)]
pub(crate) struct FirstBytes {
    from_initiator: DirectionStart,
    from_listener: DirectionStart,
    facts: TlsFacts,
    client: Option<Side>,
}

impl FirstBytes {
    /// The beginnings of a connection that went by unseen.
    pub(crate) fn unseen() -> Self {
        let unseen = || DirectionStart { done: true, ..DirectionStart::default() };
        Self { from_initiator: unseen(), from_listener: unseen(), ..Self::default() }
    }

    /// Inspects a segment. True if it changes the result.
    pub(crate) fn segment(&mut self, from: Side, segment: &Segment<'_>) -> bool {
        let start = match from {
            Side::Initiator => &mut self.from_initiator,
            Side::Listener => &mut self.from_listener,
        };
        if start.done {
            return false;
        }
        if segment.flags.syn() {
            start.next = Some(segment.seq.wrapping_add(1));
            return false;
        }
        if segment.payload.is_empty() {
            return false;
        }
        let kind = start.kind();
        let mut hello = start.push(segment.seq, segment.payload);
        if let Some((seq, bytes)) = start.early.take() {
            hello = hello.or(start.push(seq, &bytes));
        }
        let news = hello.is_some() || start.kind() != kind;
        if let Some(hello) = hello {
            if matches!(hello, Hello::Client(_)) {
                self.client.get_or_insert(from);
            }
            self.facts.learn(hello);
        }
        news
    }

    /// The kind of an end's first bytes.
    pub(crate) fn kind(&self, from: Side) -> ContentKind {
        match from {
            Side::Initiator => self.from_initiator.kind(),
            Side::Listener => self.from_listener.kind(),
        }
    }

    /// Neither end sent enough to decide.
    pub(crate) fn is_silent(&self) -> bool {
        self.kind(Side::Initiator) == ContentKind::Silent && self.kind(Side::Listener) == ContentKind::Silent
    }

    /// An end began with a TLS handshake.
    pub(crate) fn is_tls(&self) -> bool {
        self.kind(Side::Initiator) == ContentKind::Tls || self.kind(Side::Listener) == ContentKind::Tls
    }

    /// The facts in the hellos.
    pub(crate) fn facts(&self) -> &TlsFacts {
        &self.facts
    }

    /// The records with which the end that sent a ClientHello opened.
    pub(crate) fn client_opening(&self) -> Option<Opening> {
        match self.client? {
            Side::Initiator => self.from_initiator.opening,
            Side::Listener => self.from_listener.opening,
        }
    }

    /// The end that sent a ClientHello.
    pub(crate) fn client(&self) -> Option<Side> {
        self.client
    }
}

/// The beginning of one direction.
#[derive(Debug, Default)]
struct DirectionStart {
    /// The sequence number of the next byte, once one is known.
    next: Option<u32>,
    first: SmallVec<[u8; FIRST_LEN]>,
    /// Reads the handshake until application data follows.
    records: Option<Box<RecordReader>>,
    opening: Option<Opening>,
    /// A segment that came ahead of the one before it.
    early: Option<(u32, Box<[u8]>)>,
    read: u32,
    done: bool,
}

impl DirectionStart {
    /// Takes payload at a sequence number. The hello, when it is complete.
    fn push(&mut self, seq: u32, payload: &[u8]) -> Option<Hello> {
        let next = *self.next.get_or_insert(seq);
        let ahead = seq.wrapping_sub(next);
        if (1..HELLO_END).contains(&ahead) {
            let kept = payload.get(..payload.len().min(HELLO_END as usize)).unwrap_or_default();
            self.early.get_or_insert_with(|| (seq, kept.into()));
            return None;
        }
        let fresh = payload.get(next.wrapping_sub(seq) as usize..).filter(|fresh| !fresh.is_empty())?;
        self.next = Some(next.wrapping_add(fresh.len() as u32));
        self.read = self.read.saturating_add(fresh.len() as u32);
        let hello = self.read(fresh);
        let opening = self.records.as_ref().map(|records| records.opening());
        self.opening = opening.or(self.opening);
        if opening.is_some_and(|opening| opening.ended) || self.read >= HELLO_END {
            self.done = true;
            self.records = None;
        }
        hello
    }

    fn read(&mut self, bytes: &[u8]) -> Option<Hello> {
        if let Some(records) = &mut self.records {
            return records.feed(bytes).hello;
        }
        let room = (FIRST_LEN - self.first.len().min(FIRST_LEN)).min(bytes.len());
        self.first.extend_from_slice(bytes.get(..room).unwrap_or_default());
        if self.kind() == ContentKind::Tls {
            let mut records = Box::<RecordReader>::default();
            let hello = records.feed(&self.first).hello.or(records.feed(bytes.get(room..)?).hello);
            self.records = Some(records);
            return hello;
        }
        self.done = self.first.len() >= FIRST_LEN;
        None
    }

    fn kind(&self) -> ContentKind {
        match &*self.first {
            first if first.len() < 3 => ContentKind::Silent,
            first if tls::begins_handshake(first) => ContentKind::Tls,
            first if is_foreign(first) => ContentKind::Foreign,
            _ => ContentKind::Bytes,
        }
    }
}

/// The first bytes of protocols that share hosts with FTP: SSH (RFC 4253 section 4.2), HTTP (RFC 9112, RFC 9113 section 3.4)
/// and RFB (RFC 6143 section 7.1.1). A file seldom begins like that.
fn is_foreign(first: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 13] = [
        b"SSH-",
        b"HTTP/1.",
        b"PRI * HTTP/2",
        b"GET /",
        b"HEAD /",
        b"POST /",
        b"PUT /",
        b"DELETE /",
        b"OPTIONS ",
        b"CONNECT ",
        b"PATCH /",
        b"PROPFIND /",
        b"RFB 00",
    ];
    BEGINNINGS.iter().any(|beginning| first.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::{ContentKind, FirstBytes};
    use crate::account::Side;
    use crate::addr::Endpoint;
    use crate::segment::{InterfaceId, Segment, Signs, TcpFlags, VlanTags};
    use crate::tls::client_hello_record;

    fn segment(seq: u32, syn: bool, payload: &[u8]) -> Segment<'_> {
        let end = |port| Endpoint::new(std::net::Ipv4Addr::LOCALHOST.into(), port);
        Segment {
            src: end(40_000),
            dst: end(50_000),
            seq,
            ack: 0,
            flags: TcpFlags(if syn { TcpFlags::SYN } else { TcpFlags::ACK }),
            payload,
            wire_payload_len: payload.len() as u32,
            interface: InterfaceId(1),
            vlan: VlanTags::default(),
            signs: Signs::default(),
        }
    }

    #[test]
    fn a_hello_is_read_however_its_segments_come() {
        let hello = client_hello_record(1, b"ftp");
        let (one, rest) = hello.split_at(2);
        let (two, three) = rest.split_at(40);
        let seq = |n: usize| 1_000 + n as u32;
        let pieces = [(seq(0), one), (seq(2), two), (seq(42), three)];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2]] {
            for syn in [true, false] {
                // Where the SYN was not seen, the first segment seen is taken for the first one.
                if !syn && order[0] != 0 {
                    continue;
                }
                let mut first_bytes = FirstBytes::default();
                if syn {
                    first_bytes.segment(Side::Initiator, &segment(999, true, b""));
                }
                for piece in order {
                    first_bytes.segment(Side::Initiator, &segment(pieces[piece].0, false, pieces[piece].1));
                    first_bytes.segment(Side::Initiator, &segment(pieces[piece].0, false, pieces[piece].1));
                }
                assert!(first_bytes.is_tls(), "{order:?}");
                assert_eq!(first_bytes.facts().sni().as_deref(), Some("ftp.example"), "{order:?} {syn}");
                assert_eq!(first_bytes.client(), Some(Side::Initiator));
            }
        }
    }

    #[test]
    fn banners_of_other_protocols_are_known() {
        for (bytes, kind) in [
            (&b"SSH-2.0-OpenSSH_9.2p1\r\n"[..], ContentKind::Foreign),
            (b"GET /index.html HTTP/1.1\r\n", ContentKind::Foreign),
            (b"GETTING STARTED\r\nwith it", ContentKind::Bytes),
            (b"\x16\x03", ContentKind::Silent),
            (b"\x16\x03\x01", ContentKind::Tls),
            (b"\x16\x04\x01", ContentKind::Bytes),
        ] {
            let mut first_bytes = FirstBytes::default();
            first_bytes.segment(Side::Listener, &segment(1, false, bytes));
            assert_eq!(first_bytes.kind(Side::Listener), kind, "{bytes:?}");
            assert_eq!(first_bytes.kind(Side::Initiator), ContentKind::Silent);
        }
    }
}
