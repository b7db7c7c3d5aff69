//! Names of outputs, as an operator writes them.

use core::fmt;
use core::str::FromStr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

/// One `--output`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SinkSpec {
    /// `-`: standard output.
    Stdout,
    /// A path, or `file:PATH`: lines are appended.
    File(PathBuf),
    /// `tcp://HOST:PORT`.
    Tcp {
        /// A name or an address, an IPv6 one without its brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:PATH`: a listening stream socket.
    Unix(PathBuf),
}

/// The reason why a text names no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkSpecError {
    /// Nothing was said.
    #[error("it is empty; give `-`, a path, tcp://HOST:PORT or unix:PATH")]
    Empty,
    /// `scheme://` of something that is not there.
    #[error("no output of kind `{0}`; there are `-`, a path, tcp://HOST:PORT and unix:PATH")]
    UnknownScheme(String),
    /// `tcp:` without its slashes, which would be taken for a file's name.
    #[error("`tcp:{0}` is not an output; write tcp://HOST:PORT, or file:tcp:{0} for a file of that name")]
    TcpWithoutSlashes(String),
    /// `tcp://` without a host and a port.
    #[error("`{0}` is not HOST:PORT; write tcp://192.0.2.1:514 or tcp://[2001:db8::1]:514")]
    BadAddress(String),
}

impl FromStr for SinkSpec {
    type Err = SinkSpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        if let Some(address) = text.strip_prefix("tcp://") {
            return tcp(address).ok_or_else(|| SinkSpecError::BadAddress(address.to_owned()));
        }
        if let Some(address) = text.strip_prefix("tcp:") {
            return Err(SinkSpecError::TcpWithoutSlashes(address.to_owned()));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(SinkSpecError::UnknownScheme(scheme.to_owned()));
        }
        let (socket, path) = match text.strip_prefix("unix:") {
            Some(path) => (true, path),
            None => (false, text.strip_prefix("file:").unwrap_or(text)),
        };
        match (socket, path) {
            (_, "") => Err(SinkSpecError::Empty),
            (true, path) => Ok(Self::Unix(path.into())),
            (false, path) => Ok(Self::File(path.into())),
        }
    }
}

impl TryFrom<String> for SinkSpec {
    type Error = SinkSpecError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Serialize for SinkSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn tcp(address: &str) -> Option<SinkSpec> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|&port| port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.is_empty()).then(|| SinkSpec::Tcp { host: host.to_owned(), port })
}

/// As the operator wrote it; the name of the output in counters and messages.
impl fmt::Display for SinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("-"),
            Self::File(path) => {
                let text = path.display().to_string();
                let marked = text == "-"
                    || text.contains("://")
                    || ["file:", "unix:", "tcp:"].iter().any(|scheme| text.starts_with(scheme));
                write!(f, "{}{text}", if marked { "file:" } else { "" })
            }
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_by_its_spelling() {
        for (text, spec) in [
            ("-", SinkSpec::Stdout),
            ("/var/log/ftp.json", SinkSpec::File("/var/log/ftp.json".into())),
            ("file:events:1", SinkSpec::File("events:1".into())),
            ("file:tcp:x", SinkSpec::File("tcp:x".into())),
            ("file:-", SinkSpec::File("-".into())),
            ("tcp://log.example:514", SinkSpec::Tcp { host: "log.example".into(), port: 514 }),
            ("tcp://[2001:db8::1]:514", SinkSpec::Tcp { host: "2001:db8::1".into(), port: 514 }),
            ("unix:/run/shipper.sock", SinkSpec::Unix("/run/shipper.sock".into())),
        ] {
            let parsed: SinkSpec = text.parse().unwrap();
            assert_eq!(parsed, spec);
            assert_eq!(parsed.to_string().parse(), Ok(spec), "the shown form means the same");
        }
    }

    #[test]
    fn what_names_no_output_is_refused() {
        for text in [
            "",
            "file:",
            "unix:",
            "tcp://",
            "tcp://host",
            "tcp://host:0",
            "tcp://:1",
            "tcp://::1:5",
            "http://x",
            "tcp:host:514",
            "tcp:/host:514",
        ] {
            assert!(text.parse::<SinkSpec>().is_err(), "{text}");
        }
    }
}
