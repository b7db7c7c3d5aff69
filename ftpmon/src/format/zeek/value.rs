//! Values of Zeek's logs, as its ASCII writer spells them.

use std::borrow::Cow;
use std::io::Write as _;
use std::net::IpAddr;

use crate::format::json;
use ftpmon_event::text::is_disruptive;
use ftpmon_event::time::Timestamp;

/// The text of a field without a value.
pub(super) const UNSET: &str = "-";
/// The text of an empty string.
pub(super) const EMPTY: &str = "(empty)";

/// A column's value.
#[derive(Clone, Debug, Default)]
pub(super) enum Value<'a> {
    #[default]
    Unset,
    Time(Timestamp),
    /// Microseconds.
    Interval(u64),
    Text(Cow<'a, str>),
    Addr(IpAddr),
    Count(u64),
    Bool(bool),
}

impl Value<'_> {
    /// Appends the value as a TSV field.
    pub(super) fn tsv(&self, out: &mut Vec<u8>) {
        match self {
            Self::Unset => out.extend_from_slice(UNSET.as_bytes()),
            Self::Bool(yes) => out.push(if *yes { b'T' } else { b'F' }),
            Self::Text(text) if text.is_empty() => out.extend_from_slice(EMPTY.as_bytes()),
            Self::Text(text) => escaped(text, out),
            _ => self.plain(out),
        }
    }

    /// Appends the value as JSON; not to be asked of an unset one.
    pub(super) fn json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Unset => out.extend_from_slice(b"null"),
            Self::Bool(yes) => json::value(yes, out),
            Self::Text(text) => json::value(text.as_ref(), out),
            Self::Addr(ip) => json::value(ip, out),
            _ => self.plain(out),
        }
    }

    /// The spellings that both writers share.
    fn plain(&self, out: &mut Vec<u8>) {
        const NANOS: i64 = 1_000_000_000;
        // Writing to a vector cannot fail.
        let _ = match self {
            Self::Time(at) => {
                let (seconds, nanos) = (at.as_nanos().div_euclid(NANOS), at.as_nanos().rem_euclid(NANOS));
                write!(out, "{seconds}.{:06}", nanos / 1_000)
            }
            Self::Interval(micros) => write!(out, "{}.{:06}", micros / 1_000_000, micros % 1_000_000),
            Self::Addr(ip) => write!(out, "{ip}"),
            Self::Count(count) => write!(out, "{count}"),
            Self::Unset | Self::Bool(_) | Self::Text(_) => Ok(()),
        };
    }
}

/// The bytes of [`is_disruptive`] characters as `\xNN`, backslashes doubled, and the first character of what would read as unset or
/// empty.
fn escaped(text: &str, out: &mut Vec<u8>) {
    let mut special = text == UNSET || text == EMPTY;
    for character in text.chars() {
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).as_bytes();
        if character == '\\' {
            out.extend_from_slice(b"\\\\");
        } else if special || is_disruptive(character) {
            for byte in bytes {
                let _ = write!(out, "\\x{byte:02x}");
            }
        } else {
            out.extend_from_slice(bytes);
        }
        special = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tsv(value: &Value<'_>) -> String {
        let mut out = Vec::new();
        value.tsv(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn text(text: &str) -> String {
        tsv(&Value::Text(text.into()))
    }

    #[test]
    fn fields_cannot_break_the_table() {
        assert_eq!(text("a\tb\nc\\d\u{7f}é"), "a\\x09b\\x0ac\\\\d\\x7fé");
        assert_eq!(text("\u{9b}1m\u{202e}"), "\\xc2\\x9b1m\\xe2\\x80\\xae");
        assert_eq!(
            (text("-"), text("(empty)"), text("")),
            ("\\x2d".into(), "\\x28empty)".into(), "(empty)".into())
        );
        assert_eq!(tsv(&Value::Unset), "-");
    }

    #[test]
    fn numbers() {
        assert_eq!(tsv(&Value::Time(Timestamp::from_parts(1_329_843_162, 83_353_999))), "1329843162.083353");
        assert_eq!(tsv(&Value::Interval(1_000_001)), "1.000001");
        assert_eq!((tsv(&Value::Bool(true)), tsv(&Value::Count(7))), ("T".into(), "7".into()));
    }
}
