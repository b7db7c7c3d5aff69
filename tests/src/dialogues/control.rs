//! The client's end of a control connection: lines out, whole replies in, nothing ever blocks.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, SockRef, Socket, Type};

use crate::ftp::{Reply, Transcript};

/// The time that the client waits for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// A control connection.
#[derive(Debug)]
pub(super) struct Control {
    stream: TcpStream,
    /// Bytes that are not a whole line yet.
    inbox: Vec<u8>,
    /// Lines of a reply that is not whole yet.
    open: Vec<String>,
    /// The server closed, or reset.
    pub(super) ended: bool,
}

impl Control {
    pub(super) fn connect(client: IpAddr, server: SocketAddr) -> Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(client, 0).into())?;
        socket.connect_timeout(&server.into(), CONNECT_LIMIT).context("control connection")?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, inbox: Vec::new(), open: Vec::new(), ended: false })
    }

    pub(super) fn local(&self) -> Result<SocketAddr> {
        Ok(self.stream.local_addr()?)
    }

    /// Sends bytes; they are few, so the socket's buffer always has room.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).is_err() {
            self.ended = true;
        }
    }

    /// The next whole reply, if it is here.
    pub(super) fn reply(&mut self) -> Result<Option<Reply>> {
        loop {
            while let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.inbox.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line);
                self.open.push(text.trim_end_matches(['\r', '\n']).to_owned());
                let marked = self.open.iter().map(|line: &String| (false, line.as_str()));
                if let Some(reply) = Transcript::from_lines(marked).replies().into_iter().next() {
                    self.open.clear();
                    return Ok(Some(reply));
                }
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    self.inbox.extend_from_slice(buffer.get(..n).unwrap_or_default());
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => self.ended = true,
            }
            if self.ended && !self.open.is_empty() {
                bail!("the server ended within the reply {:?}", self.open);
            }
            return Ok(None);
        }
    }

    /// Waits for a reply; none at the end of the connection, or when `limit` is over.
    pub(super) fn wait(&mut self, limit: Duration) -> Result<Option<Reply>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(reply) = self.reply()? {
                return Ok(Some(reply));
            }
            if self.ended {
                return Ok(None);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            readable(&[self.stream.as_fd()], left);
        }
    }

    /// That which to poll for replies.
    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Makes the coming close an RST.
    pub(super) fn reset_at_close(&self) {
        reset_at_close(&self.stream);
    }
}

/// Makes the coming close of a connection an RST.
pub(super) fn reset_at_close(stream: &TcpStream) {
    // A connection that is gone already cannot be reset.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Waits until one of these can be read, or `limit` is over.
pub(super) fn readable(files: &[BorrowedFd<'_>], limit: Duration) {
    let mut wait: Vec<PollFd<'_>> = files.iter().map(|file| PollFd::new(*file, PollFlags::POLLIN)).collect();
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    // An interrupted wait is a short one: whoever waits looks again.
    let _ = poll(&mut wait, timeout);
}
