//! Stream sockets: TCP and Unix, and what other streams over TCP have in common with them.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv, sockopt};

use super::destination::{Destination, Recovery, Unread, not_open};
use super::kernel_queue::KernelQueue;

/// The longest attempt to connect to one address: of every kind of output.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time that sent bytes may be unacknowledged before a TCP connection counts as dead.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// The longest wait of a write for a reader that takes nothing, before the remaining time is checked.
const WRITE_WAIT: Duration = Duration::from_millis(200);

/// Bytes that a reader sends back, which are thrown away, per read.
pub(super) const IGNORED_BYTES: usize = 512;

/// A connected stream.
pub(super) trait Stream: Send {
    /// Writes some of `bytes`, as [`Destination::write`] does.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// An error where the reader is gone: [`io::ErrorKind::UnexpectedEof`] when it had read everything until then. Never waits.
    fn far_end(&mut self) -> io::Result<()>;

    /// The bytes that have not left this host's kernel.
    fn in_kernel(&self) -> u64;
}

/// A socket that takes bytes as they are.
pub(super) struct Plain<S>(S);

impl<S: Write + AsFd + Send> Stream for Plain<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn far_end(&mut self) -> io::Result<()> {
        let mut ignored = [0; IGNORED_BYTES];
        match recv(&self.0, &mut ignored, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(closed()),
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn in_kernel(&self) -> u64 {
        KernelQueue::Socket.bytes(&self.0)
    }
}

/// A way to connect to a reader.
pub(super) trait Connect: Send {
    /// The stream.
    type Stream: Stream;

    /// Bytes that have left this host's kernel have been read.
    const SENT_IS_READ: bool;

    /// One attempt.
    fn connect(&mut self) -> io::Result<Self::Stream>;
}

/// A TCP reader by name or address.
pub(super) struct Tcp {
    /// A name or an address.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
}

impl Tcp {
    /// A connection whose writes wait for a short time.
    pub(super) fn connect(&self) -> io::Result<TcpStream> {
        let mut refusal = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    stream.set_write_timeout(Some(WRITE_WAIT))?;
                    stream.set_nodelay(true)?;
                    sockopt::set_socket_keepalive(&stream, true)?;
                    sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED_MAX.as_millis() as u32)?;
                    return Ok(stream);
                }
                Err(e) => refusal = e,
            }
        }
        Err(refusal)
    }
}

impl Connect for Tcp {
    type Stream = Plain<TcpStream>;

    /// Bytes that the peer's kernel has acknowledged may wait in its buffer.
    const SENT_IS_READ: bool = false;

    fn connect(&mut self) -> io::Result<Self::Stream> {
        Ok(Plain(Self::connect(self)?))
    }
}

/// A Unix stream socket's reader by path.
pub(super) struct Unix(pub(super) PathBuf);

impl Connect for Unix {
    type Stream = Plain<UnixStream>;

    const SENT_IS_READ: bool = true;

    fn connect(&mut self) -> io::Result<Self::Stream> {
        let stream = UnixStream::connect(&self.0)?;
        stream.set_write_timeout(Some(WRITE_WAIT))?;
        Ok(Plain(stream))
    }
}

/// A stream socket that is connected again when its reader went away.
pub(super) struct Socket<C: Connect> {
    reader: C,
    stream: Option<C::Stream>,
    /// The end of the connection, with its description.
    end: Option<(io::ErrorKind, String)>,
}

impl<C: Connect> Socket<C> {
    /// A socket to `reader`, not connected yet.
    pub(super) fn new(reader: C) -> Self {
        Self { reader, stream: None, end: None }
    }

    /// The reader is present. What was unread when it left is reported once; its queue is empty from then on.
    fn check(&mut self) -> io::Result<()> {
        if let Some((kind, description)) = &self.end {
            return Err(io::Error::new(*kind, description.clone()));
        }
        let stream = self.stream.as_mut().ok_or_else(not_open)?;
        stream.far_end().inspect_err(|error| self.end = Some((error.kind(), error.to_string())))
    }
}

impl<C: Connect> Destination for Socket<C> {
    fn open(&mut self) -> io::Result<()> {
        self.stream = None;
        self.stream = Some(self.reader.connect()?);
        self.end = None;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The first write after the reader closed would succeed and be lost; its FIN shows it before.
        self.check()?;
        let stream = self.stream.as_mut().ok_or_else(not_open)?;
        let result = match stream.write(bytes) {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(io::ErrorKind::WouldBlock.into()),
            result => result,
        };
        if let Err(error) = &result
            && !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
        {
            self.end = Some((error.kind(), error.to_string()));
        }
        result
    }

    fn recovery(&self) -> Recovery {
        Recovery::WholeEvent
    }

    /// A reader that closes with bytes unread makes its kernel reset the connection; their number is not known. One that
    /// had read everything ends it with a FIN.
    fn unread(&mut self, after: Option<&io::Error>) -> Unread {
        // In this order: what is counted while the reader is there has not been thrown away.
        let bytes = self.stream.as_ref().map_or(0, Stream::in_kernel);
        let end = after.map(io::Error::kind).or_else(|| self.check().err().map(|error| error.kind()));
        match end {
            None if C::SENT_IS_READ => Unread::Bytes(bytes),
            Some(io::ErrorKind::UnexpectedEof) => Unread::Bytes(bytes),
            None | Some(_) => Unread::Unknown,
        }
    }

    /// After a reset it is not known what was read.
    fn in_kernel(&mut self) -> u64 {
        let bytes = self.stream.as_ref().map_or(0, Stream::in_kernel);
        match self.check() {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => u64::MAX,
            _ => bytes,
        }
    }
}

/// The error of a reader that ended the connection in order.
pub(super) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "its reader closed the connection")
}
