//! One key under watch: occurrences, and the threshold from which on they are an incident.

use super::bucket::Bucket;
use super::entry::Threshold;
use super::incident::Incident;
use crate::event::Event;
use crate::time::Timestamp;

/// The occurrences of a key. They are forgotten when the threshold's time passed without one.
#[derive(Debug, Default)]
pub(super) struct Watch {
    bucket: Bucket,
    incident: Incident,
    /// The threshold was reached.
    reached: bool,
}

impl Watch {
    /// The occurrences are forgotten by `now`.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.bucket.is_empty(now)
    }

    /// Adds an occurrence: an event, the command that it is about, and what shows it. Gives the incident if an alert about it is due.
    pub(super) fn add(
        &mut self,
        threshold: Threshold,
        event: &Event,
        tx: Option<u64>,
        example: &str,
    ) -> Option<&Incident> {
        if self.is_over(event.ts) {
            *self = Self::default();
        }
        self.incident.add(event, tx, example);
        self.reached |= self.bucket.add(event.ts, threshold);
        (self.reached && self.incident.is_due()).then_some(&self.incident)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Session;
    use super::*;

    fn alerts(threshold: Threshold, seconds: &[i64]) -> Vec<u64> {
        let mut watch = Watch::default();
        let add = |&second: &i64| {
            let event = Session::new(1).at(second).command("NOOP", None);
            watch.add(threshold, &event, None, "").map(|incident| incident.count)
        };
        seconds.iter().filter_map(add).collect()
    }

    #[test]
    fn count_and_time_of_a_threshold_both_matter() {
        assert_eq!(alerts(Threshold { count: 3, per_s: 60 }, &[0, 1, 2, 3, 4, 5]), [3, 6]);
        assert!(alerts(Threshold { count: 3, per_s: 60 }, &[0, 30, 60, 90, 120]).is_empty());
        assert_eq!(alerts(Threshold { count: 1, per_s: 60 }, &[0, 1, 2, 3]), [1, 2, 4]);
    }

    #[test]
    fn after_the_time_without_one_the_next_is_another_incident() {
        assert_eq!(alerts(Threshold { count: 1, per_s: 60 }, &[0, 1, 2, 300, 301]), [1, 2, 1, 2]);
    }
}
