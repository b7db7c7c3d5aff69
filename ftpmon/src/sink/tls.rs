//! TLS over TCP (RFC 8446, RFC 5246).

use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustls::{ClientConfig, ClientConnection};

use super::kernel_queue::KernelQueue;
use super::socket::{CONNECT_TIMEOUT, Connect, IGNORED_BYTES, Stream, Tcp, closed};
use super::tls_error::{explained, explained_io};
use super::tls_options::TlsOptions;

/// A TCP reader that speaks TLS.
pub(super) struct Tls {
    tcp: Tcp,
    options: TlsOptions,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// A reader; the files of `options` are read.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn new(tcp: Tcp, options: TlsOptions) -> io::Result<Self> {
        let config = options.load()?;
        Ok(Self { tcp, options, config })
    }
}

impl Connect for Tls {
    type Stream = TlsStream;

    const SENT_IS_READ: bool = false;

    fn connect(&mut self) -> io::Result<TlsStream> {
        // Certificates are renewed while the agent runs. What was read before counts where they cannot be read any more.
        if let Ok(config) = self.options.load() {
            self.config = config;
        }
        let name = self.options.name_of(&self.tcp.host)?;
        let shown = name.to_str().into_owned();
        let mut tls = ClientConnection::new(Arc::clone(&self.config), name)
            .map_err(|error| explained(&error, &shown))?;
        let mut tcp = Tcp::connect(&self.tcp)?;
        tcp.set_read_timeout(Some(CONNECT_TIMEOUT))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp).map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    io::Error::new(io::ErrorKind::TimedOut, "the reader does not answer the TLS handshake")
                }
                _ => explained_io(error, &shown),
            })?;
        }
        Ok(TlsStream { tcp, tls, taken: 0, name: shown })
    }
}

/// A connection with TLS.
pub(super) struct TlsStream {
    tcp: TcpStream,
    tls: ClientConnection,
    /// The bytes that are encrypted and not written yet: the same are given to the next write.
    taken: usize,
    name: String,
}

impl Stream for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.taken == 0 {
            self.taken = self.tls.writer().write(bytes)?;
        }
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.tcp)?;
        }
        Ok(core::mem::take(&mut self.taken))
    }

    fn far_end(&mut self) -> io::Result<()> {
        loop {
            match self.tls.read_tls(&mut WithoutWait(&self.tcp)) {
                Ok(0) => return Err(closed()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            let state = self.tls.process_new_packets().map_err(|error| explained(&error, &self.name))?;
            let mut ignored = [0; IGNORED_BYTES];
            let mut left = state.plaintext_bytes_to_read();
            while left > 0 {
                match self.tls.reader().read(&mut ignored)? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
            if state.peer_has_closed() {
                return Err(closed());
            }
        }
    }

    fn in_kernel(&self) -> u64 {
        KernelQueue::Socket.bytes(&self.tcp)
    }
}

/// The reader is told that nothing more comes: without that it would take the end for an attack.
impl Drop for TlsStream {
    fn drop(&mut self) {
        self.tls.send_close_notify();
        while self.tls.wants_write() && self.tls.write_tls(&mut self.tcp).is_ok_and(|written| written > 0) {}
    }
}

/// Reads what is there.
struct WithoutWait<'a>(&'a TcpStream);

impl Read for WithoutWait<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match recv(self.0, buffer, RecvFlags::DONTWAIT) {
            Ok((_, read)) => Ok(read),
            Err(Errno::AGAIN | Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }
}
