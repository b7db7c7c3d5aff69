//! Counts over time, in steps that grow with the period.

use std::collections::BTreeMap;

use ftpmon_event::time::Timestamp;
use serde::{Serialize, Serializer};

use crate::view::ranking::Counts;

/// Steps at most: what a drawing has room for.
const STEPS_MAX: usize = 240;
/// The shortest step, seconds.
const SHORTEST_S: i64 = 60;

/// Counts by time.
#[derive(Debug)]
pub(super) struct Timeline {
    step_s: i64,
    /// By the number of the step since the epoch.
    steps: BTreeMap<i64, Counts>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { step_s: SHORTEST_S, steps: BTreeMap::new() }
    }
}

impl Timeline {
    /// Adds counts at a time.
    pub(super) fn add(&mut self, at: Timestamp, more: Counts) {
        self.steps.entry(at.seconds().div_euclid(self.step_s)).or_default().add(more);
        while self.steps.len() > STEPS_MAX {
            self.double();
        }
    }

    fn double(&mut self) {
        self.step_s = self.step_s.saturating_mul(2);
        let mut wider: BTreeMap<i64, Counts> = BTreeMap::new();
        for (step, counts) in &self.steps {
            wider.entry(step.div_euclid(2)).or_default().add(*counts);
        }
        self.steps = wider;
    }

    /// The length of a step, seconds.
    pub(super) const fn step_s(&self) -> i64 {
        self.step_s
    }

    /// The steps in which anything was counted: when each begins, and its counts.
    pub(super) fn steps(&self) -> impl Iterator<Item = (Timestamp, Counts)> {
        self.steps
            .iter()
            .map(|(step, counts)| (Timestamp::from_parts(step.saturating_mul(self.step_s), 0), *counts))
    }
}

impl Serialize for Timeline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Step {
            from: Timestamp,
            #[serde(flatten)]
            counts: Counts,
        }
        #[derive(Serialize)]
        struct Steps {
            step_s: i64,
            steps: Vec<Step>,
        }
        let steps = self.steps().map(|(from, counts)| Step { from, counts }).collect();
        Steps { step_s: self.step_s, steps }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_period_has_longer_steps_and_the_same_sum() {
        let mut timeline = Timeline::default();
        let one = Counts { count: 1, ..Counts::default() };
        for hour in 0..24 * 400 {
            timeline.add(Timestamp::from_parts(1_700_000_000 + hour * 3_600, 0), one);
        }
        assert!(timeline.steps().count() <= STEPS_MAX && timeline.step_s() >= 3_600);
        assert_eq!(timeline.steps().map(|(_, counts)| counts.count).sum::<u64>(), 24 * 400);
        let from: Vec<i64> = timeline.steps().map(|(from, _)| from.seconds()).collect();
        assert!(from.is_sorted() && from.iter().all(|from| from % timeline.step_s() == 0));
    }
}
