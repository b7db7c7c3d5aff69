//! The records of one direction.

use super::hello::{Hello, HelloReader};

/// Content type of handshake records.
const HANDSHAKE: u8 = 22;
/// Content type of application data.
const APPLICATION_DATA: u8 = 23;
/// Length of a record's header.
const HEADER_LEN: usize = 5;
/// Longest body of a record (RFC 8446 section 5.2).
const RECORD_MAX: usize = (1 << 14) + 256;

/// Whether `bytes` begin with a TLS record of a handshake.
pub fn begins_handshake(bytes: &[u8]) -> bool {
    matches!(bytes, [HANDSHAKE, 3, 0..=4, ..])
}

/// Whether `bytes` may begin with a TLS record. Content types are control characters, which no line begins with.
pub fn begins_record(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=24] | [20..=24, 3, ..])
}

/// Follows the records of one direction.
#[derive(Debug, Default)]
pub struct RecordReader {
    header: [u8; HEADER_LEN],
    header_len: usize,
    body_left: usize,
    hello: HelloReader,
    hello_done: bool,
    /// Record boundaries are unknown since a gap.
    lost: bool,
    /// There was a gap, ever.
    has_gaps: bool,
    /// Bytes of the records before the first one of application data, and whether that was seen.
    opening: Opening,
}

/// The records of a direction before the first one of application data: in TLS 1.2 its whole handshake, in TLS 1.3 what of it is
/// not encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Bytes, headers included.
    pub bytes: u32,
    /// It was seen to end: application data followed.
    pub ended: bool,
}

/// Findings in the bytes given to a [`RecordReader`].
#[derive(Debug, Default)]
pub struct RecordsRead<'a> {
    /// The first handshake message is complete, or there is none.
    pub hello: Option<Hello>,
    /// The bytes from where a record should begin and none does.
    pub text: Option<&'a [u8]>,
}

impl RecordReader {
    /// Notes that bytes are missing.
    pub fn gap(&mut self) {
        self.lost = true;
        self.has_gaps = true;
        self.header_len = 0;
        self.body_left = 0;
        self.end_hello();
    }

    /// Record boundaries are unknown since a gap.
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// There was a gap: what looks like the start of a record may be something else.
    pub const fn has_gaps(&self) -> bool {
        self.has_gaps
    }

    /// The records up to the first one of application data.
    pub const fn opening(&self) -> Opening {
        self.opening
    }

    /// Takes the direction's next bytes.
    pub fn feed<'a>(&mut self, mut bytes: &'a [u8]) -> RecordsRead<'a> {
        let mut read = RecordsRead::default();
        if self.lost {
            if !begins_record(bytes) {
                return read;
            }
            self.lost = false;
        }
        while let Some(&first) = bytes.first() {
            if self.body_left > 0 {
                let (body, rest) = bytes.split_at(self.body_left.min(bytes.len()));
                self.body_left -= body.len();
                bytes = rest;
                let hello = if self.hello_done { None } else { self.hello.push(body) };
                if hello.is_some() {
                    self.end_hello();
                    read.hello = hello;
                }
            } else if self.header_len == 0 && !begins_record(&[first]) {
                read.text = Some(bytes);
                return read;
            } else {
                bytes = self.take_header(first, bytes);
                if self.header_len == 0 && self.header.first() != Some(&HANDSHAKE) && !self.hello_done {
                    self.end_hello();
                    read.hello = Some(Hello::Other);
                }
            }
        }
        read
    }

    fn end_hello(&mut self) {
        self.hello_done = true;
        self.hello = HelloReader::default();
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
            self.opening.ended |= self.header.first() == Some(&APPLICATION_DATA);
            if !self.opening.ended {
                self.opening.bytes = self.opening.bytes.saturating_add((HEADER_LEN + self.body_left) as u32);
            }
        }
        bytes.get(1..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::RecordReader;
    use crate::tls::Hello;
    use crate::tls::hello::tests::{client_hello, message};

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 3, 3];
        record.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        record.extend_from_slice(body);
        record
    }

    fn server_hello() -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
        message(2, &body)
    }

    #[test]
    fn text_after_the_last_record_is_found_however_the_bytes_come() {
        let mut stream = record(22, &server_hello());
        stream.extend(record(23, &[0; 300]));
        stream.extend(record(21, &[1, 0]));
        stream.extend_from_slice(b"200 clear\r\n");
        for size in [1, 2, 7, 64, stream.len()] {
            let (mut reader, mut text, mut hello) = (RecordReader::default(), Vec::new(), None);
            for chunk in stream.chunks(size) {
                if !text.is_empty() {
                    text.extend_from_slice(chunk);
                    continue;
                }
                let read = reader.feed(chunk);
                hello = hello.or(read.hello);
                text.extend_from_slice(read.text.unwrap_or_default());
            }
            assert_eq!(text, b"200 clear\r\n", "in chunks of {size}");
            let Some(Hello::Server(hello)) = hello else { panic!("in chunks of {size}: {hello:?}") };
            assert_eq!((hello.version_name().as_str(), hello.cipher), ("TLSv1.3", 0x1301));
        }
    }

    #[test]
    fn after_a_gap_nothing_is_text_until_a_record_begins() {
        let mut reader = RecordReader::default();
        reader.feed(&record(22, &server_hello()));
        reader.gap();
        assert!(reader.feed(b"230 not text but the middle of a record").text.is_none());
        assert_eq!(
            reader.feed(&[record(23, b"x"), b"221 bye".to_vec()].concat()).text,
            Some(&b"221 bye"[..])
        );
    }

    #[test]
    fn a_hello_in_several_records_is_one_hello() {
        let mut stream = Vec::new();
        for part in client_hello().chunks(9) {
            stream.extend(record(22, part));
        }
        for size in [1, 11, stream.len()] {
            let mut reader = RecordReader::default();
            let hello = stream.chunks(size).find_map(|chunk| reader.feed(chunk).hello);
            let Some(Hello::Client(hello)) = hello else { panic!("in chunks of {size}: {hello:?}") };
            assert_eq!(hello.sni.as_deref(), Some("ftp.example"));
        }
    }

    #[test]
    fn a_record_of_no_handshake_is_no_hello() {
        let read = RecordReader::default().feed(&[23, 3, 3, 0xff, 0xff, 0]).hello;
        assert_eq!(read, Some(Hello::Other));
    }
}
