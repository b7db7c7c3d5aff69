//! The kernel's clock turned into wall-clock time.
//!
//! The kernel programs stamp packets with `CLOCK_BOOTTIME`. Its distance to the wall clock is measured about every
//! second: a small change (the clock is being slewed) is followed gradually, so that no event goes back in time; a large
//! one (somebody set the clock) at once.

use rustix::time::{ClockId, clock_gettime};

use ftpmon_event::time::Timestamp;

/// The interval between two measurements, nanoseconds of boot time; a change is followed over the same time.
const MEASURE_NS: i64 = 1_000_000_000;
/// A change of the distance beyond this is a step of the clock, nanoseconds. NTP slews by 0.5 ms a second at most.
const STEP_NS: i64 = 50_000_000;

/// Boot time to wall-clock time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The time of the last measurement, boot time.
    measured_at: i64,
    /// Wall clock less boot time that was in force then, and the one to be reached.
    from: i64,
    to: i64,
}

impl Clock {
    /// A clock that has just been measured.
    pub fn start() -> Self {
        let (boot, distance) = measure();
        Self { measured_at: boot, from: distance, to: distance }
    }

    /// A clock that stands at this distance between wall clock and boot time, nanoseconds.
    pub const fn standing(distance: i64) -> Self {
        Self { measured_at: 0, from: distance, to: distance }
    }

    /// The distance between wall clock and boot time at a moment in boot time, nanoseconds.
    pub fn distance_at(&self, boot: u64) -> i64 {
        self.distance(i64::try_from(boot).unwrap_or(i64::MAX))
    }

    /// Measures again where the last measurement is a second old.
    pub fn follow(&mut self) {
        if boot_ns() - self.measured_at >= MEASURE_NS {
            let (boot, distance) = measure();
            self.measured(boot, distance);
        }
    }

    /// Wall-clock time of a moment in boot time.
    pub fn utc(&self, boot: u64) -> Timestamp {
        let boot = i64::try_from(boot).unwrap_or(i64::MAX);
        Timestamp::from_nanos(boot.saturating_add(self.distance(boot)))
    }

    /// Wall-clock time now.
    pub fn now(&self) -> Timestamp {
        self.utc(self.boot_now())
    }

    /// Boot time now, nanoseconds.
    pub fn boot_now(&self) -> u64 {
        boot_ns().unsigned_abs()
    }

    fn measured(&mut self, boot: i64, distance: i64) {
        let current = self.distance(boot);
        let step = (distance - current).abs() > STEP_NS;
        *self = Self { measured_at: boot, from: if step { distance } else { current }, to: distance };
    }

    fn distance(&self, boot: i64) -> i64 {
        let elapsed = boot.saturating_sub(self.measured_at).clamp(0, MEASURE_NS);
        // No overflow: two distances further apart than `STEP_NS` are never followed gradually.
        self.from + (self.to - self.from) * elapsed / MEASURE_NS
    }
}

/// `CLOCK_BOOTTIME` in whole seconds, as marks and expiries in the kernel's maps have it.
pub(super) fn boot_seconds() -> u32 {
    u32::try_from(boot_ns() / 1_000_000_000).unwrap_or(u32::MAX)
}

fn boot_ns() -> i64 {
    nanos(ClockId::Boottime)
}

fn nanos(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

/// Boot time now, and the wall clock's distance from it: of three tries the one that took least time.
fn measure() -> (i64, i64) {
    let attempt = |_| {
        let before = boot_ns();
        let wall = nanos(ClockId::Realtime);
        let after = boot_ns();
        (after - before, after, wall - (before + (after - before) / 2))
    };
    let (_, boot, distance) = (0..3).map(attempt).min().unwrap_or_default();
    (boot, distance)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn clock(distance: i64) -> Clock {
        Clock { measured_at: 0, from: distance, to: distance }
    }

    #[test]
    fn now_is_the_wall_clock() {
        let apart = Clock::start().now().as_nanos() - nanos(ClockId::Realtime);
        assert!(apart.abs() < SECOND, "{apart} ns apart");
    }

    #[test]
    fn a_step_is_followed_at_once() {
        let mut clock = clock(100 * SECOND);
        clock.measured(SECOND, 5 * SECOND);
        assert_eq!(clock.utc(SECOND as u64), Timestamp::from_parts(6, 0));
    }

    #[test]
    fn a_slewed_clock_is_followed_over_a_second() {
        let mut clock = clock(100 * SECOND);
        clock.measured(SECOND, 100 * SECOND + 1_000_000);
        assert_eq!(clock.utc(SECOND as u64).as_nanos(), 101 * SECOND);
        assert_eq!(clock.utc((SECOND + SECOND / 2) as u64).as_nanos(), 101 * SECOND + SECOND / 2 + 500_000);
        assert_eq!(clock.utc(3 * SECOND as u64).as_nanos(), 103 * SECOND + 1_000_000);
    }

    proptest! {
        #[test]
        fn slewing_never_goes_back(changes in prop::collection::vec(-STEP_NS..STEP_NS, 1..50)) {
            let mut clock = clock(0);
            let mut last = Timestamp::from_nanos(i64::MIN);
            for (second, change) in (1..).zip(changes) {
                // What the clock has reached by now is what the change is measured against.
                let distance = clock.distance(second * SECOND) + change;
                clock.measured(second * SECOND, distance);
                for tenth in 0..10 {
                    let at = clock.utc((second * SECOND + tenth * SECOND / 10) as u64);
                    prop_assert!(at >= last);
                    last = at;
                }
            }
        }
    }
}
