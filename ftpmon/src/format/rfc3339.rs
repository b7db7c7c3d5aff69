//! RFC 3339 timestamps in UTC with nanoseconds, written quickly: consecutive events mostly share their second.

use std::io::Write as _;

use crate::time::Timestamp;

/// Length of `2012-02-21T16:52:42.`.
const PREFIX_LEN: usize = 20;

/// Writes timestamps and remembers the last one's second.
#[derive(Debug)]
pub(super) struct Clockface {
    second: i64,
    prefix: [u8; PREFIX_LEN],
}

impl Clockface {
    /// A clockface that has written nothing yet.
    pub(super) fn new() -> Self {
        Self { second: 0, prefix: *b"1970-01-01T00:00:00." }
    }

    /// Appends `at` as `2012-02-21T16:52:42.083353000Z`.
    pub(super) fn write(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        const NANOS: i64 = 1_000_000_000;
        let second = at.as_nanos().div_euclid(NANOS);
        if second != self.second {
            self.turn_to(second);
        }
        out.extend_from_slice(&self.prefix);
        let mut rest = at.as_nanos().rem_euclid(NANOS);
        let mut digits = *b"000000000Z";
        for digit in digits.iter_mut().take(9).rev() {
            // A remainder of 10 fits a byte.
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&digits);
    }

    fn turn_to(&mut self, second: i64) {
        let whole = Timestamp::from_parts(second, 0);
        let mut cursor = self.prefix.as_mut_slice();
        // Ends at the full stop: the slice is full and the fraction does not fit, which is wanted.
        let _ = write!(cursor, "{whole}");
        self.second = second;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(clockface: &mut Clockface, at: Timestamp) -> String {
        let mut out = Vec::new();
        clockface.write(at, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_second_is_remembered_and_replaced() {
        let mut clockface = Clockface::new();
        assert_eq!(written(&mut clockface, Timestamp::from_parts(0, 7)), "1970-01-01T00:00:00.000000007Z");
        assert_eq!(
            written(&mut clockface, Timestamp::from_parts(1_329_843_162, 83_353_000)),
            "2012-02-21T16:52:42.083353000Z"
        );
        assert_eq!(
            written(&mut clockface, Timestamp::from_parts(1_329_843_162, 999_999_999)),
            "2012-02-21T16:52:42.999999999Z"
        );
        assert_eq!(written(&mut clockface, Timestamp::from_nanos(-1)), "1969-12-31T23:59:59.999999999Z");
    }

    proptest! {
        #[test]
        fn equals_the_slow_way(nanos: i64) {
            let at = Timestamp::from_nanos(nanos);
            prop_assert_eq!(written(&mut Clockface::new(), at), at.to_string());
        }
    }
}
