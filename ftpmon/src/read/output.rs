//! Finished lines to standard output.

use std::io::{self, Write as _};

/// Why nothing more can be written.
#[derive(Debug)]
pub(super) enum OutputError {
    /// Nobody reads it any more.
    Gone,
    /// It failed.
    Failed(io::Error),
}

/// Standard output. Unlike a live run's outputs it drops nothing: who reads slowly is waited for.
pub(super) struct Output {
    stdout: io::StdoutLock<'static>,
}

impl Output {
    pub(super) fn standard() -> Self {
        Self { stdout: io::stdout().lock() }
    }

    /// Writes whole lines, all of them.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), OutputError> {
        let written = self.stdout.write_all(lines).and_then(|()| self.stdout.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => OutputError::Gone,
            _ => OutputError::Failed(error),
        })
    }
}
