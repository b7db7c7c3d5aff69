//! The client's ends of data connections: what each of them moved, counted and hashed.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::Result;
use sha2::{Digest, Sha256};
use socket2::{Domain, Socket, Type};

use super::control::reset_at_close;
use super::record::Ends;
use crate::ftp::Content;

/// Bytes moved in one go.
const CHUNK: usize = 64 * 1024;
/// The time that a connection may take to be made or refused.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// One data connection.
#[derive(Debug)]
pub(super) struct Pipe {
    /// None once this end is closed.
    stream: Option<TcpStream>,
    pub(super) ends: Ends,
    /// It is another host's.
    pub(super) stranger: bool,
    /// Bytes read.
    pub(super) read: u64,
    /// Bytes written.
    pub(super) written: u64,
    hash: Sha256,
    /// The other end closed in order.
    pub(super) finished: bool,
    /// The other end reset it.
    pub(super) broken: bool,
    /// This end has said that it sends no more.
    silent: bool,
}

impl Pipe {
    fn new(stream: TcpStream, ends: Ends, stranger: bool) -> Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: Some(stream),
            ends,
            stranger,
            read: 0,
            written: 0,
            hash: Sha256::new(),
            finished: false,
            broken: false,
            silent: false,
        })
    }

    /// Connects from an address; none: the server refused.
    pub(super) fn open(from: SocketAddr, to: SocketAddr, stranger: bool) -> Result<Option<Self>> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.bind(&from.into())?;
        if socket.connect_timeout(&to.into(), CONNECT_LIMIT).is_err() {
            return Ok(None);
        }
        let stream = TcpStream::from(socket);
        let Ok(local) = stream.local_addr() else { return Ok(None) };
        Self::new(stream, Ends { initiator: local, listener: to }, stranger).map(Some)
    }

    /// Accepts a connection, if one waits.
    pub(super) fn accept(listener: &TcpListener) -> Result<Option<Self>> {
        match listener.accept() {
            Ok((stream, from)) => {
                let to = stream.local_addr()?;
                Self::new(stream, Ends { initiator: from, listener: to }, false).map(Some)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Nothing more will come.
    pub(super) const fn is_over(&self) -> bool {
        self.finished || self.broken || self.stream.is_none()
    }

    /// Closes this end, with RST where that is wanted.
    pub(super) fn close(&mut self, reset: bool) {
        if let Some(stream) = self.stream.take()
            && reset
        {
            reset_at_close(&stream);
        }
    }

    /// That which to poll for bytes.
    pub(super) fn file(&self) -> Option<BorrowedFd<'_>> {
        if self.is_over() { None } else { self.stream.as_ref().map(AsFd::as_fd) }
    }

    /// Reads what is here, at most `limit` bytes. Gives whether anything happened.
    pub(super) fn receive(&mut self, limit: usize) -> bool {
        let mut buffer = vec![0; CHUNK.min(limit)];
        let mut moved = false;
        let mut left = limit;
        while !self.is_over() && left > 0 {
            let room = buffer.len().min(left);
            let Some(stream) = &mut self.stream else { break };
            match stream.read(buffer.get_mut(..room).unwrap_or_default()) {
                Ok(0) => self.finished = true,
                Ok(n) => {
                    self.hash.update(buffer.get(..n).unwrap_or_default());
                    self.read += n as u64;
                    left -= n;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return moved,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.broken = true,
            }
            moved = true;
        }
        moved
    }

    /// Writes bytes of the pattern until `limit` of them are written. Gives whether anything happened.
    pub(super) fn transmit(&mut self, limit: u64) -> bool {
        let mut moved = false;
        while self.written < limit && !self.broken {
            let mut piece = Vec::new();
            let part = Content::Pattern(limit.min(self.written + CHUNK as u64));
            if part.write_from(self.written, &mut piece, || true).is_err() {
                return moved;
            }
            let Some(stream) = &mut self.stream else { break };
            match stream.write(&piece) {
                Ok(n) => {
                    self.hash.update(piece.get(..n).unwrap_or_default());
                    self.written += n as u64;
                    moved = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return moved,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.broken = true,
            }
        }
        moved
    }

    /// Says that this end sends no more.
    pub(super) fn close_writing(&mut self) {
        if let Some(stream) = self.stream.as_ref().filter(|_| !self.silent) {
            self.silent = true;
            // It may be reset already.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// The hash of all bytes that were read, or written.
    pub(super) fn sha256(&self) -> String {
        self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// An endpoint of this client: it accepts from now on.
pub(super) fn listen(at: SocketAddr) -> Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
    socket.bind(&at.into())?;
    socket.listen(8)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
