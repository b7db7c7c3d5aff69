//! The source of a view's events: a file, standard input, or a running agent.

use std::io::BufRead;
use std::path::PathBuf;

use anyhow::Context as _;
use ftpmon_event::EventLine;

use crate::event_file;
use crate::status::{self, Remark, StatusAddress};

/// The source of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// A file of events as `--format json` writes them, or `-`.
    File(PathBuf),
    /// A running agent.
    Agent(StatusAddress),
}

impl Default for EventSource {
    fn default() -> Self {
        Self::Agent(StatusAddress::Auto)
    }
}

impl core::fmt::Display for EventSource {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Agent(address) => write!(f, "the agent at {address}"),
        }
    }
}

impl EventSource {
    /// The file if there is one, else the agent at an address.
    pub fn of(file: Option<&PathBuf>, agent: &StatusAddress) -> Self {
        file.map_or_else(|| Self::Agent(agent.clone()), |path| Self::File(path.clone()))
    }

    /// Opens it: lines of events, and an agent's remarks between them.
    ///
    /// # Errors
    /// The file cannot be read; there is no agent, or it does not answer.
    pub(in crate::view) fn open(&self) -> anyhow::Result<Box<dyn BufRead>> {
        match self {
            Self::File(path) => event_file::open_or_stdin(path).context("cannot open it"),
            Self::Agent(address) => Ok(Box::new(status::events(address)?)),
        }
    }
}

/// A line of a source.
pub(in crate::view) enum Line {
    /// An event.
    Event(Box<EventLine>),
    /// A remark of an agent.
    Remark(Remark),
    /// Neither.
    Wrong,
}

impl Line {
    /// The meaning of a line.
    pub(in crate::view) fn read(line: &[u8]) -> Self {
        match serde_json::from_slice(line) {
            Ok(event) => Self::Event(event),
            Err(_) => serde_json::from_slice(line).map_or(Self::Wrong, Self::Remark),
        }
    }
}
