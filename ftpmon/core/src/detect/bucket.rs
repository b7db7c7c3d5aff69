//! Counts that decay.

use super::entry::Threshold;
use crate::time::Timestamp;

/// A leaky bucket (ITU-T I.371, the generic cell rate algorithm): occurrences fill it, and it drains at a constant rate. One number,
/// however much happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// When it is empty if nothing more happens.
    empty_at: Timestamp,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { empty_at: Timestamp::EARLIEST }
    }
}

impl Bucket {
    /// Adds an occurrence at `now`. True where it holds as many as the threshold says.
    pub(super) fn add(&mut self, now: Timestamp, threshold: Threshold) -> bool {
        self.add_many(now, 1, threshold)
    }

    /// Adds so many at once.
    pub(super) fn add_many(&mut self, now: Timestamp, many: u64, threshold: Threshold) -> bool {
        let count = i64::from(threshold.count.max(1));
        let drain = (i64::from(threshold.per_s) * 1_000_000_000 / count).max(1);
        let many = i64::try_from(many).unwrap_or(i64::MAX);
        // However long a flood was, it is forgotten soon after its end.
        let full = now.plus_nanos(drain.saturating_mul(2 * count));
        self.empty_at = self.empty_at.max(now).plus_nanos(drain.saturating_mul(many)).min(full);
        self.empty_at.nanos_since(now) > drain.saturating_mul(count - 1).unsigned_abs()
    }

    /// Nothing is left in it.
    pub(super) fn is_empty(&self, now: Timestamp) -> bool {
        self.empty_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_A_MINUTE: Threshold = Threshold { count: 5, per_s: 60 };

    fn trips(times_s: impl IntoIterator<Item = i64>) -> Vec<bool> {
        let mut bucket = Bucket::default();
        let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
        times_s.into_iter().map(|second| bucket.add(at(second), FIVE_A_MINUTE)).collect()
    }

    #[test]
    fn as_many_as_the_threshold_says_trip_it() {
        assert_eq!(trips([0, 1, 2, 3, 4, 5]), [false, false, false, false, true, true]);
    }

    #[test]
    fn a_slower_rate_than_the_threshold_never_trips_it() {
        assert!(trips((0..1_000).map(|n| n * 13)).iter().all(|tripped| !tripped));
        assert!(trips((0..100).map(|n| n * 11)).iter().any(|tripped| *tripped), "a faster one does in time");
    }

    #[test]
    fn many_at_once_are_as_many_one_by_one() {
        let now = Timestamp::from_nanos(0);
        for many in [0, 1, 4, 5, 9, 10, 11, u64::MAX] {
            let (mut one, mut other) = (Bucket::default(), Bucket::default());
            let tripped = (0..many.min(99)).fold(false, |_, _| one.add(now, FIVE_A_MINUTE));
            assert_eq!(other.add_many(now, many, FIVE_A_MINUTE), tripped, "{many}");
            assert_eq!(one.empty_at.max(now), other.empty_at, "{many}");
        }
    }

    #[test]
    fn a_flood_is_forgotten_soon() {
        let mut bucket = Bucket::default();
        let at = |second: i64| Timestamp::from_nanos(second * 1_000_000_000);
        for _ in 0..1_000_000 {
            bucket.add(at(0), FIVE_A_MINUTE);
        }
        assert!(!bucket.is_empty(at(119)) && bucket.is_empty(at(120)));
    }

    #[test]
    fn time_that_steps_back_adds_no_room() {
        assert_eq!(trips([9, 8, 7, 9, 9]), [false, false, false, false, true]);
    }
}
