//! The server: who may come in, what it serves, and the threads that do it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::{Domain, SockRef, Socket, Type};

use super::content::Content;
use super::session::Session;
use super::transcript::Transcript;
use super::wire::with_port;
use crate::poll;

/// Somebody who may log in.
#[derive(Clone, Debug)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password; none: any will do.
    pub password: Option<String>,
}

/// Where the server listens for data connections.
#[derive(Clone, Debug, Default)]
pub enum Ports {
    /// Where the kernel likes.
    #[default]
    Any,
    /// These, one after another, from the start again at the end.
    Cycle(Vec<u16>),
}

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Text of the greeting; several lines make a multi-line reply.
    pub greeting: String,
    /// Who may log in.
    pub users: Vec<User>,
    /// The files by absolute path.
    pub files: BTreeMap<String, Content>,
    /// Where it listens for data connections.
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

/// What all sessions of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) behaviour: Behaviour,
    files: Mutex<BTreeMap<String, Content>>,
    next_port: AtomicUsize,
    stopping: AtomicBool,
    transcripts: Mutex<Vec<(SocketAddr, Transcript)>>,
    open: Mutex<Vec<TcpStream>>,
}

impl Shared {
    pub(super) fn files(&self) -> MutexGuard<'_, BTreeMap<String, Content>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens for data on the next port that nobody listens on.
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

/// A running server. Dropping it ends it and its sessions.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    listener: TcpListener,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server in the caller's network namespace.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(address: SocketAddr, behaviour: Behaviour) -> Result<Self> {
        let listener = listen(address).with_context(|| format!("cannot listen on {address}"))?;
        let shared = Arc::new(Shared {
            files: Mutex::new(behaviour.files.clone()),
            behaviour,
            next_port: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            transcripts: Mutex::default(),
            open: Mutex::default(),
        });
        let address = listener.local_addr()?;
        let (accepting, theirs) = (listener.try_clone()?, Arc::clone(&shared));
        let accepting = thread::spawn(move || accept(&accepting, &theirs));
        Ok(Self { address, listener, shared, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was said with each client so far, in the order they came.
    pub fn transcripts(&self) -> Vec<(SocketAddr, Transcript)> {
        self.shared.transcripts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A file as it is now.
    pub fn file(&self, path: &str) -> Option<Content> {
        self.shared.files().get(path).cloned()
    }

    /// Waits until `count` sessions have been served to their end.
    ///
    /// # Errors
    /// They were not within `limit`.
    pub fn wait_for_sessions(&self, count: usize, limit: Duration) -> Result<()> {
        poll::until(&format!("{count} sessions to end"), limit, || {
            let begun = self.shared.transcripts.lock().unwrap_or_else(PoisonError::into_inner).len();
            let open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).len();
            Ok((begun >= count && open == 0).then_some(()))
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // Ends a waiting accept(2) as well. Nothing can be done about a failure here.
        let _ = SockRef::from(&self.listener).shutdown(Shutdown::Both);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, peer)) = listener.accept() {
        if shared.stopping.load(Ordering::Acquire) {
            return;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A session that fails has said so to its client, or has lost it.
            let _ = serve(stream, peer, &shared);
        });
    }
}

fn serve(stream: TcpStream, peer: SocketAddr, shared: &Arc<Shared>) -> Result<()> {
    let transcript = Transcript::default();
    let kept = stream.try_clone()?;
    shared.open.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
    shared.transcripts.lock().unwrap_or_else(PoisonError::into_inner).push((peer, transcript.clone()));
    let result = Session::new(stream, transcript, Arc::clone(shared)).and_then(Session::serve);
    let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|stream| stream.peer_addr().is_ok_and(|other| other != peer));
    result
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
