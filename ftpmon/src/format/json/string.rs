//! JSON strings (RFC 8259 section 7).

use ftpmon_event::text::{has_no, is_disruptive};

/// Appends `text` in quotation marks, escaped as serde_json does it and with
/// [`is_disruptive`] characters escaped as well.
#[inline]
pub(super) fn append(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    if is_plain(bytes) {
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

/// No byte needs escaping.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    has_no(bytes, is_special)
}

/// Quotation mark, backslash, or a byte of what [`is_disruptive`] may say: controls, DEL and whatever is not ASCII. As a signed
/// number a byte that is not ASCII is below the space as controls are.
#[inline]
const fn is_special(byte: u8) -> bool {
    (byte.cast_signed() < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

#[cold]
fn append_escaped(text: &str, out: &mut Vec<u8>) {
    // A peer may send nothing but such characters.
    out.reserve(2 * text.len() + 2);
    out.push(b'"');
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        // Of what is not ASCII, only characters with these first bytes are escaped.
        if !is_special(byte) || !(byte.is_ascii() || byte == 0xc2 || byte == 0xe2) {
            at += 1;
            continue;
        }
        let Some(character) = text.get(at..).and_then(|from| from.chars().next()) else { break };
        let end = at + character.len_utf8();
        if character.is_ascii() || is_disruptive(character) {
            out.extend_from_slice(bytes.get(plain..at).unwrap_or_default());
            append_escape(character, out);
            plain = end;
        }
        at = end;
    }
    out.extend_from_slice(bytes.get(plain..).unwrap_or_default());
    out.push(b'"');
}

#[inline]
fn append_escape(character: char, out: &mut Vec<u8>) {
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        _ => {
            // All that is escaped has four digits.
            let [_, _, high, low] = u32::from(character).to_be_bytes();
            let [a, b, c, d] = [high >> 4, high & 15, low >> 4, low & 15].map(hex_digit);
            out.extend_from_slice(&[b'\\', b'u', a, b, c, d]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

const fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
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
