//! A time's text: RFC 3339 in UTC with nanoseconds.

use core::fmt;

use jiff::tz::Offset;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::timestamp::Timestamp;

/// A time as `2012-02-21T16:52:42.083353000Z`. All times have a year of four digits.
///
/// Kept and set anew, it is quicker than a new one: packets that follow each other mostly share their second.
#[derive(Clone, Debug)]
pub struct Rfc3339 {
    second: i64,
    text: [u8; 30],
}

/// The epoch.
impl Default for Rfc3339 {
    fn default() -> Self {
        Self { second: 0, text: *b"1970-01-01T00:00:00.000000000Z" }
    }
}

impl Rfc3339 {
    /// The text of `at`.
    pub fn of(at: Timestamp) -> Self {
        let mut text = Self::default();
        text.set(at);
        text
    }

    /// Becomes the text of `at`.
    #[inline]
    pub fn set(&mut self, at: Timestamp) {
        if at.seconds() != self.second {
            self.second = at.seconds();
            self.turn();
        }
        let [.., n0, n1, n2, n3, n4, n5, n6, n7, n8, _] = &mut self.text;
        let nanos = at.second_nanos();
        let (high, low) = (nanos / 10_000, nanos % 10_000);
        *n0 = b'0' + (high / 10_000) as u8;
        let high = high % 10_000;
        [*n1, *n2] = pair(high / 100);
        [*n3, *n4] = pair(high % 100);
        [*n5, *n6] = pair(low / 100);
        [*n7, *n8] = pair(low % 100);
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        // Digits and separators: always UTF-8.
        core::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// The text's bytes.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Writes the parts that all times of the second have in common.
    fn turn(&mut self) {
        // All seconds of a `Timestamp` are in jiff's range, which is wider.
        let Ok(second) = jiff::Timestamp::from_second(self.second) else { return };
        let at = Offset::UTC.to_datetime(second);
        let [y0, y1, y2, y3, _, o0, o1, _, d0, d1, _, h0, h1, _, m0, m1, _, s0, s1, ..] = &mut self.text;
        [*y0, *y1, *y2, *y3] = digits(u32::from(at.year().unsigned_abs()));
        [*o0, *o1] = digits(u32::from(at.month().unsigned_abs()));
        [*d0, *d1] = digits(u32::from(at.day().unsigned_abs()));
        [*h0, *h1] = digits(u32::from(at.hour().unsigned_abs()));
        [*m0, *m1] = digits(u32::from(at.minute().unsigned_abs()));
        [*s0, *s1] = digits(u32::from(at.second().unsigned_abs()));
    }
}

/// RFC 3339 in UTC with nine fractional digits.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rfc3339::of(*self).as_str().fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Rfc3339::of(*self).as_str())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        let nanos = i64::try_from(time.as_nanosecond());
        nanos
            .map(Self::from_nanos)
            .map_err(|_| D::Error::custom(format_args!("{text} is beyond the year 2262")))
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "description": "RFC 3339, UTC, nanoseconds" })
    }
}

/// The two decimal digits of a number below 100.
#[inline]
fn pair(number: u32) -> [u8; 2] {
    const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
        5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    PAIRS.as_chunks().0.get(number as usize).copied().unwrap_or_default()
}

/// The last `N` decimal digits of a number.
#[inline]
fn digits<const N: usize>(mut number: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        // A remainder of 10 fits a byte.
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Rfc3339, Timestamp};

    #[test]
    fn prints_rfc_3339_with_nanoseconds() {
        let at = Timestamp::from_parts(1_329_843_162, 83_353_000);
        assert_eq!(at.to_string(), "2012-02-21T16:52:42.083353000Z");
    }

    #[test]
    fn the_second_is_remembered_and_replaced() {
        let mut text = Rfc3339::of(Timestamp::from_parts(0, 7));
        assert_eq!(text.as_str(), "1970-01-01T00:00:00.000000007Z");
        text.set(Timestamp::from_parts(1_329_843_162, 83_353_000));
        assert_eq!(text.as_str(), "2012-02-21T16:52:42.083353000Z");
        text.set(Timestamp::from_parts(1_329_843_162, 999_999_999));
        assert_eq!(text.as_str(), "2012-02-21T16:52:42.999999999Z");
        text.set(Timestamp::from_nanos(-1));
        assert_eq!(text.as_str(), "1969-12-31T23:59:59.999999999Z");
    }

    proptest! {
        #[test]
        fn any_time_is_written_as_jiff_does(nanos: i64, before: i64) {
            let at = Timestamp::from_nanos(nanos);
            let slow = format!("{:.9}", jiff::Timestamp::from_nanosecond(nanos.into()).unwrap());
            prop_assert_eq!(at.to_string(), slow.as_str());
            let mut text = Rfc3339::of(Timestamp::from_nanos(before));
            text.set(at);
            prop_assert_eq!(text.as_str(), slow);
        }
    }
}
