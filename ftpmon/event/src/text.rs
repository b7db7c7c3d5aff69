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
            Err(_) => Self { text: SmolStr::from(lossy(bytes)), hex: Some(hex(bytes).into_boxed_str()) },
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

/// `bytes` with U+FFFD for each longest beginning of a character that is none, as [`String::from_utf8_lossy`] gives it. A peer may
/// send nothing else: each costs little.
fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(3 * bytes.len());
    let (mut run, mut at) = (0, 0);
    while at < bytes.len() {
        let (len, is_character) = character_at(bytes, at);
        if !is_character {
            append_characters(bytes.get(run..at).unwrap_or_default(), &mut text);
            text.push('\u{fffd}');
            run = at + len;
        }
        at += len;
    }
    append_characters(bytes.get(run..at).unwrap_or_default(), &mut text);
    text
}

/// Appends whole characters.
#[inline(always)]
fn append_characters(run: &[u8], text: &mut String) {
    match run {
        [] => {}
        // A byte that is a whole character is ASCII.
        [single] => text.push(char::from(*single)),
        run => text.push_str(as_utf8(run).unwrap_or_default()),
    }
}

/// The first bytes of characters that have more than one: how many more, and which values the second may have (the Unicode Standard,
/// table 3-7). No more for a byte that begins none.
#[expect(clippy::indexing_slicing, reason = "below the length, and while this is compiled")]
static FIRST_BYTES: [[u8; 3]; 256] = {
    let mut table = [[0; 3]; 256];
    let mut first = 0xc2;
    while first <= 0xf4 {
        table[first] = match first {
            0xc2..=0xdf => [1, 0x80, 0xbf],
            0xe0 => [2, 0xa0, 0xbf],
            0xed => [2, 0x80, 0x9f],
            0xe1..=0xec | 0xee | 0xef => [2, 0x80, 0xbf],
            0xf0 => [3, 0x90, 0xbf],
            0xf4 => [3, 0x80, 0x8f],
            _ => [3, 0x80, 0xbf],
        };
        first += 1;
    }
    table
};

/// The length of the character at an offset, or of the longest beginning of one, and whether it is whole.
#[inline(always)]
fn character_at(bytes: &[u8], at: usize) -> (usize, bool) {
    let byte = |offset: usize| bytes.get(at + offset).copied().unwrap_or_default();
    let first = byte(0);
    if first.is_ascii() {
        return (1, true);
    }
    let [more, lowest, highest] = FIRST_BYTES.get(usize::from(first)).copied().unwrap_or_default();
    let goes_on = |offset: usize| byte(offset) & 0xc0 == 0x80;
    match more {
        0 => (1, false),
        _ if byte(1) < lowest || byte(1) > highest => (1, false),
        1 => (2, true),
        _ if !goes_on(2) => (2, false),
        2 => (3, true),
        _ => (3 + usize::from(goes_on(3)), goes_on(3)),
    }
}

/// None of `bytes` is one that is `sought`. For texts as short as lines and the strings in them, most of which have none: a search
/// for where it is takes longer to begin than they last.
#[inline]
pub fn has_no(bytes: &[u8], sought: impl Fn(u8) -> bool + Copy) -> bool {
    let (blocks, tail) = bytes.as_chunks::<32>();
    if blocks.iter().any(|block| is_in(block, sought)) {
        return false;
    }
    // Bytes that fill no block are looked at from both ends: some twice.
    if let (Some(first), Some(last)) = (tail.first_chunk::<16>(), tail.last_chunk::<16>()) {
        return !is_in(first, sought) && !is_in(last, sought);
    }
    if let Some(last) = bytes.last_chunk::<16>() {
        return !is_in(last, sought);
    }
    if let (Some(first), Some(last)) = (tail.first_chunk::<8>(), tail.last_chunk::<8>()) {
        return !is_in(first, sought) && !is_in(last, sought);
    }
    !tail.iter().copied().any(sought)
}

/// A block has a byte that is sought. Without a branch: it becomes a few vector instructions.
#[inline(always)]
fn is_in<const N: usize>(block: &[u8; N], sought: impl Fn(u8) -> bool) -> bool {
    block.iter().fold(0, |found, byte| found | u8::from(sought(*byte))) != 0
}

/// Two of `bytes` in a row are what is `sought`. Without a branch, for many at a time: most texts have none.
#[inline(always)]
pub fn has_pair(bytes: &[u8], sought: impl Fn(u8, u8) -> bool) -> bool {
    let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
    pairs.fold(0, |found, (first, second)| found | u8::from(sought(*first, *second))) != 0
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
pub const fn hex_digits(byte: u8) -> [u8; 2] {
    [hex_digit(byte >> 4), hex_digit(byte & 0xf)]
}

const fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

#[cfg(test)]
mod tests {
    use super::{Text, has_no, has_pair, lossy};

    #[test]
    fn text_that_is_no_utf8_keeps_its_bytes() {
        let text = Text::from_bytes(b"caf\xe9");
        assert_eq!(text.text, "caf\u{fffd}");
        assert_eq!(text.hex.as_deref(), Some("636166e9"));
        assert_eq!(Text::from_bytes("café".as_bytes()).hex, None);
    }

    #[test]
    fn a_pair_anywhere_is_found() {
        for len in 2..50 {
            assert!(!has_pair(&vec![1; len], |a, b| (a == 0) & (b == 0)));
            for at in 0..len - 1 {
                let mut bytes = vec![1; len];
                bytes[at..at + 2].fill(0);
                assert!(has_pair(&bytes, |a, b| (a == 0) & (b == 0)), "byte {at} of {len}");
            }
        }
        assert!(!has_pair(&[], |_, _| true) && !has_pair(&[1], |_, _| true));
    }

    #[test]
    fn what_is_no_utf8_is_replaced_as_the_standard_library_does() {
        let bytes: Vec<u8> = (0..=0xff).collect();
        let heads = bytes.iter().flat_map(|a| bytes.iter().map(|b| vec![*a, *b]));
        let ends: [&[u8]; 9] = [
            b"",
            b"x",
            b"\x80",
            b"\xbf\xbf",
            b"\xbf\xbf\xbf",
            b"\xc3",
            b"\x80\xe2\x82",
            b"\xf0\x9f",
            b"\xc3\xa9",
        ];
        for head in heads {
            for end in ends {
                let bytes = [b"a", head.as_slice(), end].concat();
                assert_eq!(lossy(&bytes), String::from_utf8_lossy(&bytes), "{bytes:x?}");
            }
        }
    }

    #[test]
    fn one_byte_anywhere_is_found() {
        for len in 0..100 {
            assert!(has_no(&vec![1; len], |byte| byte == 0));
            for at in 0..len {
                let mut bytes = vec![1; len];
                bytes[at] = 0;
                assert!(!has_no(&bytes, |byte| byte == 0), "byte {at} of {len}");
            }
        }
    }
}
