//! The server's behaviour, and what its sessions share.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::{Domain, Socket, Type};

use super::content::Content;
use super::transcript::Transcript;
use super::wire::with_port;

/// Somebody who may log in.
#[derive(Clone, Debug)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password; none: any will do.
    pub password: Option<String>,
}

/// The ports for data connections.
#[derive(Clone, Debug, Default)]
pub enum Ports {
    /// Ports that the kernel chooses.
    #[default]
    Any,
    /// These, one after another, from the start again at the end.
    Cycle(Vec<u16>),
}

/// The behaviour of a server.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Text of the greeting; several lines make a multi-line reply.
    pub greeting: String,
    /// The accounts.
    pub users: Vec<User>,
    /// The files by absolute path.
    pub files: BTreeMap<String, Content>,
    /// The ports for data connections.
    pub passive_ports: Ports,
    /// The address that 227 announces instead of the real one.
    pub announced: Option<Ipv4Addr>,
    /// The port that active data connections come from; none: any.
    pub active_source: Option<u16>,
    /// Without PORT and PASV it connects to the port that the control connection comes from (RFC 959 section 3.2).
    pub default_port: bool,
    /// An upload up to this many bytes is kept byte for byte; of a larger one the length is.
    pub keep: usize,
    /// Data connections send no faster than this, bytes a second.
    pub pace: Option<u64>,
    /// Whole replies, line ends included, that these verbs get instead of being carried out.
    pub scripted: BTreeMap<String, String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            greeting: "FTP server ready.".into(),
            users: vec![
                User { name: "alice".into(), password: Some("wonderland".into()) },
                User { name: "anonymous".into(), password: None },
            ],
            files: BTreeMap::new(),
            passive_ports: Ports::Any,
            announced: None,
            active_source: None,
            default_port: false,
            keep: 4 << 20,
            pace: None,
            scripted: BTreeMap::new(),
        }
    }
}

impl Behaviour {
    /// The same with a file more.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: Content) -> Self {
        self.files.insert(path.into(), content);
        self
    }
}

/// The state that all sessions of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) behaviour: Behaviour,
    files: Mutex<BTreeMap<String, Content>>,
    next_port: AtomicUsize,
    pub(super) stopping: AtomicBool,
    /// The transcripts of all clients, in the order they came.
    pub(super) transcripts: Mutex<Vec<(SocketAddr, Transcript)>>,
    /// Control connections that are not at their end.
    pub(super) open: Mutex<Vec<TcpStream>>,
}

impl Shared {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self {
            files: Mutex::new(behaviour.files.clone()),
            behaviour,
            next_port: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            transcripts: Mutex::default(),
            open: Mutex::default(),
        }
    }

    pub(super) fn files(&self) -> MutexGuard<'_, BTreeMap<String, Content>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens for data on the next free port.
    pub(super) fn listen_for_data(&self, address: SocketAddr) -> Result<TcpListener> {
        let Ports::Cycle(ports) = &self.behaviour.passive_ports else {
            return listen(with_port(address, 0));
        };
        let next = |_| {
            let turn = self.next_port.fetch_add(1, Ordering::Relaxed);
            listen(with_port(address, *ports.get(turn % ports.len().max(1))?)).ok()
        };
        ports.iter().find_map(next).context("no port is free for data")
    }
}

/// A listener that may take a port again at once.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(128)?;
    Ok(socket.into())
}

/// A connection from a given local address.
pub(super) fn connect(local: Option<SocketAddr>, to: SocketAddr, limit: Duration) -> Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(local) = local {
        if local.is_ipv4() != to.is_ipv4() {
            bail!("{local} and {to} are of different families");
        }
        socket.set_reuse_address(true)?;
        socket.bind(&local.into()).with_context(|| format!("cannot bind {local}"))?;
    }
    socket.connect_timeout(&to.into(), limit).with_context(|| format!("cannot connect to {to}"))?;
    Ok(socket.into())
}
