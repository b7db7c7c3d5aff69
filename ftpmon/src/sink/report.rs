//! An output's messages on standard error: a line when it begins to fail and one when it works again, however often it is
//! tried.

use std::io;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

/// An output that keeps failing says so again after this time.
const REPEAT: Duration = Duration::from_secs(60);

/// The messages of an output.
pub(super) struct Report {
    name: String,
    /// Since when it fails, and when it was said.
    failing: Option<(Instant, Instant)>,
    /// The last time that a rejection was said.
    rejected: Option<Instant>,
}

impl Report {
    /// The messages of the output called `name`.
    pub(super) const fn new(name: String) -> Self {
        Self { name, failing: None, rejected: None }
    }

    /// It failed and is tried again; `kept` bytes of events wait meanwhile.
    pub(super) fn fails(&mut self, error: &io::Error, kept: usize) {
        let now = Instant::now();
        let since = match self.failing {
            Some((_, said)) if now.duration_since(said) < REPEAT => return,
            Some((since, _)) => since,
            None => now,
        };
        let first = self.failing.replace((since, now)).is_none();
        let name = &self.name;
        if first {
            let kept = kept >> 20;
            warn!("output {name}: {error}; trying again, up to {kept} MiB of events are kept meanwhile");
        } else {
            let seconds = now.duration_since(since).as_secs();
            warn!("output {name}: {error}; failing for {seconds} s");
        }
    }

    /// It works; `lost` events were lost since the start.
    pub(super) fn works(&mut self, lost: u64) {
        if let Some((since, _)) = self.failing.take() {
            let seconds = since.elapsed().as_secs();
            info!("output {}: works again after {seconds} s; {lost} events lost so far", self.name);
        }
    }

    /// Its reader refused an event for good.
    pub(super) fn rejects(&mut self, reason: &str) {
        if self.rejected.is_none_or(|said| said.elapsed() >= REPEAT) {
            self.rejected = Some(Instant::now());
            warn!("output {}: an event was rejected: {reason}", self.name);
        }
    }

    /// It failed for good.
    pub(super) fn gone(&self, error: &io::Error) {
        error!("output {}: {error}; nothing more is written to it", self.name);
    }
}
