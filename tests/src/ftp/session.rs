//! One session on the server's side: commands in, replies out, one transfer at a time on a thread of its own.

use std::io::{BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::SockRef;

use super::content::Content;
use super::shared::{Shared, connect};
use super::transcript::{Said, Transcript};
use super::wire::{host_port, parse_extended, parse_host_port, read_line, resolve, with_port};

/// The server's timeout for a data connection.
const DATA_LIMIT: Duration = Duration::from_secs(10);
/// Bytes read at a time.
const READ_SIZE: usize = 256 * 1024;

/// The destination of the next data connection.
enum Endpoint {
    Passive(TcpListener),
    Active(SocketAddr),
}

/// The kind of a transfer.
enum Work {
    Send(Content, u64),
    Receive(String, u64),
}

/// The state that the control thread and the transfer's thread share.
struct Voice {
    stream: Mutex<TcpStream>,
    transcript: Transcript,
    data: Mutex<Option<TcpStream>>,
    aborted: AtomicBool,
}

/// The server's end of a control connection.
pub(super) struct Session {
    reader: BufReader<TcpStream>,
    local: SocketAddr,
    peer: SocketAddr,
    voice: Arc<Voice>,
    shared: Arc<Shared>,
    user: Option<String>,
    logged_in: bool,
    directory: String,
    offset: u64,
    ascii: bool,
    endpoint: Option<Endpoint>,
    transfer: Option<JoinHandle<()>>,
}

impl Voice {
    /// Says a reply. Several lines of text make a multi-line reply.
    fn say(&self, code: u16, text: &str) -> Result<()> {
        let lines: Vec<&str> = text.split('\n').collect();
        let mut whole = String::new();
        for (at, line) in lines.iter().enumerate() {
            let last = at + 1 == lines.len();
            match (at, last) {
                (_, true) => whole.push_str(&format!("{code} {line}\r\n")),
                (0, false) => whole.push_str(&format!("{code}-{line}\r\n")),
                _ => whole.push_str(&format!("{line}\r\n")),
            }
        }
        self.say_raw(&whole)
    }

    /// Says these bytes, which are a whole reply, or several.
    fn say_raw(&self, text: &str) -> Result<()> {
        let heard = Transcript::from_lines(text.lines().map(|line| (false, line)));
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        for reply in heard.replies() {
            self.transcript.push(Said::Reply(reply));
        }
        stream.write_all(text.as_bytes())?;
        Ok(())
    }
}

impl Session {
    pub(super) fn new(stream: TcpStream, transcript: Transcript, shared: Arc<Shared>) -> Result<Self> {
        stream.set_nodelay(true)?;
        // ABOR may come with urgent data before it (RFC 959 section 4.1.3).
        SockRef::from(&stream).set_out_of_band_inline(true)?;
        let voice = Voice {
            stream: Mutex::new(stream.try_clone()?),
            transcript,
            data: Mutex::default(),
            aborted: AtomicBool::new(false),
        };
        Ok(Self {
            local: stream.local_addr()?,
            peer: stream.peer_addr()?,
            reader: BufReader::new(stream),
            voice: Arc::new(voice),
            shared,
            user: None,
            logged_in: false,
            directory: "/".into(),
            offset: 0,
            ascii: true,
            endpoint: None,
            transfer: None,
        })
    }

    /// Serves the client until it leaves.
    pub(super) fn serve(mut self) -> Result<()> {
        let greeting = self.shared.behaviour.greeting.clone();
        self.voice.say(220, &greeting)?;
        while let Some(line) = read_line(&mut self.reader)? {
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            let verb = verb.to_ascii_uppercase();
            if verb != "ABOR" {
                // Commands sent ahead wait for the transfer to end.
                self.finish_transfer();
            }
            self.voice.transcript.push(Said::Command(line.clone()));
            if let Some(reply) = self.shared.behaviour.scripted.get(&verb) {
                self.voice.say_raw(reply)?;
                continue;
            }
            if verb == "QUIT" {
                self.voice.say(221, "Goodbye.")?;
                break;
            }
            self.obey(&verb, argument)?;
        }
        self.finish_transfer();
        Ok(())
    }

    fn obey(&mut self, verb: &str, argument: &str) -> Result<()> {
        let (code, text): (u16, String) = match verb {
            "USER" => {
                self.user = Some(argument.to_owned());
                self.logged_in = false;
                (331, "Password required.".into())
            }
            "PASS" => self.check_password(argument),
            "SYST" => (215, "UNIX Type: L8".into()),
            "NOOP" => (200, "OK.".into()),
            "FEAT" => (211, "Features:\n EPRT\n EPSV\n REST STREAM\n SIZE\n UTF8\nEnd".into()),
            "OPTS" => (200, "OK.".into()),
            _ if !self.logged_in => (530, "Please login with USER and PASS.".into()),
            "PWD" | "XPWD" => (257, format!("\"{}\" is the current directory.", self.directory)),
            "CWD" => {
                self.directory = resolve(&self.directory, argument);
                (250, "Directory changed.".into())
            }
            "CDUP" => {
                self.directory = resolve(&self.directory, "..");
                (250, "Directory changed.".into())
            }
            "TYPE" => {
                self.ascii = argument.eq_ignore_ascii_case("A");
                (200, format!("Type set to {argument}."))
            }
            "MODE" | "STRU" | "ALLO" => (200, "OK.".into()),
            "SIZE" => match self.shared.files().get(&resolve(&self.directory, argument)) {
                Some(content) => (213, content.len().to_string()),
                None => (550, "No such file.".into()),
            },
            "REST" => match argument.parse() {
                Ok(offset) => {
                    self.offset = offset;
                    (350, format!("Restarting at {offset}."))
                }
                Err(_) => (501, "Not a number.".into()),
            },
            "DELE" => match self.shared.files().remove(&resolve(&self.directory, argument)) {
                Some(_) => (250, "Deleted.".into()),
                None => (550, "No such file.".into()),
            },
            "PASV" | "EPSV" => self.listen_for_data(verb)?,
            "PORT" => self.note_active(parse_host_port(argument)),
            "EPRT" => self.note_active(parse_extended(argument)),
            "RETR" | "LIST" | "NLST" | "STOR" | "APPE" => return self.transfer(verb, argument),
            "ABOR" => return self.abort(),
            _ => (502, format!("{verb} not implemented.")),
        };
        self.voice.say(code, &text)
    }

    fn check_password(&mut self, password: &str) -> (u16, String) {
        let name = self.user.clone().unwrap_or_default();
        self.logged_in = self.shared.behaviour.users.iter().any(|user| {
            user.name == name && user.password.as_ref().is_none_or(|expected| expected == password)
        });
        if self.logged_in {
            (230, format!("User {name} logged in."))
        } else {
            (530, "Login incorrect.".into())
        }
    }

    fn listen_for_data(&mut self, verb: &str) -> Result<(u16, String)> {
        let listener = self.shared.listen_for_data(self.local)?;
        let port = listener.local_addr()?.port();
        let reply = match (verb, self.local.ip()) {
            ("PASV", IpAddr::V4(ip)) => {
                let ip: Ipv4Addr = self.shared.behaviour.announced.unwrap_or(ip);
                (227, format!("Entering Passive Mode ({}).", host_port(ip, port)))
            }
            ("PASV", IpAddr::V6(_)) => return Ok((522, "Use EPSV.".into())),
            _ => (229, format!("Entering Extended Passive Mode (|||{port}|)")),
        };
        self.endpoint = Some(Endpoint::Passive(listener));
        Ok(reply)
    }

    fn note_active(&mut self, address: Option<SocketAddr>) -> (u16, String) {
        match address {
            // As RFC 2577 advises: only back to the client itself.
            Some(address) if address.ip() == self.peer.ip() && address.port() >= 1024 => {
                self.endpoint = Some(Endpoint::Active(address));
                (200, "Port command successful.".into())
            }
            Some(_) => (500, "Illegal address.".into()),
            None => (501, "Cannot read that address.".into()),
        }
    }

    fn transfer(&mut self, verb: &str, argument: &str) -> Result<()> {
        let offset = std::mem::take(&mut self.offset);
        let path = resolve(&self.directory, argument);
        let found = self.shared.files().get(&path).cloned();
        let (work, opening) = match (verb, found) {
            ("RETR", None) => {
                self.endpoint = None;
                return self.voice.say(550, "No such file.");
            }
            ("RETR", Some(content)) => {
                let bytes = content.len().saturating_sub(offset);
                let mode = if self.ascii { "ASCII" } else { "BINARY" };
                let opening = format!("Opening {mode} mode data connection for {argument} ({bytes} bytes).");
                (Work::Send(content, offset), opening)
            }
            ("LIST" | "NLST", _) => {
                let list = self.list(verb == "LIST");
                (Work::Send(Content::text(&list), 0), "Here comes the directory listing.".into())
            }
            ("APPE", found) => {
                let end = found.map_or(0, |content| content.len());
                (Work::Receive(path, end), "Ok to send data.".into())
            }
            _ => (Work::Receive(path, offset), "Ok to send data.".into()),
        };
        let default = self.shared.behaviour.default_port.then_some(Endpoint::Active(self.peer));
        let Some(endpoint) = self.endpoint.take().or(default) else {
            return self.voice.say(425, "Use PORT or PASV first.");
        };
        let data = match self.open_data(&endpoint) {
            Ok(data) => data,
            Err(_) => return self.voice.say(425, "Failed to establish connection."),
        };
        if let Some(rate) = self.shared.behaviour.pace {
            pace(&data, rate)?;
        }
        self.voice.aborted.store(false, Ordering::Release);
        *self.voice.data.lock().unwrap_or_else(PoisonError::into_inner) = Some(data.try_clone()?);
        self.voice.say(150, &opening)?;
        let (voice, shared) = (Arc::clone(&self.voice), Arc::clone(&self.shared));
        self.transfer = Some(thread::spawn(move || {
            let done = carry_out(work, data, &voice, &shared);
            voice.data.lock().unwrap_or_else(PoisonError::into_inner).take();
            // A client that is gone does not hear the verdict.
            let _ = match done {
                Ok(()) if !voice.aborted.load(Ordering::Acquire) => voice.say(226, "Transfer complete."),
                _ => voice.say(426, "Connection closed; transfer aborted."),
            };
        }));
        Ok(())
    }

    fn open_data(&self, endpoint: &Endpoint) -> Result<TcpStream> {
        match endpoint {
            Endpoint::Passive(listener) => {
                // On Linux the receive time-out holds for accept(2) too.
                SockRef::from(listener).set_read_timeout(Some(DATA_LIMIT))?;
                Ok(listener.accept()?.0)
            }
            Endpoint::Active(address) => {
                let source = self.shared.behaviour.active_source;
                let local = with_port(self.local, source.unwrap_or(0));
                // EPRT names no interface: that of a link-local address is the session's.
                let here = address.ip() == self.peer.ip();
                let to = if here { with_port(self.peer, address.port()) } else { *address };
                connect(Some(local), to, DATA_LIMIT)
            }
        }
    }

    fn list(&self, long: bool) -> String {
        let below = if self.directory == "/" { String::new() } else { self.directory.clone() };
        let mut list = String::new();
        for (path, content) in self.shared.files().iter() {
            let name = path.strip_prefix(&below).and_then(|rest| rest.strip_prefix('/'));
            match name {
                Some(name) if long => {
                    let size = content.len();
                    list.push_str(&format!(
                        "-rw-r--r--    1 ftp      ftp      {size:>12} Jan 01  2026 {name}\r\n"
                    ));
                }
                Some(name) => list.push_str(&format!("{name}\r\n")),
                None => {}
            }
        }
        list
    }

    fn abort(&mut self) -> Result<()> {
        let running = self.voice.data.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(data) = running {
            self.voice.aborted.store(true, Ordering::Release);
            // The client may have closed it already.
            let _ = data.shutdown(Shutdown::Both);
        }
        self.finish_transfer();
        // The 426 that the transfer's thread says answers the transfer command and comes first.
        self.voice.say(226, "ABOR successful.")
    }

    fn finish_transfer(&mut self) {
        if let Some(thread) = self.transfer.take() {
            let _ = thread.join();
        }
    }
}

fn carry_out(work: Work, mut data: TcpStream, voice: &Voice, shared: &Shared) -> Result<()> {
    match work {
        Work::Send(content, offset) => {
            content.write_from(offset, &mut data, || !voice.aborted.load(Ordering::Acquire))?;
            data.shutdown(Shutdown::Write).context("cannot close the data connection")
        }
        Work::Receive(path, offset) => {
            let mut buffer = vec![0; READ_SIZE];
            let mut kept = Vec::new();
            let mut count = offset;
            loop {
                let n = data.read(&mut buffer)?;
                if n == 0 {
                    break;
                }
                count += n as u64;
                if kept.len() <= shared.behaviour.keep {
                    kept.extend_from_slice(buffer.get(..n).unwrap_or_default());
                }
            }
            let mut files = shared.files();
            let mut whole = match files.get(&path) {
                Some(Content::Bytes(bytes)) => bytes.to_vec(),
                _ => Vec::new(),
            };
            whole.truncate(usize::try_from(offset).unwrap_or(usize::MAX));
            whole.extend_from_slice(&kept);
            let exact = whole.len() as u64 == count;
            files.insert(path, if exact { Content::Bytes(whole.into()) } else { Content::Pattern(count) });
            Ok(())
        }
    }
}

/// The greatest rate of sending, bytes a second (socket(7), SO_MAX_PACING_RATE).
fn pace(stream: &TcpStream, rate: u64) -> Result<()> {
    let size = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the descriptor is open; the option takes a number of 64 bits, whose place and size are given.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MAX_PACING_RATE,
            (&raw const rate).cast(),
            size,
        )
    };
    if set == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}
