//! Decimal numbers of any length, parsed without overflow.

/// The number at the head of `text` and what follows it; none if no digit is there. A number beyond `u64` is
/// `u64::MAX`.
pub(super) fn leading(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(digits)?;
    (!digits.is_empty()).then(|| {
        let value = digits
            .iter()
            .fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        (value, rest)
    })
}

/// `text` as a number, digits only; none if it is anything else or beyond `u64`.
pub(super) fn whole(text: &[u8]) -> Option<u64> {
    match leading(text)? {
        (value, []) if value < u64::MAX => Some(value),
        _ => None,
    }
}

/// Numbers from 0 to 255, separated by commas with or without spaces around them, until `out` is full. Returns how many
/// there are and what follows the last of them; none if one is above 255.
pub(super) fn comma_list<'a>(text: &'a [u8], out: &mut [u8]) -> Option<(usize, &'a [u8])> {
    let mut rest = text;
    let mut count = 0;
    for slot in out {
        let next = match count {
            0 => rest,
            _ => match rest.trim_ascii_start().strip_prefix(b",") {
                Some(next) => next.trim_ascii_start(),
                None => break,
            },
        };
        let Some((value, after)) = leading(next) else { break };
        *slot = u8::try_from(value).ok()?;
        rest = after;
        count += 1;
    }
    Some((count, rest))
}

/// Every tail of `text` that starts with a list of numbers: a number that does not follow another one and a comma.
pub(super) fn list_heads(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    #[derive(Clone, Copy, PartialEq)]
    enum Before {
        Text,
        Number,
        NumberAndSpace,
        NumberAndComma,
    }
    let mut before = Before::Text;
    text.iter().enumerate().filter_map(move |(at, byte)| {
        let was = before;
        before = match (byte, was) {
            (b'0'..=b'9', _) => Before::Number,
            (b' ', Before::Number | Before::NumberAndSpace) => Before::NumberAndSpace,
            (b',', Before::Number | Before::NumberAndSpace) => Before::NumberAndComma,
            (b' ', Before::NumberAndComma) => Before::NumberAndComma,
            _ => Before::Text,
        };
        let starts = before == Before::Number && matches!(was, Before::Text | Before::NumberAndSpace);
        starts.then(|| text.get(at..)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::{comma_list, leading, list_heads, whole};

    #[test]
    fn numbers_of_any_length() {
        assert_eq!(leading(b"12ab"), Some((12, &b"ab"[..])));
        assert_eq!(leading(b"ab"), None);
        assert_eq!(leading(&[b'9'; 900]), Some((u64::MAX, &b""[..])));
        assert_eq!(
            (whole(b"12"), whole(b"12 "), whole(b""), whole(&[b'9'; 21])),
            (Some(12), None, None, None)
        );
    }

    #[test]
    fn lists_tolerate_spaces_and_refuse_what_is_no_byte() {
        let mut out = [0; 4];
        assert_eq!(comma_list(b"1 , 2,3,  4)", &mut out), Some((4, &b")"[..])));
        assert_eq!(out, [1, 2, 3, 4]);
        assert_eq!(comma_list(b"1,2,", &mut out), Some((2, &b","[..])));
        assert_eq!(comma_list(b"1,256,3,4", &mut out), None);
        assert_eq!(comma_list(b"-1,2", &mut out), Some((0, &b"-1,2"[..])));
    }

    #[test]
    fn lists_begin_with_their_first_number() {
        assert_eq!(list_heads(b"a12 3,4 ,5, 6").collect::<Vec<_>>(), [&b"12 3,4 ,5, 6"[..], b"3,4 ,5, 6"]);
        assert_eq!(list_heads(b"ok, 1,2").collect::<Vec<_>>(), [b"1,2"]);
    }
}
