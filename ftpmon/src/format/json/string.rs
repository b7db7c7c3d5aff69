//! JSON strings (RFC 8259 section 7).

use ftpmon_event::text::{has_no, hex_digits, is_disruptive};

/// Appends `text` in quotation marks, escaped as serde_json does it and with
/// [`is_disruptive`] characters escaped as well.
#[inline]
pub(super) fn append(text: &str, out: &mut Vec<u8>) {
    // Nearly all texts are plain ASCII, which is quicker seen.
    if has_no(text.as_bytes(), |byte| is_special(byte) | !byte.is_ascii()) || is_plain(text.as_bytes()) {
        append_plain(text, out);
    } else {
        append_escaped(text, out);
    }
}

/// Appends `text`, which needs no escaping, in quotation marks.
#[inline]
pub(super) fn append_plain(text: &str, out: &mut Vec<u8>) {
    append_all([b"\"", text.as_bytes(), b"\""], out);
}

/// Appends what stands before a member (a bracket or a comma), its name, which needs no escaping, and its colon.
#[inline]
pub(super) fn append_name(before: u8, name: &str, out: &mut Vec<u8>) {
    append_all([&[before, b'"'], name.as_bytes(), b"\":"], out);
}

/// Appends one part after the other. What makes up a line is short: to look for room once for several parts saves more
/// than copying them costs.
#[inline(always)]
pub(in crate::format) fn append_all<const N: usize>(parts: [&[u8]; N], out: &mut Vec<u8>) {
    out.reserve(parts.iter().map(|part| part.len()).sum());
    let mut end = out.len();
    for part in parts {
        // SAFETY: all parts have room behind what `out` holds, and none of them lies there, since `out` is borrowed mutably.
        unsafe { core::ptr::copy_nonoverlapping(part.as_ptr(), out.as_mut_ptr().add(end), part.len()) };
        end += part.len();
    }
    // SAFETY: the bytes up to `end` were written.
    unsafe { out.set_len(end) };
}

/// No character needs escaping, and none has the first byte of one that does.
#[cold]
fn is_plain(bytes: &[u8]) -> bool {
    has_no(bytes, |byte| (is_special(byte) & byte.is_ascii()) | (byte & !0x20 == 0xc2))
}

/// Quotation mark, backslash, control, DEL. As a signed number a byte that is not ASCII is below the space as controls are.
#[inline]
const fn is_special(byte: u8) -> bool {
    (byte.cast_signed() < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

/// An ASCII character in a string: what is written for it, and the number of bytes.
type Written = ([u8; WRITTEN_MAX], usize);

const WRITTEN_MAX: usize = 6;

/// The text for each byte that is no first byte of a disruptive character.
#[expect(clippy::indexing_slicing, reason = "below the length, and while this is compiled")]
static WRITTEN: [Written; 256] = {
    let mut table = [([0; WRITTEN_MAX], 1); 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = written(byte as u8);
        byte += 1;
    }
    table
};

const fn written(byte: u8) -> Written {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x8 => b'b',
        0xc => b'f',
        0..0x20 | 0x7f => return (escape(byte as u16), WRITTEN_MAX),
        _ => return ([byte, 0, 0, 0, 0, 0], 1),
    };
    ([b'\\', short, 0, 0, 0, 0], 2)
}

/// The escape of a character of at most 16 bits.
const fn escape(character: u16) -> [u8; WRITTEN_MAX] {
    let [high, low] = character.to_be_bytes();
    let ([a, b], [c, d]) = (hex_digits(high), hex_digits(low));
    [b'\\', b'u', a, b, c, d]
}

/// JSON of another writer with its [disruptive](is_disruptive) characters escaped, as [`append`] does it. They stand in strings only, line
/// feeds between them aside.
pub(crate) fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match u16::try_from(u32::from(character)) {
            Ok(short) if character != '\n' && is_disruptive(character) => {
                out.extend(escape(short).map(char::from));
            }
            _ => out.push(character),
        }
    }
    out
}

/// Bytes that are written at a time.
const BUFFERED: usize = 128;

/// A peer may send nothing but such characters: each costs a copy of fixed length.
#[cold]
fn append_escaped(text: &str, out: &mut Vec<u8>) {
    out.reserve(2 * text.len() + 2);
    out.push(b'"');
    let mut buffer = [0; BUFFERED];
    let (mut end, mut rest) = (0, text.as_bytes());
    while let Some((&byte, behind)) = rest.split_first() {
        let Some(room) = buffer.get_mut(end..).and_then(|room| room.first_chunk_mut()) else {
            out.extend_from_slice(buffer.get(..end).unwrap_or_default());
            end = 0;
            continue;
        };
        let disruptive = if byte & !0x20 == 0xc2 { disruptive_at_head(rest) } else { None };
        let (written, len);
        (written, len, rest) = match disruptive {
            Some((character, behind)) => (escape(character), WRITTEN_MAX, behind),
            None => {
                let (written, len) = WRITTEN.get(usize::from(byte)).copied().unwrap_or_default();
                (written, len, behind)
            }
        };
        *room = written;
        end += len;
    }
    out.extend_from_slice(buffer.get(..end).unwrap_or_default());
    out.push(b'"');
}

/// The [disruptive](is_disruptive) character of two or three bytes that a text begins with, and what is behind it. All have 16 bits.
fn disruptive_at_head(text: &[u8]) -> Option<(u16, &[u8])> {
    let (character, behind) = match text {
        [0xc2, second, behind @ ..] => (u16::from(*second), behind),
        [0xe2, second, third, behind @ ..] => {
            (0x2000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f), behind)
        }
        _ => return None,
    };
    char::from_u32(character.into()).is_some_and(is_disruptive).then_some((character, behind))
}

#[cfg(test)]
pub(super) mod tests {
    use ftpmon_event::text::is_disruptive;
    use proptest::prelude::*;

    use super::append;

    /// serde_json's text, with what it leaves as it is and this writer does not. Such characters stand in strings only.
    pub(in crate::format::json) fn without_disruption(json: &str) -> String {
        json.chars().fold(String::new(), |mut out, c| {
            if is_disruptive(c) {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            } else {
                out.push(c);
            }
            out
        })
    }

    fn appended(text: &str) -> String {
        let mut out = Vec::new();
        append(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn expected(text: &str) -> String {
        without_disruption(&serde_json::to_string(text).unwrap())
    }

    #[test]
    fn every_character_at_every_place_is_written_as_serde_json_does() {
        let others =
            ['\u{2027}', '\u{2028}', '\u{202a}', '\u{202e}', '\u{202f}', '\u{2066}', '\u{2069}', '\u{206a}'];
        for len in 1..40 {
            for at in 0..len {
                for special in (0..=0x100).filter_map(char::from_u32).chain(others) {
                    let text: String = (0..len).map(|i| if i == at { special } else { 'x' }).collect();
                    assert_eq!(appended(&text), expected(&text));
                }
            }
        }
    }

    #[test]
    fn what_could_mislead_a_terminal_or_a_viewer_is_escaped() {
        assert_eq!(appended("a\u{9b}31m\u{7f}"), r#""a\u009b31m\u007f""#);
        assert_eq!(appended("gpj\u{202e}.exe\u{2069}\u{2028}"), r#""gpj\u202e.exe\u2069\u2028""#);
        assert_eq!(appended("caf\u{e9} \u{20ac}"), "\"caf\u{e9} \u{20ac}\"", "other text stays as it is");
        let all = (0..=0x10_ffff).filter_map(char::from_u32);
        assert!(all.clone().filter(|&c| is_disruptive(c)).all(|c| !appended(&c.to_string()).contains(c)));
        assert_eq!(all.filter(|&c| is_disruptive(c)).count(), 32 + 33 + 7 + 4);
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_json_does(text: String) {
            prop_assert_eq!(appended(&text), expected(&text));
        }
    }
}
