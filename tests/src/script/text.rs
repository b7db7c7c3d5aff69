//! Escapes of the script language, and payload out of thin air.

use anyhow::{Context as _, Result, bail};

/// The bytes that `text` stands for: UTF-8 as it is, and the escapes `\r \n \t \0 \\ \xHH`.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match rest.next() {
            Some('r') => out.push(b'\r'),
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('0') => out.push(0),
            Some('\\') => out.push(b'\\'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                let byte = u8::from_str_radix(&digits, 16)
                    .ok()
                    .filter(|_| digits.len() == 2)
                    .with_context(|| format!("\\x wants two hexadecimal digits, not {digits:?}"))?;
                out.push(byte);
            }
            other => bail!("unknown escape \\{}", other.map(String::from).unwrap_or_default()),
        }
    }
    Ok(out)
}

/// `len` bytes of a pattern whose period (251, a prime) fits no block size, from position `start` of the stream, so
/// that a byte in the wrong place shows.
pub fn pattern(start: u64, len: usize) -> Vec<u8> {
    (start..).take(len).map(|position| (position % 251) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes_stand_for_bytes() {
        assert_eq!(unescape(r"a\r\n\0\xff\\é").unwrap(), b"a\r\n\0\xff\\\xc3\xa9");
        for bad in [r"\", r"\q", r"\xf", r"\xgg"] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
    }
}
