//! A distribution of times.

use serde::{Serialize, Serializer};

/// Classes: the powers of two of microseconds, up to more than an hour.
const CLASSES: usize = 33;

/// Times, by their power of two.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    classes: [u64; CLASSES],
    max_us: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self { classes: [0; CLASSES], max_us: 0 }
    }
}

impl Latency {
    /// Adds a time.
    pub(super) fn add(&mut self, us: u64) {
        let class = (u64::BITS - us.leading_zeros()) as usize;
        if let Some(count) = self.classes.get_mut(class.min(CLASSES - 1)) {
            *count += 1;
        }
        self.max_us = self.max_us.max(us);
    }

    /// The number of times.
    pub(super) fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// An upper bound of the time below which so many hundredths are, at most twice that time, microseconds.
    pub(super) fn percentile(&self, hundredths: u64) -> u64 {
        let wanted = (self.count() * hundredths).div_ceil(100);
        let mut sum = 0;
        for (class, count) in self.classes.iter().enumerate() {
            sum += count;
            if sum >= wanted {
                return (1_u64 << class).saturating_sub(1).min(self.max_us);
            }
        }
        self.max_us
    }

    /// The longest time, microseconds.
    pub(super) const fn max_us(&self) -> u64 {
        self.max_us
    }
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Summary {
            count: u64,
            median_us: u64,
            p95_us: u64,
            max_us: u64,
        }
        Summary {
            count: self.count(),
            median_us: self.percentile(50),
            p95_us: self.percentile(95),
            max_us: self.max_us,
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_at_most_twice_the_time() {
        let mut latency = Latency::default();
        (1..=1_000).for_each(|us| latency.add(us));
        assert_eq!((latency.count(), latency.max_us()), (1_000, 1_000));
        for hundredths in [1, 50, 95, 100] {
            let (bound, right) = (latency.percentile(hundredths), hundredths * 10);
            assert!(bound >= right && bound <= right * 2, "{hundredths}: {bound}");
        }
        latency.add(u64::MAX);
        assert_eq!(Latency::default().percentile(95), 0);
    }
}
