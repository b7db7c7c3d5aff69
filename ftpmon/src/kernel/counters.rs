//! The kernel programs' counters, and the losses among them.

use std::collections::BTreeMap;

use super::cpu_stats::CpuStats;
use ftpmon_common::{Counter, Stats};

/// The kernel programs' counters, as of the last poll.
pub struct Counters {
    map: CpuStats,
    last: Stats,
}

impl Counters {
    /// The counters in this map.
    pub(super) fn new(map: CpuStats) -> Self {
        Self { map, last: Stats::default() }
    }

    /// Reads the counters again, and hands what was lost or went by unseen since the last poll to `report`: the counter and the number
    /// of records.
    pub fn poll(&mut self, mut report: impl FnMut(Counter, u64)) {
        let now = self.sum();
        for &counter in Counter::ALL.iter().filter(|it| it.is_loss() || it.hides_connections()) {
            let records = now.value(counter).saturating_sub(self.last.value(counter));
            if records > 0 {
                report(counter, records);
            }
        }
        self.last = now;
    }

    /// A counter's value at the last poll.
    pub fn value(&self, counter: Counter) -> u64 {
        self.last.value(counter)
    }

    /// Packets that the programs had looked at until then.
    pub fn packets(&self) -> u64 {
        self.last.packets()
    }

    /// All counters at the last poll, by name.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        let counters = Counter::ALL.iter().map(|counter| (counter.name(), self.last.value(*counter)));
        counters.chain([("packets", self.packets())]).map(|(name, count)| (name.to_owned(), count)).collect()
    }

    /// Losses until the last poll, by reason; reasons that never occurred are left out.
    pub fn lost(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Counter::ALL
            .iter()
            .filter(|counter| counter.is_loss())
            .map(|&counter| (counter.name(), self.last.value(counter)))
            .filter(|&(_, count)| count > 0)
    }

    /// Frames of which nothing reached the agent, until the last poll. The kernel does not count them per interface.
    pub fn lost_frames(&self) -> u64 {
        lost_frames(&self.last)
    }

    fn sum(&mut self) -> Stats {
        // Where the kernel does not answer, the counters keep their values.
        let Ok(values) = self.map.read() else { return self.last };
        values.iter().fold(Stats::default(), |mut sum, cpu| {
            sum.add(cpu);
            sum
        })
    }
}

fn lost_frames(stats: &Stats) -> u64 {
    // A frame that lost a further part is not among them: its beginning arrived.
    [Counter::LostControl, Counter::LostLoud, Counter::LostData, Counter::CopyFailed]
        .iter()
        .fold(0, |sum, &counter| sum.saturating_add(stats.value(counter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_which_nothing_came_are_lost_whole() {
        let mut stats = Stats::default();
        for (counter, count) in stats.counters.iter_mut().enumerate() {
            *count = 1 << counter;
        }
        let value = |counter: Counter| 1_u64 << (counter as u64);
        let expected = value(Counter::LostControl) + value(Counter::LostLoud) + value(Counter::LostData);
        assert_eq!(lost_frames(&stats), expected + value(Counter::CopyFailed));
    }
}
