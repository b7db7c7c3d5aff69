//! TLS on a control connection, watched from outside: where its records begin and end, and what the two hellos say in
//! clear text (RFC 8446 sections 4.1 and 5.1). When records stop coming where one should begin, the stream is text again
//! (CCC, RFC 4217 section 12.3).

use smol_str::{SmolStr, format_smolstr};
use tls_parser::{
    SNIType, TlsExtension, TlsMessage, TlsMessageHandshake, TlsVersion, parse_tls_client_hello_extensions,
    parse_tls_message_handshake, parse_tls_server_hello_extensions,
};

const HEADER_LEN: usize = 5;
/// A record's body is no longer (RFC 8446 section 5.2).
const RECORD_MAX: usize = (1 << 14) + 256;
const HANDSHAKE: u8 = 22;

/// `bytes` begin with a TLS record of a handshake, as far as they go.
pub(super) fn begins_handshake(bytes: &[u8]) -> bool {
    matches!(bytes, [HANDSHAKE, 3, 0..=4, ..])
}

/// `bytes` may begin with a TLS record: the content types are control characters, which no line begins with.
pub(super) fn begins_record(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=24] | [20..=24, 3, ..])
}

/// What a hello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hello {
    /// The version that the server chose; of a client, nothing that counts.
    pub(super) version: Option<SmolStr>,
    /// The server name that the client asked for.
    pub(super) sni: Option<SmolStr>,
}

/// Follows the records of one direction.
#[derive(Debug, Default)]
pub(super) struct RecordReader {
    header: [u8; HEADER_LEN],
    header_len: usize,
    body_left: usize,
    /// The body of the first record, until it is complete.
    hello: Vec<u8>,
    first_done: bool,
    /// A gap: where records begin is not known.
    lost: bool,
}

/// What the bytes handed to a [`RecordReader`] turned out to be.
#[derive(Debug, Default)]
pub(super) struct Read<'a> {
    /// The first record is complete.
    pub(super) hello: Option<Hello>,
    /// From here on the stream is text again.
    pub(super) text: Option<&'a [u8]>,
}

impl RecordReader {
    /// Bytes were never seen.
    pub(super) fn gap(&mut self) {
        self.lost = true;
        self.header_len = 0;
        self.body_left = 0;
        self.hello = Vec::new();
        self.first_done = true;
    }

    /// Takes the direction's next bytes.
    pub(super) fn feed<'a>(&mut self, mut bytes: &'a [u8]) -> Read<'a> {
        let mut read = Read::default();
        if self.lost {
            if !begins_record(bytes) {
                return read;
            }
            self.lost = false;
        }
        while let Some(&first) = bytes.first() {
            if self.body_left > 0 {
                let (body, rest) = bytes.split_at(self.body_left.min(bytes.len()));
                if !self.first_done {
                    self.hello.extend_from_slice(body);
                }
                self.body_left -= body.len();
                bytes = rest;
            } else if self.header_len == 0 && !begins_record(&[first]) {
                read.text = Some(bytes);
                return read;
            } else {
                bytes = self.take_header(first, bytes);
            }
            if self.body_left == 0 && self.header_len == 0 && !self.first_done && !self.hello.is_empty() {
                self.first_done = true;
                read.hello = Some(parse_hello(&core::mem::take(&mut self.hello)));
            }
        }
        read
    }

    fn take_header<'a>(&mut self, byte: u8, bytes: &'a [u8]) -> &'a [u8] {
        if let Some(slot) = self.header.get_mut(self.header_len) {
            *slot = byte;
            self.header_len += 1;
        }
        if self.header_len == HEADER_LEN {
            let [.., high, low] = self.header;
            self.header_len = 0;
            self.body_left = usize::from(u16::from_be_bytes([high, low])).min(RECORD_MAX);
        }
        bytes.get(1..).unwrap_or_default()
    }
}

fn parse_hello(body: &[u8]) -> Hello {
    let Ok((_, TlsMessage::Handshake(message))) = parse_tls_message_handshake(body) else {
        return Hello::default();
    };
    match message {
        TlsMessageHandshake::ClientHello(hello) => {
            let extensions = hello.ext.and_then(|bytes| parse_tls_client_hello_extensions(bytes).ok());
            let sni =
                extensions.into_iter().flat_map(|(_, list)| list).find_map(|extension| match extension {
                    TlsExtension::SNI(names) => names
                        .into_iter()
                        .find(|(kind, _)| *kind == SNIType::HostName)
                        .map(|(_, name)| SmolStr::from(String::from_utf8_lossy(name))),
                    _ => None,
                });
            Hello { version: None, sni }
        }
        TlsMessageHandshake::ServerHello(hello) => {
            let extensions = hello.ext.and_then(|bytes| parse_tls_server_hello_extensions(bytes).ok());
            let chosen =
                extensions.into_iter().flat_map(|(_, list)| list).find_map(|extension| match extension {
                    TlsExtension::SupportedVersions(versions) => versions.first().copied(),
                    _ => None,
                });
            Hello { version: Some(version_name(chosen.unwrap_or(hello.version))), sni: None }
        }
        _ => Hello::default(),
    }
}

fn version_name(version: TlsVersion) -> SmolStr {
    match version.0 {
        0x0300 => SmolStr::new_static("SSLv3"),
        0x0301 => SmolStr::new_static("TLSv1.0"),
        0x0302 => SmolStr::new_static("TLSv1.1"),
        0x0303 => SmolStr::new_static("TLSv1.2"),
        0x0304 => SmolStr::new_static("TLSv1.3"),
        other => format_smolstr!("0x{other:04x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::RecordReader;

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 3, 3];
        record.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        record.extend_from_slice(body);
        record
    }

    fn server_hello() -> Vec<u8> {
        let mut body = vec![2, 0, 0, 46, 3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
        record(22, &body)
    }

    #[test]
    fn text_after_the_last_record_is_found_however_the_bytes_come() {
        let mut stream = server_hello();
        stream.extend(record(23, &[0; 300]));
        stream.extend(record(21, &[1, 0]));
        stream.extend_from_slice(b"200 clear\r\n");
        for size in [1, 2, 7, 64, stream.len()] {
            let (mut reader, mut text, mut version) = (RecordReader::default(), Vec::new(), None);
            for chunk in stream.chunks(size) {
                if !text.is_empty() {
                    text.extend_from_slice(chunk);
                    continue;
                }
                let read = reader.feed(chunk);
                version = version.or(read.hello.and_then(|hello| hello.version));
                text.extend_from_slice(read.text.unwrap_or_default());
            }
            assert_eq!(text, b"200 clear\r\n", "in chunks of {size}");
            assert_eq!(version.as_deref(), Some("TLSv1.3"), "in chunks of {size}");
        }
    }

    #[test]
    fn after_a_gap_nothing_is_text_until_a_record_begins() {
        let mut reader = RecordReader::default();
        reader.feed(&server_hello());
        reader.gap();
        assert!(reader.feed(b"230 not text but the middle of a record").text.is_none());
        assert_eq!(
            reader.feed(&[record(23, b"x"), b"221 bye".to_vec()].concat()).text,
            Some(&b"221 bye"[..])
        );
    }
}
