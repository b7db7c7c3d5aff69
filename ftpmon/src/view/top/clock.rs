//! The time of the events, which goes on between them.

use std::time::Instant;

use ftpmon_event::time::Timestamp;

/// A clock that runs as fast as the events are told.
#[derive(Debug)]
pub(super) struct Clock {
    speed_permille: u64,
    /// The latest event's time, and when it came.
    latest: Option<(Timestamp, Instant)>,
}

impl Clock {
    /// A clock that stands until the first event. Without a speed it is the machine's.
    pub(super) fn new(speed_permille: Option<u64>) -> Self {
        Self { speed_permille: speed_permille.unwrap_or(1_000), latest: None }
    }

    /// It was this time when an event came.
    pub(super) fn set(&mut self, at: Timestamp, came: Instant) {
        self.latest = Some((at, came));
    }

    /// The time by the events.
    pub(super) fn at(&self, now: Instant) -> Option<Timestamp> {
        let (at, came) = self.latest?;
        let ns = now.saturating_duration_since(came).as_nanos() * u128::from(self.speed_permille) / 1_000;
        Some(at.plus_nanos(i64::try_from(ns).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_goes_on_at_the_speed_of_the_events() {
        let (mut clock, began) = (Clock::new(Some(10_000)), Instant::now());
        assert_eq!(clock.at(began), None);
        clock.set(Timestamp::from_parts(100, 0), began);
        assert_eq!(clock.at(began + Duration::from_secs(2)), Some(Timestamp::from_parts(120, 0)));
        assert_eq!(Clock::new(None).speed_permille, 1_000);
    }
}
