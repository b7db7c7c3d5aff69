//! An output's messages on standard error: a line when it begins to fail, one for each other reason, and one when it works again, however
//! often it is tried.

use std::io;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

/// A reason that lasts is told again after this time.
const REPEAT: Duration = Duration::from_secs(60);
/// Different reasons that are told in that time: a reader that answers each attempt with another text fills no log.
const REASONS_MAX: usize = 8;

/// The messages of an output.
pub(super) struct Report {
    name: String,
    /// Since when it fails.
    failing: Option<Instant>,
    /// The reasons that were told since then, and when.
    told: Vec<(String, Instant)>,
    /// The last time that a rejection was said.
    rejected: Option<Instant>,
}

impl Report {
    /// The messages of the output called `name`.
    pub(super) const fn new(name: String) -> Self {
        Self { name, failing: None, told: Vec::new(), rejected: None }
    }

    /// It failed and is tried again; `kept` bytes of events wait meanwhile.
    pub(super) fn fails(&mut self, error: &io::Error, kept: usize) {
        if let Some(text) = self.failure(&error.to_string(), kept, Instant::now()) {
            warn!("output {}: {text}", self.name);
        }
    }

    /// The line about a failure for this reason, where it is due.
    fn failure(&mut self, reason: &str, kept: usize, now: Instant) -> Option<String> {
        self.told.retain(|(_, at)| now.duration_since(*at) < REPEAT);
        let known = self.told.iter().any(|(told, _)| told == reason);
        if known || self.told.len() >= REASONS_MAX {
            return None;
        }
        self.told.push((reason.to_owned(), now));
        Some(match self.failing {
            Some(since) => {
                let seconds = now.duration_since(since).as_secs();
                format!("{reason}; failing for {seconds} s")
            }
            None => {
                self.failing = Some(now);
                let kept = kept >> 20;
                format!("{reason}; trying again, up to {kept} MiB of events are kept meanwhile")
            }
        })
    }

    /// It works; `lost` events were lost since the start.
    pub(super) fn works(&mut self, lost: u64) {
        if let Some(since) = self.failing.take() {
            self.told.clear();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_at_once_and_again_after_a_minute() {
        let mut report = Report::new("there".to_owned());
        let start = Instant::now();
        let mut at =
            |second: u64, reason: &str| report.failure(reason, 16 << 20, start + Duration::from_secs(second));
        assert_eq!(
            at(0, "refused").unwrap(),
            "refused; trying again, up to 16 MiB of events are kept meanwhile"
        );
        assert_eq!(at(1, "refused"), None);
        assert_eq!(at(2, "wrong password").unwrap(), "wrong password; failing for 2 s");
        assert_eq!(at(3, "refused"), None);
        assert_eq!(at(59, "wrong password"), None);
        assert_eq!(at(60, "refused").unwrap(), "refused; failing for 60 s");
        assert_eq!(at(61, "wrong password"), None);
    }

    #[test]
    fn a_reader_with_a_new_reason_each_time_is_told_of_so_often() {
        let mut report = Report::new("there".to_owned());
        let start = Instant::now();
        let told = (0..600)
            .filter_map(|turn| {
                report.failure(&format!("error {turn}"), 0, start + Duration::from_millis(turn * 100))
            })
            .count();
        assert_eq!(told, REASONS_MAX);
        assert!(report.failure("later", 0, start + REPEAT).is_some());
    }
}
