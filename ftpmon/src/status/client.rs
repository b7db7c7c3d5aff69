//! `ftpmon status`: asks running agents for their state.

use std::io::{self, Read, Write};
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

/// An agent's state could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// No agent serves its state in the run directory.
    #[error("no running ftpmon was found; name its address with --status")]
    Nobody,
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

fn named<T>(address: &StatusAddress, result: io::Result<T>) -> Result<T, StatusError> {
    result.map_err(|error| StatusError::NoAnswer { address: address.to_string(), error })
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
