//! Features (RFC 2389), security mechanisms (RFC 2228) and time values (RFC 3659).

use crate::time::Timestamp;

/// The features in a reply to FEAT (RFC 2389 section 3.2): the lines between first and last, each a name and its
/// parameters, without the space that they begin with.
pub fn features(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|&byte| byte == b'\n').skip(1);
    lines.filter_map(|line| line.strip_prefix(b" ")).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

/// A security mechanism: AUTH's argument (RFC 2228 section 3, RFC 4217 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// `TLS` and `TLS-C`: TLS for the control connection.
    Tls,
    /// `TLS-P` and `SSL`: TLS for both, data connections from the start.
    TlsAndData,
    /// `GSSAPI`.
    Gssapi,
    /// `KERBEROS_V4`.
    KerberosV4,
    /// Another one.
    Other,
}

impl Mechanism {
    /// The mechanism that AUTH's argument names, whatever its case.
    pub fn from_argument(arg: &[u8]) -> Self {
        let named = |name: &[u8]| arg.trim_ascii().eq_ignore_ascii_case(name);
        match () {
            () if named(b"TLS") || named(b"TLS-C") => Self::Tls,
            () if named(b"TLS-P") || named(b"SSL") => Self::TlsAndData,
            () if named(b"GSSAPI") => Self::Gssapi,
            () if named(b"KERBEROS_V4") => Self::KerberosV4,
            () => Self::Other,
        }
    }

    /// The control connection carries TLS after the server's 234.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::TlsAndData)
    }
}

/// A time value of RFC 3659 section 2.3, as in the reply to MDTM and the argument of MFMT: fourteen digits, UTC,
/// perhaps a fraction of a second. None if it is no time.
pub fn time_value(text: &[u8]) -> Option<Timestamp> {
    let (digits, rest) = text.split_at_checked(14)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let field = |from: usize, to: usize| {
        digits
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .fold(0_i16, |value, digit| value * 10 + i16::from(digit - b'0'))
    };
    let part = |from: usize, to: usize| i8::try_from(field(from, to)).ok();
    // A leap second is the last that a timestamp can say.
    let second = part(12, 14)?.min(if field(12, 14) == 60 { 59 } else { i8::MAX });
    let time = jiff::civil::DateTime::new(
        field(0, 4),
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        second,
        0,
    );
    let seconds = jiff::tz::Offset::UTC.to_timestamp(time.ok()?).ok()?.as_second();
    let fraction = rest.strip_prefix(b".").unwrap_or_default();
    let mut digits = fraction.iter().chain(core::iter::repeat(&b'0')).take(9);
    let nanos = digits
        .try_fold(0_i64, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')));
    Some(Timestamp::from_parts(seconds, nanos.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::{Mechanism, features, time_value};

    #[test]
    fn features_are_the_lines_between() {
        let text = b"Extensions supported:\n UTF8\n AUTH TLS\n MLST size*;modify*;\nEND";
        assert_eq!(features(text).collect::<Vec<_>>(), [&b"UTF8"[..], b"AUTH TLS", b"MLST size*;modify*;"]);
        assert_eq!(features(b"no features").count(), 0);
    }

    #[test]
    fn mechanisms() {
        assert!(Mechanism::from_argument(b"tls-c ").is_tls() && Mechanism::from_argument(b"SSL").is_tls());
        assert_eq!(Mechanism::from_argument(b"GSSAPI"), Mechanism::Gssapi);
        assert_eq!(Mechanism::from_argument(b"x"), Mechanism::Other);
    }

    #[test]
    fn times() {
        let text = |value: &[u8]| time_value(value).map(|at| at.to_string());
        assert_eq!(text(b"20120221165242").unwrap(), "2012-02-21T16:52:42.000000000Z");
        assert_eq!(text(b"19700101000000.25").unwrap(), "1970-01-01T00:00:00.250000000Z");
        assert_eq!(text(b"20161231235960").unwrap(), "2016-12-31T23:59:59.000000000Z");
        assert_eq!((text(b"20121321165242"), text(b"2012022116524x"), text(b"2012")), (None, None, None));
    }
}
