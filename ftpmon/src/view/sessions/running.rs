//! A transfer that runs.

use ftpmon_event::time::Timestamp;

use super::course::Course;
use crate::view::units::percent;

/// A transfer that moves nothing for so long is stalled, milliseconds.
pub(in crate::view) const STALLED_MS: u64 = 10_000;

/// A transfer that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::view) struct Running {
    /// When the server took the command.
    pub(in crate::view) since: Timestamp,
    /// The size by the dialogue, bytes.
    pub(in crate::view) declared: Option<u64>,
    /// The bytes so far, where the source tells of them: events do not.
    pub(in crate::view) moved: Option<Moved>,
    /// Its course, where that is stored.
    pub(in crate::view) course: Option<Course>,
}

/// The bytes of a transfer that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) struct Moved {
    /// Payload bytes of both ends.
    pub(in crate::view) bytes: u64,
    /// Bits a second between the last two counts.
    pub(in crate::view) rate_bps: u64,
    /// When they were counted.
    at: Timestamp,
    /// When a count was last higher than the one before.
    pub(in crate::view) grew: Timestamp,
}

impl Running {
    pub(in crate::view) const fn new(since: Timestamp, declared: Option<u64>) -> Self {
        Self { since, declared, moved: None, course: None }
    }

    /// Takes a count of its bytes.
    pub(in crate::view) fn count(&mut self, bytes: u64, at: Timestamp) {
        let before = self.moved.unwrap_or(Moved { bytes: 0, rate_bps: 0, at: self.since, grew: self.since });
        let more = bytes.saturating_sub(before.bytes);
        let rate_bps = match at.micros_since(before.at) {
            0 => before.rate_bps,
            us => u64::try_from(u128::from(more) * 8_000_000 / u128::from(us)).unwrap_or(u64::MAX),
        };
        let grew = if more > 0 { at } else { before.grew };
        self.moved = Some(Moved { bytes, rate_bps, at, grew });
    }

    /// The bytes at a time: those that were counted, or those of its course, which are a mean.
    pub(in crate::view) fn bytes(&self, now: Timestamp) -> Option<u64> {
        self.moved.map(|moved| moved.bytes).or_else(|| Some(self.course?.bytes_at(now)))
    }

    /// Bits a second: those between the last two counts, or those of its course.
    pub(in crate::view) fn rate_bps(&self) -> Option<u64> {
        self.moved.map(|moved| moved.rate_bps).or_else(|| self.course?.rate_bps())
    }

    /// Its bytes and its rate are a mean.
    pub(in crate::view) fn is_mean(&self) -> bool {
        self.moved.is_none() && self.course.is_some()
    }

    /// Percent of the declared size.
    pub(in crate::view) fn percent(&self, now: Timestamp) -> Option<u64> {
        percent(self.bytes(now)?, self.declared?)
    }

    /// Its bytes are counted, and had not grown for long when they were last counted.
    pub(in crate::view) fn is_stalled(&self) -> bool {
        self.moved.is_some_and(|moved| moved.at.millis_since(moved.grew) >= STALLED_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_give_rate_progress_and_stall() {
        let at = |second| Timestamp::from_parts(second, 0);
        let mut running = Running::new(at(0), Some(4_000));
        assert_eq!((running.percent(at(1)), running.is_stalled()), (None, false));
        running.count(1_000, at(2));
        assert_eq!(running.moved.map(|moved| moved.rate_bps), Some(4_000));
        running.count(3_000, at(3));
        assert_eq!(
            (running.percent(at(3)), running.moved.map(|moved| moved.rate_bps)),
            (Some(75), Some(16_000))
        );
        for (second, is_stalled) in [(12, false), (13, true)] {
            running.count(3_000, at(second));
            assert_eq!(running.is_stalled(), is_stalled, "{second}");
        }
        running.count(3_001, at(14));
        assert!(!running.is_stalled());
    }
}
