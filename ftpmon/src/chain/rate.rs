//! The rates of event types on a route. What is held back is counted by type.

use std::collections::BTreeMap;

use crate::config::RateConfig;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventType};

const SECOND_NS: u64 = 1_000_000_000;

/// Lets events of a type through up to their rate: the time of the events counts, so that a capture file gives the same
/// events whenever it is read.
pub(super) struct RateLimits {
    /// By event type.
    buckets: [Option<Bucket>; EventType::ALL.len()],
}

/// A token bucket that holds a second's worth.
#[derive(Clone, Copy)]
struct Bucket {
    /// Events a second.
    rate: u32,
    /// Events that may come now, in billionths.
    billionths: u64,
    /// When that was so.
    at: Timestamp,
    held_back: u64,
}

impl RateLimits {
    /// Those of a route; none where it limits nothing.
    pub(super) fn new(config: &RateConfig) -> Option<Self> {
        let bucket = |kind: &EventType| config.0.get(kind.name()).copied().map(Bucket::new);
        (!config.is_empty()).then(|| Self { buckets: EventType::ALL.each_ref().map(bucket) })
    }

    /// The event may take the route now.
    pub(super) fn admits(&mut self, event: &Event) -> bool {
        let kind = event.kind.event_type() as usize;
        self.buckets.get_mut(kind).and_then(Option::as_mut).is_none_or(|bucket| bucket.take(event.ts))
    }

    /// The events held back since the start, by type; types of which none were are left out.
    pub(super) fn held_back(&self) -> BTreeMap<String, u64> {
        let buckets = EventType::ALL.iter().zip(&self.buckets);
        buckets
            .filter_map(|(kind, bucket)| Some((kind.name().to_owned(), bucket.as_ref()?.held_back)))
            .filter(|(_, held_back)| *held_back > 0)
            .collect()
    }
}

impl Bucket {
    const fn new(rate: u32) -> Self {
        let billionths = rate as u64 * SECOND_NS;
        Self { rate, billionths, at: Timestamp::from_nanos(0), held_back: 0 }
    }

    fn take(&mut self, now: Timestamp) -> bool {
        // A clock that was set back fills nothing.
        let passed = now.nanos_since(self.at).min(SECOND_NS);
        let full = u64::from(self.rate) * SECOND_NS;
        self.billionths = full.min(self.billionths + passed * u64::from(self.rate));
        self.at = self.at.max(now);
        let left = self.billionths.checked_sub(SECOND_NS);
        match left {
            Some(left) => self.billionths = left,
            None => self.held_back += 1,
        }
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn limits(text: &str) -> RateLimits {
        RateLimits::new(&serde_json::from_str(text).unwrap()).unwrap()
    }

    /// Of `count` commands a millisecond apart, those that pass.
    fn passed(limits: &mut RateLimits, from_ms: i64, count: i64) -> usize {
        let id = sample::identity("0123456789abcdef");
        let at = |ms| sample::event(&id, ms, sample::command(1, "NOOP", None));
        (0..count).filter(|n| limits.admits(&at(from_ms + n))).count()
    }

    #[test]
    fn a_second_lets_its_rate_through_and_the_rest_is_counted() {
        let mut limits = limits(r#"{"command": 10}"#);
        assert_eq!(passed(&mut limits, 0, 100), 10);
        assert_eq!(limits.held_back(), [("command".to_owned(), 90)].into());
        // 100 ms after the last one that passed there is room for one.
        assert_eq!(passed(&mut limits, 200, 1), 1);
        assert_eq!(passed(&mut limits, 5_000, 100), 10, "a second's worth at most");
    }

    #[test]
    fn other_types_and_a_clock_set_back_are_not_limited() {
        let mut limits = limits(r#"{"reply": 1}"#);
        assert_eq!(passed(&mut limits, 0, 50), 50);
        assert!(limits.held_back().is_empty());
        let id = sample::identity("0123456789abcdef");
        let reply = |ms| sample::event(&id, ms, sample::reply(0, 220, "x", None));
        assert!(limits.admits(&reply(10_000)));
        assert!(!limits.admits(&reply(0)) && !limits.admits(&reply(9_000)));
        assert!(limits.admits(&reply(11_000)));
    }

    #[test]
    fn without_rates_nothing_is_asked() {
        assert!(RateLimits::new(&RateConfig::default()).is_none());
    }
}
