//! Text from a peer, made safe for an event: UTF-8 text, and the original bytes beside it where they were something else.

use smol_str::SmolStr;

/// A peer's bytes as UTF-8. Bytes that are no valid UTF-8 become U+FFFD in `text`; then `hex` holds all the original
/// bytes in lower-case hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text, always valid UTF-8.
    pub text: SmolStr,
    /// The original bytes in hexadecimal, only where `text` lost something.
    pub hex: Option<Box<str>>,
}

impl Text {
    /// Decodes `bytes` as UTF-8 (RFC 2640 section 2.2), keeping the original where that loses something.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match as_utf8(bytes) {
            Ok(text) => Self { text: SmolStr::new(text), hex: None },
            Err(_) => Self {
                text: SmolStr::from(String::from_utf8_lossy(bytes).as_ref()),
                hex: Some(hex(bytes).into_boxed_str()),
            },
        }
    }
}

/// `bytes` as text, if they are any. Nearly all that peers say is ASCII, which is quicker seen than UTF-8 is checked.
fn as_utf8(bytes: &[u8]) -> Result<&str, core::str::Utf8Error> {
    if bytes.is_ascii() {
        // SAFETY: ASCII is valid UTF-8.
        return Ok(unsafe { core::str::from_utf8_unchecked(bytes) });
    }
    core::str::from_utf8(bytes)
}

/// Bytes that are looked at together: what every processor's vector registers hold.
const BLOCK: usize = 16;
const HALF: usize = 8;

/// None of `bytes` is one that is `sought`. For texts as short as lines and the strings in them, most of which have none: a search
/// for where it is takes longer to begin than they last.
#[inline]
pub fn has_no(bytes: &[u8], sought: impl Fn(u8) -> bool + Copy) -> bool {
    let (blocks, tail) = bytes.as_chunks::<BLOCK>();
    let mut found = [0; BLOCK];
    for block in blocks {
        note(&mut found, block, sought);
    }
    if !tail.is_empty() {
        // The last block again, with the bytes behind it.
        let Some(last) = bytes.last_chunk::<BLOCK>() else { return short_has_no(tail, sought) };
        note(&mut found, last, sought);
    }
    u128::from_ne_bytes(found) == 0
}

/// The same of bytes that fill no block.
#[inline]
fn short_has_no(bytes: &[u8], sought: impl Fn(u8) -> bool + Copy) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk::<HALF>(), bytes.last_chunk::<HALF>()) else {
        return !bytes.iter().copied().any(sought);
    };
    let mut found = [0; HALF];
    note(&mut found, first, sought);
    note(&mut found, last, sought);
    u64::from_ne_bytes(found) == 0
}

/// Notes at which places of a block a byte is sought. Without a branch, and with one answer for all blocks: it becomes a few vector
/// instructions.
#[inline(always)]
fn note<const N: usize>(found: &mut [u8; N], block: &[u8; N], sought: impl Fn(u8) -> bool) {
    for (found, byte) in found.iter_mut().zip(block) {
        *found |= u8::from(sought(*byte));
    }
}

/// A character that could change how a terminal or a log viewer shows what is around it: a control character of C0 or C1, DEL, a
/// separator of lines or paragraphs, or one that turns the direction of writing. No format writes it as it is.
pub const fn is_disruptive(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// A text with a space for each character that is [disruptive](is_disruptive): it stays on its line.
pub fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if is_disruptive(c) { ' ' } else { c }).collect()
}

/// Lower-case hexadecimal of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    let digits: Vec<[u8; 2]> = bytes.iter().map(|byte| hex_digits(*byte)).collect();
    String::from_utf8(digits.into_flattened()).unwrap_or_default()
}

/// The two lower-case hexadecimal digits of a byte.
pub fn hex_digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0xf].map(|value| if value < 10 { b'0' + value } else { b'a' + value - 10 })
}

#[cfg(test)]
mod tests {
    use super::{Text, has_no};

    #[test]
    fn text_that_is_no_utf8_keeps_its_bytes() {
        let text = Text::from_bytes(b"caf\xe9");
        assert_eq!(text.text, "caf\u{fffd}");
        assert_eq!(text.hex.as_deref(), Some("636166e9"));
        assert_eq!(Text::from_bytes("café".as_bytes()).hex, None);
    }
    #[test]
    fn one_byte_anywhere_is_found() {
        for len in 0..50 {
            assert!(has_no(&vec![1; len], |byte| byte == 0));
            for at in 0..len {
                let mut bytes = vec![1; len];
                bytes[at] = 0;
                assert!(!has_no(&bytes, |byte| byte == 0), "byte {at} of {len}");
            }
        }
    }
}
