//! JSON strings (RFC 8259 section 7).

use ftpmon_event::text::{has_no, hex_digits};

/// Appends `text` in quotation marks, escaped as serde_json does it.
#[inline]
pub(super) fn append(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    if is_plain(bytes) {
        append_plain(text, out);
    } else {
        append_escaped(bytes, out);
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
pub(super) fn append_all<const N: usize>(parts: [&[u8]; N], out: &mut Vec<u8>) {
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

#[inline]
const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cold]
fn append_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for run in bytes.chunk_by(|&a, &b| !is_special(a) && !is_special(b)) {
        match run {
            &[byte] if is_special(byte) => append_escape(byte, out),
            run => out.extend_from_slice(run),
        }
    }
    out.push(b'"');
}

fn append_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let [high, low] = hex_digits(byte);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::append;

    fn appended(text: &str) -> String {
        let mut out = Vec::new();
        append(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_character_at_every_place_is_written_as_serde_json_does() {
        for len in 1..40 {
            for at in 0..len {
                for special in (0..=0x100).filter_map(char::from_u32) {
                    let text: String = (0..len).map(|i| if i == at { special } else { 'x' }).collect();
                    assert_eq!(appended(&text), serde_json::to_string(&text).unwrap());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_json_does(text: String) {
            prop_assert_eq!(appended(&text), serde_json::to_string(&text).unwrap());
        }
    }
}
