//! Whether a file is a capture or has events.

use std::io::BufRead;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::event_file;

/// The content of a file.
pub(super) enum Source {
    /// Packets.
    Capture,
    /// Events, a line each.
    Events(Box<dyn BufRead>),
}

impl Source {
    /// Looks at the first byte of a file, of what it decompresses to where it is gzipped: events begin with `{`. Standard input
    /// (`-`) has to be events: a capture is read twice.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let is_stdin = path == Path::new("-");
        let mut input = event_file::open_or_stdin(path).context("cannot open it")?;
        let first = input.fill_buf()?.iter().find(|byte| !byte.is_ascii_whitespace());
        match first {
            Some(b'{') => Ok(Self::Events(input)),
            _ if is_stdin => bail!("these are no events; a capture has to be a file, since it is read twice"),
            _ => Ok(Self::Capture),
        }
    }
}
