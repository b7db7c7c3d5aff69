//! The address at which the state is served.

use core::fmt;
use core::str::FromStr;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The address at which the state is served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StatusAddress {
    /// A Unix socket of this process in the run directory, where that can be written to.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
}

/// Text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it takes auto, off, unix:PATH or IP:PORT (127.0.0.1:9187)")]
pub struct StatusAddressError;

impl FromStr for StatusAddress {
    type Err = StatusAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.strip_prefix("unix:")) {
            ("auto", _) => Ok(Self::Auto),
            ("off", _) => Ok(Self::Off),
            (_, Some(path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            _ => text.parse().map(Self::Tcp).map_err(|_| StatusAddressError),
        }
    }
}

impl fmt::Display for StatusAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

impl TryFrom<String> for StatusAddress {
    type Error = StatusAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<StatusAddress> for String {
    fn from(address: StatusAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_what_they_were_written_as() {
        for text in ["auto", "off", "unix:/run/x.sock", "127.0.0.1:9187", "[::1]:9187"] {
            assert_eq!(text.parse::<StatusAddress>().unwrap().to_string(), text);
        }
        for text in ["", "unix:", "localhost:9187", "9187", "tcp://127.0.0.1:1"] {
            assert!(text.parse::<StatusAddress>().is_err(), "{text}");
        }
    }
}
