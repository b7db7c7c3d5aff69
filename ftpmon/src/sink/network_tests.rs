//! Network outputs against receivers that tell what they got, with the rights that an output's thread has.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::destination::Destination;
use super::kinds::destination;
use super::output_spec::OutputSpec;
use crate::sandbox::{Role, enter_as_nobody};

const LIMIT: Duration = Duration::from_secs(20);
const LINES: usize = 5_000;

/// Writes lines to the output with this text, on a thread with the rights of outputs, until the reader has them.
fn write(text: &str, lines: Vec<u8>) -> io::Result<()> {
    write_until(text, lines, |output| output.in_kernel() == 0)
}

/// The same, until the reader closes.
fn write_until_closed(text: &str, lines: Vec<u8>) -> io::Result<()> {
    write_until(text, lines, |_| false)
}

fn write_until(text: &str, lines: Vec<u8>, done: fn(&mut dyn Destination) -> bool) -> io::Result<()> {
    let OutputSpec { sink, settings } = text.parse().unwrap();
    let mut output = destination(&sink, &settings)?;
    let thread = spawn(move || {
        enter_as_nobody(Role::Output);
        output.open()?;
        let (mut rest, deadline) = (&lines[..], Instant::now() + LIMIT);
        while !rest.is_empty() {
            match output.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    assert!(Instant::now() < deadline, "the receiver takes nothing");
                }
                Err(error) => return Err(error),
            }
        }
        // A reader that refuses the client says so after the handshake.
        while Instant::now() < deadline {
            match output.write(b"") {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                _ if done(&mut *output) => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    });
    thread.join().unwrap()
}

/// Lines as the encoder makes them for syslog.
fn messages(count: usize) -> Vec<u8> {
    let message = |n| format!("<134>1 2026-11-28T12:00:00.000001Z h ftpmon 1 transfer - {{\"seq\":{n}}}\n");
    (0..count).map(message).collect::<String>().into_bytes()
}

/// The messages of frames (RFC 6587 section 3.4.1), read without knowledge of how they were made.
fn frames(mut bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|&byte| byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        lines.extend_from_slice(&bytes[space + 1..space + 1 + length]);
        lines.push(b'\n');
        bytes = &bytes[space + 1 + length..];
    }
    lines
}

/// A port, and everything that one connection to it brings.
fn receiver(
    read: impl FnOnce(TcpStream) -> io::Result<Vec<u8>> + Send + 'static,
) -> (u16, JoinHandle<io::Result<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, spawn(move || read(listener.accept()?.0)))
}

/// So many datagrams as lines.
fn received(count: usize, receive: impl Fn(&mut [u8]) -> io::Result<usize>) -> Vec<u8> {
    let (mut buffer, mut lines) = (vec![0; 65_536], Vec::new());
    for _ in 0..count {
        let length = receive(&mut buffer).unwrap();
        lines.extend_from_slice(&buffer[..length]);
        lines.push(b'\n');
    }
    lines
}

#[test]
#[cfg_attr(miri, ignore = "opens sockets")]
fn syslog_over_tcp_is_octet_counted() {
    let (port, got) = receiver(|mut stream| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    write(&format!("syslog+tcp://127.0.0.1:{port}"), messages(LINES)).unwrap();
    assert!(frames(&got.join().unwrap().unwrap()) == messages(LINES), "all, in order, unchanged");
}

#[test]
#[cfg_attr(miri, ignore = "opens sockets")]
fn a_datagram_is_a_line() {
    let udp = UdpSocket::bind("[::1]:0").unwrap();
    udp.set_read_timeout(Some(LIMIT)).unwrap();
    let port = udp.local_addr().unwrap().port();
    let got = spawn(move || received(50, |buffer| udp.recv(buffer)));
    write(&format!("syslog+udp://[::1]:{port}"), messages(50)).unwrap();
    assert_eq!(got.join().unwrap(), messages(50));

    let folder = Folder::new("datagram");
    let path = folder.0.join("log");
    let unix = UnixDatagram::bind(&path).unwrap();
    unix.set_read_timeout(Some(LIMIT)).unwrap();
    folder.open();
    let got = spawn(move || received(LINES, |buffer| unix.recv(buffer)));
    write(&format!("unixgram:{}", path.display()), messages(LINES)).unwrap();
    assert!(got.join().unwrap() == messages(LINES), "a slow reader loses nothing");
}

#[test]
#[cfg_attr(miri, ignore = "opens sockets")]
fn nobody_at_a_udp_port_and_too_large_a_datagram_are_told() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = write(&format!("udp://127.0.0.1:{port}"), b"a\n".to_vec()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);

    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let text = format!("udp://127.0.0.1:{}", receiver.local_addr().unwrap().port());
    let OutputSpec { sink, settings } = text.parse().unwrap();
    let mut output = destination(&sink, &settings).unwrap();
    output.open().unwrap();
    let line = [vec![b'x'; 70_000], b"\nnext\n".to_vec()].concat();
    assert_eq!(output.write(&line).unwrap(), 70_001);
    let rejections = output.take_rejections();
    assert_eq!((rejections.len(), rejections[0].bytes.clone()), (1, 0..70_001));
    assert_eq!(output.write(&line[70_001..]).unwrap(), 5, "the next one goes on");
}

/// A directory of a test alone, removed at its end.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ftpmon-network-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Everybody may use what is in it.
    fn open(&self) {
        let all = |path: &Path| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        };
        all(&self.0);
        std::fs::read_dir(&self.0).unwrap().for_each(|entry| all(&entry.unwrap().path()));
    }

    pub(super) fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An authority, and what it signs.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key, as PEM.
    pub(super) fn sign(&self, name: &str, last_year: i32) -> [String; 2] {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(last_year, 2, 3);
        let key = KeyPair::generate().unwrap();
        [params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem()]
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        Arc::new(roots)
    }
}

/// The configuration of a TLS server with this certificate; `clients` signs those of its clients.
pub(super) fn server([cert, key]: [String; 2], clients: Option<&Arc<RootCertStore>>) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        Some(roots) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider).build().unwrap(),
        ),
        None => builder.with_no_client_auth(),
    };
    let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

/// A port with TLS, and everything that one connection to it brings.
fn tls_receiver(config: Arc<ServerConfig>) -> (u16, JoinHandle<io::Result<Vec<u8>>>) {
    receiver(move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        let mut bytes = Vec::new();
        let result = stream.read_to_end(&mut bytes);
        let _ = stream.flush();
        result.map(|_| bytes)
    })
}

#[test]
#[cfg_attr(miri, ignore = "opens sockets")]
fn tls_with_certificates_on_both_sides() {
    let (folder, authority) = (Folder::new("tls"), Authority::new());
    let ca = folder.file("ca.pem", &authority.pem);
    let [cert, key] = authority.sign("sensor", 2100);
    let (cert, key) = (folder.file("cert.pem", &cert), folder.file("key.pem", &key));
    for (scheme, framed) in [("syslog+tls", true), ("tls", false)] {
        let config = server(authority.sign("log.example", 2100), Some(&authority.roots()));
        let (port, got) = tls_receiver(config);
        let text =
            format!("{scheme}://127.0.0.1:{port},ca={ca},cert={cert},key={key},server-name=log.example");
        write(&text, messages(LINES)).unwrap();
        // An end without close_notify is an error there.
        let bytes = got.join().unwrap().unwrap();
        assert!(if framed { frames(&bytes) } else { bytes } == messages(LINES), "{scheme}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "opens sockets")]
fn what_is_wrong_with_a_certificate_is_told() {
    let (folder, authority, stranger) = (Folder::new("wrong"), Authority::new(), Authority::new());
    let ca = folder.file("ca.pem", &authority.pem);
    let other_ca = folder.file("other.pem", &stranger.pem);
    let [cert, key] = authority.sign("sensor", 2020);
    let (cert, key) = (folder.file("cert.pem", &cert), folder.file("key.pem", &key));
    let roots = authority.roots();
    let name = "server-name=log.example";
    for (year, clients, settings, told) in [
        (2021, None, format!("ca={ca},{name}"), "certificate of log.example expired on 2021-02-03"),
        (2100, None, format!("ca={ca},server-name=other.example"), "not for other.example"),
        (2100, None, format!("ca={other_ca},{name}"), "name its certificate with ca=FILE"),
        (2100, Some(&roots), format!("ca={ca},{name}"), "give cert=FILE and key=FILE"),
        (
            2100,
            Some(&roots),
            format!("ca={ca},{name},cert={cert},key={key}"),
            "client certificate (cert=) has expired",
        ),
        (2100, None, format!("ca={key}"), "has no certificate (PEM)"),
        (2100, None, format!("ca={ca}.not"), "No such file"),
    ] {
        let (port, _got) = tls_receiver(server(authority.sign("log.example", year), clients));
        let error = write_until_closed(&format!("tls://127.0.0.1:{port},{settings}"), messages(1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
    let (port, _got) = receiver(|mut stream| {
        stream.write_all(b"220 this is no TLS\r\n")?;
        Ok(Vec::new())
    });
    let error = write(&format!("tls://127.0.0.1:{port},ca={ca}"), messages(1)).unwrap_err().to_string();
    assert!(error.contains("is not TLS"), "{error}");
}
