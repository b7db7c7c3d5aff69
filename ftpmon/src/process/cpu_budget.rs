//! A cap on the processor time of look-ups.
//!
//! Their cost grows with the number of descriptors of the processes searched. A server with hundreds of connections that
//! opens hundreds more a second would keep a processor busy with look-ups, and capture needs that processor.

use std::time::Duration;

/// One part of this many may be work.
const PARTS: u32 = 4;
/// Work that is done at once all the same, after a rest that is long enough.
const BURST: Duration = Duration::from_secs(1);
/// The length of one rest.
const REST: Duration = Duration::from_millis(10);

/// Work done beyond the share.
#[derive(Debug, Default)]
pub(super) struct CpuBudget {
    owed: Duration,
}

impl CpuBudget {
    /// So long was rested, or waited for work.
    pub(super) fn rested(&mut self, rest: Duration) {
        self.owed = self.owed.saturating_sub(rest);
    }

    /// So long was worked. How long to rest now.
    pub(super) fn worked(&mut self, work: Duration) -> Option<Duration> {
        self.owed += work * (PARTS - 1);
        (self.owed > BURST * (PARTS - 1)).then_some(REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_without_end_gets_its_share() {
        let (mut budget, mut worked, mut rested) = (CpuBudget::default(), Duration::ZERO, Duration::ZERO);
        let step = Duration::from_micros(700);
        while worked + rested < Duration::from_secs(100) {
            worked += step;
            if let Some(rest) = budget.worked(step) {
                rested += rest;
                budget.rested(rest);
            }
        }
        let part = worked.as_secs_f64() / (worked + rested).as_secs_f64();
        assert!((0.24..0.26).contains(&part), "{part}");
    }

    #[test]
    fn work_now_and_then_never_rests() {
        let mut budget = CpuBudget::default();
        for _ in 0..10_000 {
            assert_eq!(budget.worked(Duration::from_millis(3)), None);
            budget.rested(Duration::from_millis(10));
        }
    }
}
