//! The pace at which the ring is read.
//!
//! A quiet ring is read as soon as there is something in it. If records arrive one after another, waking for each costs
//! several times what reading it does; then those that arrive in a pause are read together.

use std::time::{Duration, Instant};

/// Records within [`WINDOW`] that make a ring busy: some 30,000 a second.
const BUSY_RECORDS: usize = 32;
/// See [`BUSY_RECORDS`].
const WINDOW: Duration = Duration::from_millis(1);
/// The pause before a busy ring is read again. A default ring holds fifty times what comes in it; what is announced in it
/// comes to the kernel later by as much, which keeps the connections that come first as candidates.
const PAUSE: Duration = Duration::from_micros(500);

/// The recent load.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    records: usize,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, records: 0 }
    }

    /// The ring was read empty at `now`, and had this many records. Returns the time to wait before the next read.
    pub(super) fn after(&mut self, records: usize, now: Instant) -> Option<Duration> {
        self.records += records;
        let within = now.saturating_duration_since(self.since) <= WINDOW;
        if within && self.records < BUSY_RECORDS {
            return None;
        }
        // What comes in the pause counts for the next one.
        *self = Self { since: now, records: if within { 0 } else { records } };
        within.then_some(PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(records: usize, every: Duration, times: u32) -> usize {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        let mut now = begin;
        let mut pauses = 0;
        for _ in 0..times {
            now += every;
            if let Some(pause) = pace.after(records, now) {
                pauses += 1;
                now += pause;
            }
        }
        pauses
    }

    #[test]
    fn a_dialogue_is_read_as_it_comes() {
        assert_eq!(pauses(1, Duration::from_micros(40), 10_000), 0);
        assert_eq!(pauses(20, Duration::from_millis(2), 1_000), 0);
    }

    #[test]
    fn a_flood_is_read_in_batches() {
        assert!(pauses(1, Duration::from_micros(5), 3_200) >= 90);
        assert!(pauses(BUSY_RECORDS, Duration::from_micros(100), 100) >= 99);
    }
}
