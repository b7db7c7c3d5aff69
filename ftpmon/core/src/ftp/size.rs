//! Sizes and offsets as commands and replies spell them, bytes.

use super::number;

/// The size in the reply to SIZE: 213 and a number (RFC 3659 section 4).
pub fn in_213(text: &[u8]) -> Option<u64> {
    number::whole(text.trim_ascii())
}

/// The size that a preliminary reply declares: `(N bytes)`, as BSD's server and most since have it. The last one of
/// the text counts, and none that is part of `arg`, the transfer command's argument: file names may look like it.
pub fn in_preliminary(text: &[u8], arg: Option<&[u8]>) -> Option<u64> {
    let name = arg.map(|path| path.rsplit(|&byte| byte == b'/').next().unwrap_or(path));
    // What begins with a parenthesis lies in no name without one.
    let named = name.filter(|name| name.contains(&b'(')).and_then(|name| span(text, name));
    memchr::memrchr_iter(b'(', text).find_map(|at| {
        let (size, rest) = number::leading(text.get(at + 1..)?)?;
        let unit = rest.strip_prefix(b" ")?.get(..5)?;
        let is_name = named.as_ref().is_some_and(|named| named.contains(&at));
        (unit.eq_ignore_ascii_case(b"bytes") && !is_name && size < u64::MAX).then_some(size)
    })
}

/// ALLO's argument (RFC 959): a number, perhaps `R` and a record size behind it.
pub fn in_allo(arg: &[u8]) -> Option<u64> {
    match number::leading(arg.trim_ascii_start())? {
        (size, [] | [b' ', ..]) if size < u64::MAX => Some(size),
        _ => None,
    }
}

/// REST's argument in stream mode (RFC 3659 section 5): where the next transfer starts. None for the markers of other
/// modes.
pub fn in_rest(arg: &[u8]) -> Option<u64> {
    number::whole(arg.trim_ascii())
}

/// The position that the reply to REST accepts, where it has one in parentheses: `350 Restart position accepted (0).`
pub fn in_350(text: &[u8]) -> Option<u64> {
    let from = memchr::memchr(b'(', text)? + 1;
    let rest = text.get(from..)?;
    number::whole(rest.get(..memchr::memchr(b')', rest)?)?)
}

/// The offset of the first `name` in `text`.
fn span(text: &[u8], name: &[u8]) -> Option<core::ops::Range<usize>> {
    if name.is_empty() {
        return None;
    }
    let at = memchr::memmem::find(text, name)?;
    Some(at..at + name.len())
}

#[cfg(test)]
mod tests {
    use super::{in_213, in_350, in_allo, in_preliminary, in_rest};

    #[test]
    fn sizes_of_213() {
        assert_eq!(in_213(b"5368709120 "), Some(5_368_709_120));
        assert_eq!(in_213(b"12 bytes"), None);
        assert_eq!(in_213(&[b'9'; 300]), None);
    }

    #[test]
    fn declared_sizes() {
        let declared = |text: &str, arg: &str| in_preliminary(text.as_bytes(), Some(arg.as_bytes()));
        assert_eq!(declared("Opening BINARY mode data connection for a (123 bytes).", "a"), Some(123));
        assert_eq!(declared("Opening data connection for /x/a (123 Bytes)", "/x/a"), Some(123));
        let arg = "copy (5 bytes).txt";
        assert_eq!(declared("Opening data connection for copy (5 bytes).txt.", arg), None);
        assert_eq!(declared("Opening data connection for copy (5 bytes).txt (77 bytes).", arg), Some(77));
        assert_eq!(declared("Opening for report-2012 (final)", "report-2012 (final)"), None);
        assert_eq!(declared("Opening for 99", "99"), None);
        assert_eq!(in_preliminary(b"Opening BINARY mode (123 bytes)", None), Some(123));
        assert_eq!(in_preliminary(b"x (123 byte", None), None);
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_no_size() {
        let beyond = "18446744073709551616";
        assert_eq!(in_213(beyond.as_bytes()), None);
        assert_eq!(in_preliminary(format!("Opening ({beyond} bytes)").as_bytes(), None), None);
        assert_eq!(in_allo(beyond.as_bytes()), None);
        assert_eq!(in_rest(beyond.as_bytes()), None);
    }

    #[test]
    fn positions_of_350() {
        assert_eq!(in_350(b"Restart position accepted (100)."), Some(100));
        assert_eq!((in_350(b"Restarting at 100"), in_350(b"(x)"), in_350(b"(1")), (None, None, None));
    }

    #[test]
    fn what_commands_announce() {
        assert_eq!(in_allo(b"1000 R 80"), Some(1000));
        assert_eq!((in_allo(b"x"), in_allo(b"1x")), (None, None));
        assert_eq!(in_rest(b"1048576"), Some(1_048_576));
        assert_eq!((in_rest(b"marker"), in_rest(b"")), (None, None));
    }
}
