//! A real server in a namespace, and the files that it serves.

use std::fs::{self, File};
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::served::Served;
use super::setting::{Security, Setting};
use super::xferlog::{self, Logged};
use super::{Party, proftpd, pureftpd, pyftpdlib, vsftpd};
use crate::bed::Scratch;
use crate::ftp::{Content, Transcript};
use crate::net::Namespace;
use crate::poll;
use crate::process::{Running, run_ok};

/// The file's name of a server's log of the files that it moved.
const XFERLOG: &str = "xferlog";
/// The longest time until a server listens.
const START_LIMIT: Duration = Duration::from_secs(20);

/// The files that every server serves: `/pub` to read, `/up` to write.
#[derive(Debug)]
pub struct Tree;

impl Tree {
    /// An empty file.
    pub const EMPTY: (&'static str, u64) = ("pub/empty.bin", 0);
    /// Less than a segment.
    pub const SMALL: (&'static str, u64) = ("pub/small.bin", 1_234);
    /// Some hundred segments.
    pub const MEDIUM: (&'static str, u64) = ("pub/medium.bin", 300_001);
    /// Long enough that a transfer of it can be aborted: sparse.
    pub const HUGE: (&'static str, u64) = ("pub/huge.bin", 2 << 30);

    /// Lays the files into a folder.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn lay(scratch: &Scratch) -> Result<PathBuf> {
        let root = scratch.path().join("root");
        for (name, len) in [Self::EMPTY, Self::SMALL, Self::MEDIUM] {
            let mut bytes = Vec::new();
            Content::Pattern(len).write_from(0, &mut bytes, || true)?;
            scratch.write(&format!("root/{name}"), bytes)?;
        }
        File::create(root.join(Self::HUGE.0))?.set_len(Self::HUGE.1)?;
        let up = root.join("up");
        fs::create_dir_all(&up)?;
        // Servers act as different users: anybody may write here.
        fs::set_permissions(&up, fs::Permissions::from_mode(0o777))?;
        Ok(root)
    }
}

/// Makes a certificate of its own signature, with its key, in one file.
///
/// # Errors
/// `openssl` is missing or failed.
pub fn certificate(scratch: &Scratch) -> Result<PathBuf> {
    let path = scratch.path().join("server.pem");
    run_ok(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ftp.example"])
            .arg("-keyout")
            .arg(&path)
            .arg("-out")
            .arg(path.with_extension("crt")),
    )?;
    let mut both = fs::read(&path)?;
    both.extend(fs::read(path.with_extension("crt"))?);
    fs::write(&path, both)?;
    Ok(path)
}

/// A running real server. Dropping it ends it and removes its files.
#[derive(Debug)]
pub struct RealServer {
    party: Party,
    process: Running,
    scratch: Scratch,
}

impl RealServer {
    /// Starts a server on port 21 of an address in a namespace, and waits until it listens.
    ///
    /// # Errors
    /// It ended, or did not listen in time: with what it said.
    pub fn start(party: Party, namespace: &Namespace, ip: IpAddr) -> Result<Self> {
        Self::start_secured(party, namespace, ip, Security::Clear)
    }

    /// The same with TLS: vsftpd and ProFTPD only.
    ///
    /// # Errors
    /// As [`RealServer::start`].
    pub fn start_secured(
        party: Party,
        namespace: &Namespace,
        ip: IpAddr,
        security: Security,
    ) -> Result<Self> {
        let scratch = Scratch::new("server")?;
        let root = Tree::lay(&scratch)?.to_string_lossy().into_owned();
        let log = scratch.path().join("server.log").to_string_lossy().into_owned();
        let xferlog = scratch.path().join(XFERLOG).to_string_lossy().into_owned();
        let pem = match security {
            Security::Clear => String::new(),
            _ => certificate(&scratch)?.to_string_lossy().into_owned(),
        };
        let setting = Setting {
            namespace,
            ip,
            scratch: &scratch,
            root: &root,
            log: &log,
            xferlog: &xferlog,
            security,
            pem: &pem,
        };
        let mut command: Command = match party {
            Party::Vsftpd => vsftpd::command(&setting)?,
            Party::Proftpd => proftpd::command(&setting)?,
            Party::PureFtpd => pureftpd::command(&setting)?,
            Party::Pyftpdlib => pyftpdlib::command(&setting)?,
            client => bail!("{client:?} is no server"),
        };
        let mut process = Running::start(&mut command)?;
        let address = SocketAddr::new(ip, security.port());
        poll::until(&format!("{party:?} to listen"), START_LIMIT, || {
            if let Some(status) = process.ended()? {
                bail!("{party:?} ended at once: {status}");
            }
            let look = namespace.run(|| Ok(greets(address, security)));
            Ok(look?.then_some(()))
        })
        .with_context(|| format!("{party:?} said: {}\n{}", process.stderr.text(), process.stdout.text()))?;
        Ok(Self { party, process, scratch })
    }

    /// A file that was uploaded to `/up`.
    ///
    /// # Errors
    /// There is none.
    pub fn uploaded(&self, name: &str) -> Result<Vec<u8>> {
        fs::read(self.scratch.path().join("root/up").join(name)).with_context(|| format!("no upload {name}"))
    }

    /// The sessions so far by the server's own log, in order; none if it keeps no such log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn transcripts(&self) -> Result<Vec<Transcript>> {
        let path = self.scratch.path().join("server.log");
        let bytes = fs::read(&path).unwrap_or_default();
        let log = String::from_utf8_lossy(&bytes);

        let sessions = match self.party {
            Party::Vsftpd => vsftpd::transcripts(&log),
            Party::Proftpd => proftpd::transcripts(&log),
            Party::PureFtpd => pureftpd::transcripts(&self.process.stdout.text()),
            _ => pyftpdlib::transcripts(&log),
        };
        // The look whether the server listens is a session too, without a word from the client.
        Ok(sessions.into_iter().filter(|session| !session.commands().is_empty()).collect())
    }

    /// The files that it says it moved, in order.
    pub fn moved(&self) -> Vec<Logged> {
        let bytes = fs::read(self.scratch.path().join(XFERLOG)).unwrap_or_default();
        let root = self.scratch.path().join("root");
        let mut moved = xferlog::parse(&String::from_utf8_lossy(&bytes), &root.to_string_lossy());
        if self.party == Party::PureFtpd {
            // It calls everything complete, and leaves out what another session logs at the same moment.
            moved.iter_mut().for_each(|file| file.complete = None);
        }
        moved
    }

    /// It logs each transfer command with its bytes.
    pub fn serves_by_command(&self) -> bool {
        self.party == Party::Proftpd
    }

    /// The transfer commands that it says it served, in order; none where it keeps no such log.
    pub fn served(&self) -> Vec<Served> {
        if !self.serves_by_command() {
            return Vec::new();
        }
        let bytes = fs::read(self.scratch.path().join("server.log")).unwrap_or_default();
        proftpd::served(&String::from_utf8_lossy(&bytes))
    }

    /// The id of the process that listens.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its standard output and error so far.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.process.stdout.text(), self.process.stderr.text())
    }
}

/// Whether a server greets. The greeting is waited for, so that a server's log holds this visit before any other.
fn greets(address: SocketAddr, security: Security) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else {
        return false;
    };
    if security == Security::Implicit {
        // It waits for a ClientHello.
        return true;
    }
    let mut byte = [0];
    stream.set_read_timeout(Some(START_LIMIT)).is_ok() && stream.read_exact(&mut byte).is_ok()
}
