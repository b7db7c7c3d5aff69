//! `ftpmon status`: asks running agents for their state. `ftpmon top` and `ftpmon who` ask one of them for its events.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::address::StatusAddress;
use super::listener::all_sockets;
use super::summary::Summary;

/// The longest time that an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// The largest answer, bytes.
const ANSWER_MAX: u64 = 16 << 20;

/// The longest line in the head of an answer, bytes.
const HEAD_LINE_MAX: u64 = 1_024;

/// An agent's state could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// No agent serves its state in the run directory.
    #[error("no running ftpmon was found; name its address with --status")]
    Nobody,
    /// There are several agents, and one has to be named.
    #[error("several agents run; name one with --status: {0}")]
    Several(String),
    /// A TCP address gives no events.
    #[error("{0} gives no events: only a Unix socket does")]
    NoEvents(StatusAddress),
    /// An agent does not answer.
    #[error("no answer from {address}: {error}")]
    NoAnswer {
        /// Its address.
        address: String,
        /// The error.
        error: io::Error,
    },
}

/// The states of running agents at an address, `auto` for all that serve theirs in the run directory: as text, or a line of JSON
/// for each.
///
/// # Errors
/// No agent answers, or one that was named does not.
pub fn status(address: &StatusAddress, json: bool) -> Result<String, StatusError> {
    let states = match address {
        StatusAddress::Auto => {
            // One that was killed left its socket.
            all_sockets().iter().filter_map(|path| of_unix(path).ok()).collect()
        }
        StatusAddress::Off => Vec::new(),
        StatusAddress::Unix(path) => vec![named(address, of_unix(path))?],
        StatusAddress::Tcp(tcp) => vec![named(
            address,
            TcpStream::connect_timeout(tcp, ANSWER_TIME).and_then(|stream| {
                stream.set_read_timeout(Some(ANSWER_TIME))?;
                ask(stream)
            }),
        )?],
    };
    if states.is_empty() {
        return Err(StatusError::Nobody);
    }
    let shown = |state: &String| -> Result<String, StatusError> {
        if json {
            return Ok(state.clone());
        }
        let summary: Summary = named(address, serde_json::from_str(state).map_err(io::Error::other))?;
        Ok(summary.text())
    };
    Ok(states.iter().map(shown).collect::<Result<Vec<_>, _>>()?.join(if json { "" } else { "\n" }))
}

/// The sessions that are open at a running agent, and its events from now on, a line each; `auto` is the one that serves its state in the run directory.
///
/// # Errors
/// There is none or more than one, or it does not answer.
pub(crate) fn events(address: &StatusAddress) -> Result<impl BufRead + use<>, StatusError> {
    let path = match address {
        StatusAddress::Unix(path) => path.clone(),
        StatusAddress::Tcp(_) => return Err(StatusError::NoEvents(address.clone())),
        StatusAddress::Off => return Err(StatusError::Nobody),
        StatusAddress::Auto => {
            // One that was killed left its socket.
            let mut alive = all_sockets();
            alive.retain(|path| UnixStream::connect(path).is_ok());
            match <[_; 1]>::try_from(alive) {
                Ok([path]) => path,
                Err(none) if none.is_empty() => return Err(StatusError::Nobody),
                Err(several) => {
                    let names: Vec<String> =
                        several.iter().map(|path| format!("unix:{}", path.display())).collect();
                    return Err(StatusError::Several(names.join(", ")));
                }
            }
        }
    };
    named(&StatusAddress::Unix(path.clone()), open_events(&path))
}

fn open_events(path: &Path) -> io::Result<impl BufRead + use<>> {
    let mut stream = UnixStream::connect(path)?;
    // To a client of HTTP/1.0 the lines come as they are, up to the end of the connection (RFC 9112 section 6.3).
    stream.write_all(b"GET /events HTTP/1.0\r\n\r\n")?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    let mut stream = BufReader::new(stream);
    let mut status = None;
    loop {
        let mut line = String::new();
        stream.by_ref().take(HEAD_LINE_MAX).read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line if status.is_none() => status = line.split(' ').nth(1).map(str::to_owned),
            _ => {}
        }
    }
    stream.get_ref().set_read_timeout(None)?;
    match status.as_deref() {
        Some("200") => Ok(stream),
        Some("503") => Err(io::Error::other("as many read its events as may")),
        Some(status) => Err(io::Error::other(format!("status {status}"))),
        None => Err(io::Error::other("it is no answer of ftpmon")),
    }
}

fn named<T>(address: &StatusAddress, result: io::Result<T>) -> Result<T, StatusError> {
    result.map_err(|error| {
        let error = match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::other(format!("it says nothing for {ANSWER_TIME:?}")),
            _ => error,
        };
        StatusError::NoAnswer { address: address.to_string(), error }
    })
}

fn of_unix(path: &Path) -> io::Result<String> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    ask(stream)
}

/// The body of the answer to a request for the state.
fn ask(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"GET /status HTTP/1.1\r\nHost: ftpmon\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    let no_answer = || io::Error::other("it is no answer of ftpmon");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(no_answer)?;
    let status = head.split_whitespace().nth(1).ok_or_else(no_answer)?;
    if status == "200" { Ok(body.to_owned()) } else { Err(io::Error::other(format!("status {status}"))) }
}
