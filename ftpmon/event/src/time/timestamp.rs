//! A point in time as a number.

/// Nanoseconds since 1970-01-01T00:00:00Z. The core never reads a clock: every `Timestamp` comes from a packet or from
/// the caller. Signed, so that a capture's nonsense before 1970 stays a number; the range reaches the year 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before every packet.
    pub const EARLIEST: Self = Self(i64::MIN);

    /// After every packet.
    pub const LATEST: Self = Self(i64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From whole seconds and nanoseconds; saturates at the ends of the range.
    pub const fn from_parts(seconds: i64, nanos: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.as_nanos().div_euclid(1_000_000)
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Nanoseconds since the last whole second.
    pub const fn second_nanos(self) -> u32 {
        self.0.rem_euclid(1_000_000_000) as u32
    }

    /// This moment and `nanos` more; saturates.
    pub const fn plus_nanos(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this moment, 0 where the clock went backwards.
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        let span = self.0.saturating_sub(earlier.0);
        if span < 0 { 0 } else { span as u64 }
    }

    /// Microseconds from `earlier` to this moment, 0 where the clock went backwards.
    pub const fn micros_since(self, earlier: Self) -> u64 {
        self.nanos_since(earlier) / 1_000
    }

    /// Milliseconds from `earlier` to this moment, 0 where the clock went backwards.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.nanos_since(earlier) / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn a_clock_that_steps_back_gives_no_negative_span() {
        let (early, late) = (Timestamp::from_parts(5, 0), Timestamp::from_parts(9, 0));
        assert_eq!(late.millis_since(early), 4_000);
        assert_eq!(early.micros_since(late), 0);
    }
}
