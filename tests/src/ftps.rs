//! Many FTPS sessions of real clients at real servers, while the same hosts speak other protocols: who moves what, and
//! whether the events tell each transfer once, and nothing else as one.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::bed::Scratch;
use crate::events::{Event, Events};
use crate::ftp::Content;
use crate::net::{Direct, Family, Namespace};
use crate::party::{PASSWORD, Party, RealServer, Security, Tree, USER, certificate};
use crate::process::{Running, run_ok};

/// Addresses of the client's host. From each, curl, lftp and the noise work at the same time.
const ADDRESSES: u8 = 4;
/// Ports of curl's connections: so many a session, from here on. All others take theirs from the system's range above.
const CURL_PORTS: (u16, u16) = (10_000, 20);
/// Sessions that an address has ports for.
const SESSIONS_MAX: usize = 1_000;
/// Files to upload, bytes.
const UPLOADS: [u64; 4] = [1, 700, 20_000, 300_000];
/// Bytes that TLS adds to a transfer at most, beside those of its records: certificates, tickets, hellos.
const HANDSHAKE_MAX: u64 = 8_192;

/// Ports of the other protocols.
const HTTP: u16 = 8_080;
const SHELL: u16 = 2_222;
const HTTPS: u16 = 8_443;
/// HTTPS of the same program as the FTP client's, and without ALPN.
const BARE_HTTPS: u16 = 9_443;

/// The protection of a session and the mode of its data connections.
#[derive(Clone, Copy, Debug)]
struct Manner {
    security: Security,
    clear_data: bool,
    active: bool,
}

impl Manner {
    fn of(number: usize) -> Self {
        Self {
            security: if number % 4 == 3 { Security::Implicit } else { Security::Explicit },
            clear_data: number % 6 == 4,
            // curl 7.88 gives up where a server connects under TLS.
            active: number % 5 == 1,
        }
    }
}

/// A transfer as it should be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    Up(u64),
    Down(u64),
    Listing,
}

/// The files of a session: one to download, and the size of one to upload. A listing comes last.
fn files(number: usize) -> ((&'static str, u64), u64) {
    let file = if number.is_multiple_of(2) { Tree::SMALL } else { Tree::MEDIUM };
    (file, UPLOADS.get(number % UPLOADS.len()).copied().unwrap_or(0))
}

/// The transfers of a session.
fn moved(number: usize) -> [Moved; 3] {
    let ((_, file), upload) = files(number);
    [Moved::Down(file), Moved::Up(upload), Moved::Listing]
}

/// The findings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Sessions.
    pub sessions: usize,
    /// Transfers that should have been told.
    pub due: usize,
    /// Data connections told as transfers of any session.
    pub told: usize,
    /// Transfers told as they should be, in their own session.
    pub right: usize,
    /// Connections of HTTP, HTTPS and the shell that were made, and those told as transfers.
    pub others: (u64, usize),
    /// HTTPS connections of the FTP client's own program without ALPN that were made, and those told as transfers.
    pub bare_https: (u64, usize),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sessions, of {} data connections {} told, {} as they are, {} of {} other connections taken for data, {} of {} of HTTPS without ALPN",
            self.sessions,
            self.due,
            self.told,
            self.right,
            self.others.1,
            self.others.0,
            self.bare_https.1,
            self.bare_https.0,
        )
    }
}

/// The parties: two servers, what else runs on their host, and the files that clients send.
#[derive(Debug)]
pub struct Stage {
    net: Direct,
    server: IpAddr,
    _servers: [RealServer; 2],
    _web: [Running; 2],
    scratch: Scratch,
    done: AtomicBool,
    others: AtomicU64,
    bare_https: AtomicU64,
}

impl Stage {
    /// Starts them.
    ///
    /// # Errors
    /// One did not start.
    pub fn new() -> Result<Self> {
        let net = Direct::new(1500)?;
        let server = Direct::hosts(Family::V4).server;
        for address in 0..ADDRESSES {
            let words = format!("addr add {}/24 dev {}", client(address), Direct::DEVICE);
            net.client.ip(&words)?;
        }
        let scratch = Scratch::new("ftps")?;
        for size in UPLOADS {
            let mut bytes = Vec::new();
            Content::Pattern(size).write_from(0, &mut bytes, || true)?;
            scratch.write(&size.to_string(), bytes)?;
        }
        let start = |security| RealServer::start_secured(Party::Vsftpd, &net.server, server, security);
        let servers = [start(Security::Explicit)?, start(Security::Implicit)?];
        let pem = certificate(&scratch)?;
        let web = [HTTPS, BARE_HTTPS].map(|port| web(&net.server, &pem, port));
        let [tls, bare] = web;
        let stage = Self {
            server,
            _servers: servers,
            _web: [tls?, bare?],
            scratch,
            done: AtomicBool::new(false),
            others: AtomicU64::new(0),
            bare_https: AtomicU64::new(0),
            net,
        };
        stage.net.server.run(|| {
            serve(stage.server, HTTP, answer_http)?;
            serve(stage.server, SHELL, answer_shell)
        })?;
        Ok(stage)
    }

    /// The client's host and the server's.
    pub fn ends(&self) -> (&Namespace, &Namespace) {
        (&self.net.client, &self.net.server)
    }

    /// Plays so many sessions, and the noise beside them.
    ///
    /// # Errors
    /// A client failed.
    pub fn play(&self, sessions: usize) -> Result<()> {
        let each = sessions.div_ceil(usize::from(ADDRESSES));
        ensure!(each <= SESSIONS_MAX, "an address has ports for {SESSIONS_MAX} sessions");
        thread::scope(|scope| {
            let noise: Vec<_> =
                (0..ADDRESSES).map(|address| scope.spawn(move || self.make_noise(address))).collect();
            let clients: Vec<_> = (0..ADDRESSES)
                .flat_map(|address| {
                    let curl = scope.spawn(move || self.play_with(address, each, true));
                    let lftp = scope.spawn(move || self.play_with(address, each, false));
                    [curl, lftp]
                })
                .collect();
            let played: Vec<Result<()>> = clients.into_iter().map(join).collect();
            self.done.store(true, Ordering::Relaxed);
            let noise: Vec<Result<()>> = noise.into_iter().map(join).collect();
            played.into_iter().chain(noise).collect()
        })
    }

    fn play_with(&self, address: u8, each: usize, curl: bool) -> Result<()> {
        for number in (0..each).filter(|number| is_curls(*number) == curl) {
            let mut command = if curl { self.curl(address, number)? } else { self.lftp(address, number)? };
            run_ok(&mut command).with_context(|| format!("session {number}, curl: {curl}"))?;
        }
        Ok(())
    }

    fn curl(&self, address: u8, number: usize) -> Result<Command> {
        let Manner { security, clear_data, .. } = Manner::of(number);
        let (scheme, port) = match security {
            Security::Implicit => ("ftps", 990),
            _ => ("ftp", 21),
        };
        let (first, ports) = CURL_PORTS;
        let low = first + ports * u16::try_from(number)?;
        let mut common: Vec<String> =
            ["-s", "-S", "-k", "--max-time", "60", "-u"].map(ToOwned::to_owned).into();
        common.push(format!("{USER}:{PASSWORD}"));
        common.extend(["--interface".to_owned(), client(address).to_string()]);
        common.extend(["--local-port".to_owned(), format!("{low}-{}", low + ports - 1)]);
        if security == Security::Explicit {
            common.push(if clear_data { "--ftp-ssl-control" } else { "--ssl-reqd" }.to_owned());
        }
        let ((file, _), size) = files(number);
        let url = |path: &str| format!("{scheme}://{}:{port}/{path}", self.server);
        let upload = self.scratch.path().join(size.to_string()).to_string_lossy().into_owned();
        let mut command = self.net.client.command("curl");
        command.args(&common).args(["-o", "/dev/null", &url(file), "--next"]);
        command.args(&common).args(["-T", &upload, &url(&format!("up/{address}-{number}")), "--next"]);
        command.args(&common).args(["-o", "/dev/null", &url("pub/")]);
        Ok(command)
    }

    fn lftp(&self, address: u8, number: usize) -> Result<Command> {
        let Manner { security, clear_data, active } = Manner::of(number);
        let ((file, _), size) = files(number);
        let url = match security {
            Security::Implicit => format!("ftps://{}:990", self.server),
            _ => format!("ftp://{}", self.server),
        };
        let protect = if clear_data { "no" } else { "yes" };
        let script = format!(
            "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 30; set ftp:use-mdtm no; set cache:enable no; \
             set ftp:use-size no; set xfer:clobber yes; set ssl:verify-certificate no; set ftp:ssl-force yes; \
             set ftp:ssl-protect-data {protect}; set ftp:ssl-protect-list {protect}; \
             set ftp:passive-mode {passive}; set net:socket-bind-ipv4 {client}; set ftp:sync-mode yes; \
             open -u {USER},{PASSWORD} {url}; get {file} -o /dev/null; put {upload} -o up/{address}-{number}; \
             cls pub; bye",
            passive = if active { "off" } else { "on" },
            client = client(address),
            upload = self.scratch.path().join(size.to_string()).display(),
        );
        let mut command = self.net.client.command(&Party::Lftp.program()?.to_string_lossy());
        command.args(["--norc", "-c", &script]).env("HOME", self.scratch.path());
        Ok(command)
    }

    /// HTTP, HTTPS and a shell between the same hosts, until all sessions are over.
    fn make_noise(&self, address: u8) -> Result<()> {
        let from = client(address);
        let web = |port: u16, more: &[&str]| {
            let mut command = self.net.client.command("curl");
            command.args(["-s", "-S", "-k", "--max-time", "20", "-o", "/dev/null"]).args(more);
            command.args(["--interface", &from.to_string(), &format!("https://{}:{port}/", self.server)]);
            run_ok(&mut command)
        };
        for round in 0_u32.. {
            if self.done.load(Ordering::Relaxed) {
                break;
            }
            self.net.client.run(|| {
                say(
                    from,
                    SocketAddr::new(self.server, HTTP),
                    b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n",
                )?;
                say(from, SocketAddr::new(self.server, SHELL), b"SSH-2.0-noise\r\n\x00\x00\x01\x14\x0a\x14")
            })?;
            web(HTTPS, &[])?;
            self.others.fetch_add(3, Ordering::Relaxed);
            if round.is_multiple_of(4) {
                web(BARE_HTTPS, &["--no-alpn"])?;
                self.bare_https.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Compares what the events say with what was played.
    ///
    /// # Errors
    /// A session or a data connection is not told, something else is told as one, or more than a few transfers are not told
    /// as they were: with the events of such sessions.
    pub fn compare(&self, events: &Events, sessions: usize) -> Result<Found> {
        let each = sessions.div_ceil(usize::from(ADDRESSES));
        let all = each * usize::from(ADDRESSES);
        let mut found = Found { due: all * 3, ..Found::default() };
        found.others.0 = self.others.load(Ordering::Relaxed);
        found.bare_https.0 = self.bare_https.load(Ordering::Relaxed);
        let mut lftps: HashMap<String, Vec<usize>> = HashMap::new();
        let mut wrong = Vec::new();
        for session in events.sessions() {
            let start = session.of("session_start");
            let start = start.first().context("a session without a beginning")?;
            let port = u16::try_from(start.number("/client/port").context("no port")?)?;
            let number = if port < CURL_PORTS.0 + CURL_PORTS.1 * u16::try_from(SESSIONS_MAX)? {
                usize::from((port - CURL_PORTS.0) / CURL_PORTS.1)
            } else {
                let left = lftps
                    .entry(start.text("/client/ip").to_owned())
                    .or_insert_with(|| (0..each).filter(|number| !is_curls(*number)).rev().collect());
                left.pop().with_context(|| format!("one session too many:\n{}", session.to_text()))?
            };
            found.sessions += 1;
            let (mut mine, mut others) = (Vec::new(), 0);
            for transfer in session.of("transfer") {
                match transfer.number("/data/listener/port").and_then(|port| u16::try_from(port).ok()) {
                    Some(HTTP | HTTPS | SHELL) => others += 1,
                    Some(BARE_HTTPS) => found.bare_https.1 += 1,
                    _ => mine.push(transfer),
                }
            }
            found.others.1 += others;
            found.told += mine.len();
            let mut left = mine.iter();
            let right = moved(number)
                .into_iter()
                .filter(|moved| {
                    // One that was another session's is passed over, one that another has leaves the rest for the next.
                    let mut ahead = left.clone();
                    let told = ahead.any(|transfer| is_told(*moved, Manner::of(number), transfer));
                    if told {
                        left = ahead;
                    }
                    told
                })
                .count();
            found.right += right;
            if right < 3 || mine.len() != 3 || others > 0 {
                wrong.push(format!("session {number} {:?}:\n{}", Manner::of(number), session.to_text()));
            }
        }
        let first: Vec<&str> = wrong.iter().take(3).map(String::as_str).collect();
        let whole = found.sessions == all && found.told == found.due && found.others.1 == 0;
        // Two sessions between the same hosts may have had each other's connection, where that was clear and the first one.
        let mixed_up = found.due - found.right.min(found.due);
        let tolerable = mixed_up <= (found.due / 200).max(4);
        ensure!(
            whole && tolerable,
            "{found}; {} sessions are wrong, such as\n{}",
            wrong.len(),
            first.join("\n")
        );
        Ok(found)
    }
}

/// lftp has two sessions of five.
const fn is_curls(number: usize) -> bool {
    number % 5 > 1
}

fn client(address: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 11 + address)
}

fn is_told(moved: Moved, manner: Manner, transfer: &Event) -> bool {
    let (direction, size) = match moved {
        Moved::Up(size) => ("upload", Some(size)),
        Moved::Down(size) => ("download", Some(size)),
        Moved::Listing => ("download", None),
    };
    let clear = manner.clear_data && manner.security == Security::Explicit;
    let bytes = transfer.number("/transfer/bytes").unwrap_or(0);
    let fits = match size {
        Some(size) if clear => bytes == size,
        Some(size) => bytes > size && bytes <= size + HANDSHAKE_MAX + size / 400,
        None => bytes > 0 && bytes <= HANDSHAKE_MAX,
    };
    let hello = transfer.has("/data/tls_ja4") && transfer.has("/data/tls_version");
    fits && transfer.text("/transfer/direction") == direction
        && transfer.text("/data/via") == "inferred"
        && transfer.text("/data/mode") == if manner.active { "active" } else { "passive" }
        && transfer.0.pointer("/data/tls").and_then(serde_json::Value::as_bool) == Some(!clear)
        && hello != clear
}

fn join(thread: thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A web server under TLS.
fn web(namespace: &Namespace, pem: &Path, port: u16) -> Result<Running> {
    let mut command = namespace.command("openssl");
    command.args(["s_server", "-quiet", "-www", "-accept", &port.to_string(), "-cert"]).arg(pem);
    Running::start(command.arg("-key").arg(pem))
}

/// Answers connections to a port, each on a thread of its own.
fn serve(ip: IpAddr, port: u16, answer: fn(TcpStream) -> Result<()>) -> Result<()> {
    let listener = TcpListener::bind((ip, port))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    Ok(())
}

fn answer_http(mut stream: TcpStream) -> Result<()> {
    BufReader::new(&stream).read_line(&mut String::new())?;
    let body = "x".repeat(5_000);
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
    Ok(())
}

fn answer_shell(mut stream: TcpStream) -> Result<()> {
    stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n")?;
    BufReader::new(&stream).read_line(&mut String::new())?;
    stream.write_all(&[0x5a; 900])?;
    Ok(())
}

/// Connects from an address, says something, and reads what is said.
fn say(from: Ipv4Addr, to: SocketAddr, words: &[u8]) -> Result<()> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&to.into())?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(words)?;
    // A close in the middle of something is an end as well.
    let _ = stream.read_to_end(&mut Vec::new());
    Ok(())
}
