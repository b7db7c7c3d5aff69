//! A shipper that reads lines from TCP connections, and can be killed, hang, and come back.

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::net::Namespace;

/// The interval at which a shipper looks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of a read.
const READ_BYTES: usize = 64 << 10;

/// A line, and the connection that it came by: 1 is the first.
pub type Shipped = (u32, String);

/// The state that the shipper's threads share.
#[derive(Debug, Default)]
struct Store {
    lines: Mutex<Vec<Shipped>>,
    hangs: AtomicBool,
}

/// The shipper. What it has read outlives it, as what a real one has written does.
#[derive(Debug)]
pub struct Shipper {
    namespace: Namespace,
    address: SocketAddr,
    store: Arc<Store>,
    connections: Arc<Mutex<u32>>,
    running: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Shipper {
    /// A shipper that listens at an address in a namespace.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(namespace: &Namespace, address: SocketAddr) -> Result<Self> {
        let mut shipper = Self {
            namespace: namespace.clone(),
            address,
            store: Arc::default(),
            connections: Arc::default(),
            running: None,
        };
        shipper.restart()?;
        Ok(shipper)
    }

    /// Has it back, after [`Self::kill`].
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        let listener = self.namespace.run(|| TcpListener::bind(self.address).context("cannot listen"))?;
        listener.set_nonblocking(true)?;
        let over = Arc::new(AtomicBool::new(false));
        let (ends, store, connections) =
            (Arc::clone(&over), Arc::clone(&self.store), Arc::clone(&self.connections));
        let thread = thread::spawn(move || {
            let mut readers = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    thread::sleep(LOOK);
                    continue;
                };
                let mut count = connections.lock().unwrap_or_else(PoisonError::into_inner);
                *count += 1;
                let (number, ends, store) = (*count, Arc::clone(&ends), Arc::clone(&store));
                drop(count);
                readers.push(thread::spawn(move || read(stream, number, &ends, &store)));
            }
            for reader in readers {
                let _ = reader.join();
            }
        });
        self.running = Some((over, thread));
        Ok(())
    }

    /// Ends it and its connections at once. What it had not read is lost to it.
    pub fn kill(&mut self) {
        if let Some((over, thread)) = self.running.take() {
            over.store(true, Ordering::Relaxed);
            let _ = thread.join();
        }
    }

    /// Has it read nothing, or go on.
    pub fn hang(&self, hangs: bool) {
        self.store.hangs.store(hangs, Ordering::Relaxed);
    }

    /// The number of lines that it has.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Its lines from number `from` on.
    pub fn from(&self, from: usize) -> Vec<Shipped> {
        self.lock().get(from..).unwrap_or_default().to_vec()
    }

    /// Takes all its lines.
    pub fn take(&self) -> Vec<Shipped> {
        core::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Shipped>> {
        self.store.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads whole lines of a connection. One that was cut is nothing.
fn read(mut stream: TcpStream, number: u32, over: &AtomicBool, store: &Store) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(LOOK));
    let mut room = vec![0; READ_BYTES];
    let mut rest = Vec::new();
    while !over.load(Ordering::Relaxed) {
        if store.hangs.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
            continue;
        }
        match stream.read(&mut room) {
            Ok(0) => return,
            Ok(count) => rest.extend_from_slice(room.get(..count).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => return,
        }
        let Some(end) = rest.iter().rposition(|&byte| byte == b'\n') else { continue };
        let after = rest.split_off(end + 1);
        let whole = core::mem::replace(&mut rest, after);
        let text = String::from_utf8_lossy(&whole);
        let mut lines = store.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend(text.lines().map(|line| (number, line.to_owned())));
    }
}
