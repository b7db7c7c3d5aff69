//! The server: its listener and the threads that serve the clients.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::SockRef;

use super::content::Content;
use super::session::Session;
use super::shared::{Behaviour, Shared, listen};
use super::transcript::Transcript;
use crate::poll;

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
        let shared = Arc::new(Shared::new(behaviour));
        let address = listener.local_addr()?;
        let (accepting, theirs) = (listener.try_clone()?, Arc::clone(&shared));
        let accepting = thread::spawn(move || accept(&accepting, &theirs));
        Ok(Self { address, listener, shared, accepting: Some(accepting) })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The transcripts of all clients so far, in the order they came.
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
