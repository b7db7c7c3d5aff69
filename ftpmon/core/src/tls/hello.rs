//! The two hellos, put together from records and read.

use smol_str::{SmolStr, format_smolstr};
use tls_parser::{TlsCipherSuite, TlsMessage, TlsMessageHandshake, parse_tls_message_handshake};

use super::ja4;

/// A hello of more bytes is not read. Stops a length of 16 MiB; the longest hellos, with post-quantum key shares and
/// tickets, have about 3 KiB.
pub(super) const HELLO_MAX: usize = 8 << 10;
/// Offered protocols that are told. Stops a hello of nothing but names.
const ALPN_MAX: usize = 8;
/// Bytes of a name that are told.
const NAME_MAX: usize = 255;

/// `server_name` (RFC 6066), `application_layer_protocol_negotiation` (RFC 7301), `supported_versions` (RFC 8446).
pub(super) const SERVER_NAME: u16 = 0;
pub(super) const ALPN: u16 = 16;
pub(super) const SUPPORTED_VERSIONS: u16 = 43;

/// What the first handshake message of an end is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// A ClientHello.
    Client(Box<ClientHello>),
    /// A ServerHello.
    Server(ServerHello),
    /// Neither, or one that cannot be read.
    Other,
}

/// What a ClientHello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The server name that it asks for.
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

/// What a ServerHello says.
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

/// Puts the first handshake message of an end together, whatever records it comes in.
#[derive(Debug, Default)]
pub(super) struct HelloReader {
    message: Vec<u8>,
}

impl HelloReader {
    /// The next bytes of handshake records. The hello, when it is complete.
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

/// Reads a whole handshake message.
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

/// The extensions of a hello in their order: type and body (RFC 8446 section 4.2). Ends where the bytes are no extension.
fn extensions(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    core::iter::from_fn(move || {
        let [a, b, high, low, rest @ ..] = bytes else { return None };
        let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        bytes = rest;
        Some((u16::from_be_bytes([*a, *b]), body))
    })
}

/// The host name of `server_name`: a list of kind, length, name.
fn host_name(body: &[u8]) -> Option<SmolStr> {
    let [_, _, 0, high, low, rest @ ..] = body else { return None };
    rest.get(..usize::from(u16::from_be_bytes([*high, *low]))).map(name)
}

/// The names of a protocol list: each a length and so many bytes.
pub(super) fn protocols(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut bytes = body.get(2..).unwrap_or_default();
    core::iter::from_fn(move || {
        let (len, rest) = bytes.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*len))?;
        bytes = rest;
        Some(name)
    })
}

fn name(bytes: &[u8]) -> SmolStr {
    let shown = bytes.get(..bytes.len().min(NAME_MAX)).unwrap_or_default();
    SmolStr::from(String::from_utf8_lossy(shown).as_ref())
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
