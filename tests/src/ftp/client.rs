//! The client: says what a test tells it to say, and notes every word.

use std::io::{BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::SockRef;

use super::content::Content;
use super::shared::{connect, listen};
use super::transcript::{Reply, Said, Transcript};
use super::wire::{extended, host_port, parse_extended_port, parse_host_port, read_line, with_port};

/// Bytes read at a time.
const READ_SIZE: usize = 256 * 1024;
/// The client's timeout.
const LIMIT: Duration = Duration::from_secs(60);

/// The arrangement of the next data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataMode {
    /// PASV.
    Pasv,
    /// EPSV.
    Epsv,
    /// PORT.
    Port,
    /// EPRT.
    Eprt,
}

impl DataMode {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Pasv, Self::Epsv, Self::Port, Self::Eprt];

    /// As the command and the events' `via` spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pasv => "PASV",
            Self::Epsv => "EPSV",
            Self::Port => "PORT",
            Self::Eprt => "EPRT",
        }
    }
}

/// Fixed ends of the client's connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientOptions {
    /// The source of the control connection.
    pub control_from: Option<SocketAddr>,
    /// The source of passive data connections.
    pub data_from: Option<SocketAddr>,
}

/// The content of a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Payload bytes.
    pub bytes: u64,
    /// They are the expected ones (true if none were given to compare with).
    pub intact: bool,
}

/// An arranged data connection.
#[derive(Debug)]
enum Arranged {
    Connected(TcpStream),
    Listening(TcpListener),
}

/// The client's end of a control connection.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<TcpStream>,
    options: ClientOptions,
    transcript: Transcript,
    /// The endpoints announced by either side, in order.
    pub announced: Vec<(DataMode, SocketAddr)>,
}

impl Client {
    /// Connects and reads the greeting, in the caller's network namespace.
    ///
    /// # Errors
    /// No connection, or no greeting.
    pub fn connect(server: SocketAddr, options: ClientOptions) -> Result<Self> {
        let stream = connect(options.control_from, server, LIMIT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut client = Self {
            reader: BufReader::new(stream),
            options,
            transcript: Transcript::default(),
            announced: Vec::new(),
        };
        client.reply()?;
        Ok(client)
    }

    /// The client's end.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn local(&self) -> Result<SocketAddr> {
        Ok(self.reader.get_ref().local_addr()?)
    }

    /// Everything said so far.
    pub fn transcript(&self) -> Transcript {
        self.transcript.clone()
    }

    /// Sends bytes as they are; nothing is noted.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.reader.get_mut().write_all(bytes)?)
    }

    /// Sends a command and does not wait.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(&mut self, line: &str) -> Result<()> {
        self.transcript.push(Said::Command(line.to_owned()));
        self.send_raw(format!("{line}\r\n").as_bytes())
    }

    /// Reads a reply, a multi-line one whole.
    ///
    /// # Errors
    /// The connection is gone, or that was no reply.
    pub fn reply(&mut self) -> Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let line = read_line(&mut self.reader)?.context("the server closed the control connection")?;
            lines.push(line);
            let heard = Transcript::from_lines(lines.iter().map(|line: &String| (false, line.as_str())));
            if let Some(reply) = heard.replies().into_iter().next() {
                self.transcript.push(Said::Reply(reply.clone()));
                return Ok(reply);
            }
        }
    }

    /// Sends a command and reads its reply.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Client::reply`].
    pub fn command(&mut self, line: &str) -> Result<Reply> {
        self.send(line)?;
        self.reply()
    }

    /// Sends a command that must succeed.
    ///
    /// # Errors
    /// The server refused it.
    pub fn demand(&mut self, line: &str) -> Result<Reply> {
        let reply = self.command(line)?;
        if reply.code >= 400 {
            bail!("{line}: {reply}");
        }
        Ok(reply)
    }

    /// Logs in and sets TYPE I.
    ///
    /// # Errors
    /// The server refused it.
    pub fn login(&mut self, user: &str, password: &str) -> Result<()> {
        self.demand(&format!("USER {user}"))?;
        self.demand(&format!("PASS {password}"))?;
        self.demand("TYPE I")?;
        Ok(())
    }

    /// RETR. `expected` is compared with what comes.
    ///
    /// # Errors
    /// Refused, or a connection failed.
    pub fn retrieve(&mut self, mode: DataMode, path: &str, expected: Option<&Content>) -> Result<Received> {
        self.download(mode, &format!("RETR {path}"), 0, expected)
    }

    /// REST and RETR.
    ///
    /// # Errors
    /// Refused, or a connection failed.
    pub fn resume(
        &mut self,
        mode: DataMode,
        path: &str,
        offset: u64,
        expected: &Content,
    ) -> Result<Received> {
        let arranged = self.arrange(mode)?;
        self.demand(&format!("REST {offset}"))?;
        self.finish_download(arranged, &format!("RETR {path}"), offset, Some(expected))
    }

    /// LIST, or NLST with a path, as the command says.
    ///
    /// # Errors
    /// Refused, or a connection failed.
    pub fn list(&mut self, mode: DataMode, command: &str) -> Result<Received> {
        self.download(mode, command, 0, None)
    }

    /// STOR or APPE, as `verb` says.
    ///
    /// # Errors
    /// Refused, or a connection failed.
    pub fn store(&mut self, mode: DataMode, verb: &str, path: &str, content: &Content) -> Result<()> {
        let arranged = self.arrange(mode)?;
        self.send(&format!("{verb} {path}"))?;
        let mut data = self.open(arranged)?;
        content.write_from(0, &mut data, || true)?;
        data.shutdown(Shutdown::Write)?;
        drop(data);
        self.expect_done()
    }

    /// Begins a download, reads at least `after` bytes of it, says ABOR and reads both replies. Returns the bytes read.
    ///
    /// # Errors
    /// Refused, or a connection failed.
    pub fn abort_download(&mut self, mode: DataMode, path: &str, after: u64) -> Result<u64> {
        let arranged = self.arrange(mode)?;
        self.send(&format!("RETR {path}"))?;
        let mut data = self.open(arranged)?;
        let mut buffer = vec![0; READ_SIZE];
        let mut bytes = 0;
        while bytes < after {
            match data.read(&mut buffer)? {
                0 => break,
                n => bytes += n as u64,
            }
        }
        self.send("ABOR")?;
        drop(data);
        self.reply()?;
        self.reply()?;
        Ok(bytes)
    }

    /// QUIT, and waits for the server to close.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn quit(mut self) -> Result<Transcript> {
        self.command("QUIT")?;
        while read_line(&mut self.reader)?.is_some() {}
        Ok(self.transcript)
    }

    fn download(
        &mut self,
        mode: DataMode,
        line: &str,
        offset: u64,
        expected: Option<&Content>,
    ) -> Result<Received> {
        let arranged = self.arrange(mode)?;
        self.finish_download(arranged, line, offset, expected)
    }

    fn finish_download(
        &mut self,
        arranged: Arranged,
        line: &str,
        offset: u64,
        expected: Option<&Content>,
    ) -> Result<Received> {
        self.send(line)?;
        let mut data = self.open(arranged)?;
        let mut buffer = vec![0; READ_SIZE];
        let mut received = Received { bytes: 0, intact: true };
        loop {
            let n = data.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            let piece = buffer.get(..n).unwrap_or_default();
            let at = offset + received.bytes;
            received.intact &= expected.is_none_or(|content| content.matches(at, piece));
            received.bytes += n as u64;
        }
        drop(data);
        if let Some(expected) = expected {
            received.intact &= offset + received.bytes == expected.len();
        }
        self.expect_done()?;
        Ok(received)
    }

    /// Says PASV or its like. A passive connection is opened the moment the reply is read.
    fn arrange(&mut self, mode: DataMode) -> Result<Arranged> {
        let control = self.reader.get_ref();
        let (local, server) = (control.local_addr()?, control.peer_addr()?);
        match mode {
            DataMode::Pasv | DataMode::Epsv => {
                let reply = self.demand(mode.name())?;
                let text = reply.text();
                let to = match mode {
                    DataMode::Pasv => parse_host_port(&text),
                    _ => parse_extended_port(&text).map(|port| with_port(server, port)),
                };
                let announced = to.with_context(|| format!("no endpoint in {reply}"))?;
                self.announced.push((mode, announced));
                // Many clients connect to the server's own address whatever 227 says; with a true 227 it is the same.
                let to = with_port(server, announced.port());
                Ok(Arranged::Connected(connect(self.options.data_from, to, LIMIT)?))
            }
            DataMode::Port | DataMode::Eprt => {
                let listener = listen(with_port(local, 0))?;
                let at = listener.local_addr()?;
                let argument = match (mode, at.ip()) {
                    (DataMode::Port, IpAddr::V4(ip)) => host_port(ip, at.port()),
                    (DataMode::Port, IpAddr::V6(_)) => bail!("PORT knows no IPv6"),
                    _ => extended(at),
                };
                self.announced.push((mode, at));
                self.demand(&format!("{} {argument}", mode.name()))?;
                Ok(Arranged::Listening(listener))
            }
        }
    }

    /// Reads the preliminary reply and has the data connection.
    fn open(&mut self, arranged: Arranged) -> Result<TcpStream> {
        let reply = self.reply()?;
        if reply.code / 100 != 1 {
            bail!("the server refused: {reply}");
        }
        match arranged {
            Arranged::Connected(stream) => Ok(stream),
            Arranged::Listening(listener) => {
                SockRef::from(&listener).set_read_timeout(Some(LIMIT))?;
                Ok(listener.accept()?.0)
            }
        }
    }

    fn expect_done(&mut self) -> Result<()> {
        let reply = self.reply()?;
        if !reply.is_success() {
            bail!("the transfer failed: {reply}");
        }
        Ok(())
    }
}
