//! Datagram sockets: UDP, and Unix ones such as `/dev/log`. A line is a datagram, without its line feed.

use std::io;
use std::net::{ToSocketAddrs as _, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send, sockopt};

use super::destination::{Destination, Recovery, Rejection, Unread, not_open};
use super::kernel_queue::KernelQueue;

/// The longest wait of a write for a reader that takes nothing, before the remaining time is checked.
const WRITE_WAIT: Duration = Duration::from_millis(200);
/// The wait for a refusal, after there was one: a host answers that nobody listens some time after a datagram was sent.
const REFUSAL_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// A reader of datagrams.
pub(super) enum DatagramReader {
    /// Over UDP, by name or address.
    Udp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// At a Unix socket.
    Unix(PathBuf),
}

impl DatagramReader {
    fn connect(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Udp { host, port } => {
                let mut refusal = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    match UdpSocket::bind(any).and_then(|socket| socket.connect(address).map(|()| socket)) {
                        Ok(socket) => {
                            socket.set_write_timeout(Some(WRITE_WAIT))?;
                            return Ok(socket.into());
                        }
                        Err(error) => refusal = error,
                    }
                }
                Err(refusal)
            }
            Self::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(WRITE_WAIT))?;
                Ok(socket.into())
            }
        }
    }
}

/// A datagram socket that is connected again when its reader went away.
pub(super) struct Datagrams {
    reader: DatagramReader,
    socket: Option<OwnedFd>,
    /// Length of the last datagram with its line feed: a refusal is about that one.
    last: u64,
    /// The last reader refused.
    was_refused: bool,
    rejections: Vec<Rejection>,
}

impl Datagrams {
    /// A socket to `reader`, not connected yet.
    pub(super) const fn new(reader: DatagramReader) -> Self {
        Self { reader, socket: None, last: 0, was_refused: false, rejections: Vec::new() }
    }

    /// An error where the datagram that was sent just now has no reader.
    fn refused(&self, socket: &OwnedFd) -> io::Result<()> {
        if self.was_refused {
            poll(&mut [PollFd::new(socket, PollFlags::empty())], Some(&REFUSAL_WAIT))?;
        }
        sockopt::socket_error(socket)?.map_err(Into::into)
    }
}

impl Destination for Datagrams {
    fn open(&mut self) -> io::Result<()> {
        self.socket = None;
        self.last = 0;
        self.socket = Some(self.reader.connect()?);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let socket = self.socket.as_ref().ok_or_else(not_open)?;
        let line = bytes.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
        let message = line.strip_suffix(b"\n").unwrap_or(line);
        if message.is_empty() {
            return Ok(line.len());
        }
        match send(socket, message, SendFlags::NOSIGNAL) {
            Ok(_) => {}
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(Errno::MSGSIZE) => {
                let reason = format!("a datagram of {} bytes is too large", message.len());
                self.rejections.push(Rejection { bytes: 0..line.len(), reason });
                return Ok(line.len());
            }
            Err(error) => {
                self.was_refused = true;
                return Err(error.into());
            }
        }
        if let DatagramReader::Udp { .. } = self.reader {
            if let Err(error) = self.refused(socket) {
                self.was_refused = true;
                return Err(error);
            }
            self.was_refused = false;
        }
        self.last = line.len() as u64;
        Ok(line.len())
    }

    fn take_rejections(&mut self) -> Vec<Rejection> {
        core::mem::take(&mut self.rejections)
    }

    fn recovery(&self) -> Recovery {
        Recovery::WholeEvent
    }

    /// A UDP datagram is handed over and nothing more is known of it, but that a refusal is about the last one. What a Unix
    /// socket's reader has not read goes with it.
    fn unread(&mut self, after: Option<&io::Error>) -> Unread {
        match (&self.reader, after) {
            (DatagramReader::Udp { .. }, _) => Unread::Bytes(self.last),
            (DatagramReader::Unix(_), None) => Unread::Bytes(self.in_kernel()),
            (DatagramReader::Unix(_), Some(_)) => Unread::Unknown,
        }
    }

    fn in_kernel(&mut self) -> u64 {
        self.socket.as_ref().map_or(0, |socket| KernelQueue::Socket.bytes(socket))
    }
}
