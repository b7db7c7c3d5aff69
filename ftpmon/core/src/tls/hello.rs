//! ClientHello and ServerHello (RFC 8446 section 4.1), reassembled from records and parsed.

use smol_str::{SmolStr, format_smolstr};
use tls_parser::{TlsCipherSuite, TlsMessage, TlsMessageHandshake, parse_tls_message_handshake};

use super::extension::{ALPN, SERVER_NAME, SUPPORTED_VERSIONS, extensions, host_name, name, protocols};
use super::ja4;

/// Longest hello that is read, bytes. Stops a length of 16 MiB; the longest hellos, with post-quantum key shares and
/// tickets, have about 3 KiB.
pub(super) const HELLO_MAX: usize = 8 << 10;
/// Offered protocols that are reported. Stops a hello of nothing but names.
const ALPN_MAX: usize = 8;

/// The first handshake message of an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// A ClientHello.
    Client(Box<ClientHello>),
    /// A ServerHello.
    Server(ServerHello),
    /// Neither, or one that cannot be read.
    Other,
}

/// The facts of a ClientHello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The server name (SNI) that it asks for.
    pub sni: Option<SmolStr>,
    /// The protocols that it offers, in its order.
    pub alpn: Box<[SmolStr]>,
    /// Its JA4 fingerprint.
    pub ja4: SmolStr,
}

impl ClientHello {
    /// The part of the fingerprint that the cipher suites make: the same in all hellos of one program, resumed or not.
    pub fn ciphers_fingerprint(&self) -> Option<&str> {
        self.ja4.split('_').nth(1)
    }
}

/// The facts of a ServerHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The version that it chose, as on the wire.
    pub version: u16,
    /// The cipher suite that it chose, as on the wire.
    pub cipher: u16,
}

impl ServerHello {
    /// TLS 1.3.
    pub const TLS13: u16 = 0x0304;

    /// The version's name.
    pub fn version_name(self) -> SmolStr {
        match self.version {
            0x0300 => SmolStr::new_static("SSLv3"),
            0x0301 => SmolStr::new_static("TLSv1.0"),
            0x0302 => SmolStr::new_static("TLSv1.1"),
            0x0303 => SmolStr::new_static("TLSv1.2"),
            0x0304 => SmolStr::new_static("TLSv1.3"),
            other => format_smolstr!("0x{other:04x}"),
        }
    }

    /// The cipher suite's name.
    pub fn cipher_name(self) -> SmolStr {
        match TlsCipherSuite::from_id(self.cipher) {
            Some(suite) => SmolStr::new_static(suite.name),
            None => format_smolstr!("0x{:04x}", self.cipher),
        }
    }
}

/// Reassembles the first handshake message of an end from its records.
#[derive(Debug, Default)]
pub(super) struct HelloReader {
    message: Vec<u8>,
}

impl HelloReader {
    /// Adds the next bytes of handshake records. Returns the hello once it is complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<Hello> {
        let head = 4_usize.saturating_sub(self.message.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(head);
        self.message.extend_from_slice(head);
        let [_, high, middle, low, ..] = *self.message else { return None };
        let len = 4 + u32::from_be_bytes([0, high, middle, low]) as usize;
        if len > HELLO_MAX {
            return Some(Hello::Other);
        }
        let wanted = len.saturating_sub(self.message.len()).min(rest.len());
        self.message.extend_from_slice(rest.get(..wanted).unwrap_or_default());
        (self.message.len() >= len).then(|| parse(&self.message))
    }
}

/// Parses a complete handshake message.
fn parse(message: &[u8]) -> Hello {
    let Ok((_, TlsMessage::Handshake(message))) = parse_tls_message_handshake(message) else {
        return Hello::Other;
    };
    match message {
        TlsMessageHandshake::ClientHello(hello) => {
            let extensions: Vec<(u16, &[u8])> = extensions(hello.ext.unwrap_or_default()).collect();
            let find = |wanted| extensions.iter().find(|(kind, _)| *kind == wanted).map(|(_, body)| *body);
            let ciphers: Vec<u16> = hello.ciphers.iter().map(|cipher| cipher.0).collect();
            Hello::Client(Box::new(ClientHello {
                sni: find(SERVER_NAME).and_then(host_name),
                alpn: find(ALPN)
                    .map(|body| protocols(body).take(ALPN_MAX).map(name).collect())
                    .unwrap_or_default(),
                ja4: ja4::fingerprint(hello.version.0, &ciphers, &extensions),
            }))
        }
        TlsMessageHandshake::ServerHello(hello) => {
            let chosen = extensions(hello.ext.unwrap_or_default()).find_map(|(kind, body)| match body {
                [high, low] if kind == SUPPORTED_VERSIONS => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            });
            Hello::Server(ServerHello { version: chosen.unwrap_or(hello.version.0), cipher: hello.cipher.0 })
        }
        _ => Hello::Other,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Hello, HelloReader};

    /// A handshake message.
    pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let [_, len @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind][..], &len, body].concat()
    }

    /// A ClientHello for `ftp.example` that offers `ftp` and one cipher suite.
    pub(crate) fn client_hello() -> Vec<u8> {
        client_hello_of(0x01, b"ftp")
    }

    /// One that offers this cipher suite of TLS 1.3 and this protocol of three letters.
    fn client_hello_of(cipher: u8, protocol: &[u8; 3]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0, 4, 0x1a, 0x1a, 0x13, cipher, 1, 0]);
        let mut extensions = vec![0, 0, 0, 16, 0, 14, 0, 0, 11];
        extensions.extend_from_slice(b"ftp.example");
        extensions.extend_from_slice(&[0, 16, 0, 6, 0, 4, 3]);
        extensions.extend_from_slice(protocol);
        extensions.extend_from_slice(&[0, 13, 0, 4, 0, 2, 4, 3]);
        extensions.extend_from_slice(&[0, 43, 0, 5, 4, 3, 4, 3, 3]);
        body.extend_from_slice(&u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend_from_slice(&extensions);
        message(1, &body)
    }

    /// The same in a record.
    pub(crate) fn client_hello_record(cipher: u8, protocol: &[u8; 3]) -> Vec<u8> {
        let hello = client_hello_of(cipher, protocol);
        [&[22, 3, 1][..], &u16::try_from(hello.len()).unwrap().to_be_bytes(), &hello].concat()
    }

    #[test]
    fn a_client_hello_says_who_it_wants_and_what_it_speaks() {
        for size in [1, 3, 1_000] {
            let mut reader = HelloReader::default();
            let hello = client_hello().chunks(size).fold(None, |hello, chunk| hello.or(reader.push(chunk)));
            let Some(Hello::Client(hello)) = hello else { panic!("{hello:?}") };
            assert_eq!(hello.sni.as_deref(), Some("ftp.example"));
            assert_eq!(*hello.alpn, ["ftp"]);
            assert!(hello.ja4.starts_with("t13d0104fp_"), "{}", hello.ja4);
        }
    }

    #[test]
    fn a_length_of_16_mib_holds_nothing() {
        let mut reader = HelloReader::default();
        assert_eq!(reader.push(&[1, 0xff, 0xff, 0xff, 0, 0]), Some(Hello::Other));
        assert!(reader.message.len() < 16);
    }

    #[test]
    fn lengths_that_lie_end_the_reading() {
        let mut hello = client_hello();
        let at = hello.len() - 8;
        hello[at] = 0xff;
        let Some(Hello::Client(hello)) = HelloReader::default().push(&hello) else { panic!() };
        assert_eq!(hello.sni.as_deref(), Some("ftp.example"));
    }
}
