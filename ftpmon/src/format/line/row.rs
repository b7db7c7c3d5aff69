//! Lines of tab-separated values.

use std::io::Write as _;

use super::share;

/// Room for the mark of a value that was cut.
const MARK: usize = "[18446744073709551615 bytes]".len();

/// Appends `line` with its longest values cut, so that it has `room` bytes at most.
pub(super) fn cut(line: &[u8], room: usize, out: &mut Vec<u8>) {
    let values = || line.split(|&byte| byte == b'\t');
    let tabs = values().count().saturating_sub(1);
    let mut lengths: Vec<usize> = values().map(<[u8]>::len).collect();
    let cap = share::cap(&mut lengths, room.saturating_sub(tabs));
    for (i, value) in values().enumerate() {
        if i > 0 {
            out.push(b'\t');
        }
        if value.len() <= cap {
            out.extend_from_slice(value);
            continue;
        }
        let mut kept = 0;
        let mut bytes = 0_usize;
        for unit in units(value) {
            bytes += unit.text;
            if kept + unit.written <= cap.saturating_sub(MARK) && unit.at == kept {
                kept += unit.written;
            }
        }
        out.extend_from_slice(value.get(..kept).unwrap_or_default());
        // Writing to a vector cannot fail.
        let _ = write!(out, "[{bytes} bytes]");
    }
}

/// A unit that is never cut: a character, or an escape sequence.
struct Unit {
    at: usize,
    /// Bytes in the line.
    written: usize,
    /// Bytes of the text that it represents.
    text: usize,
}

fn units(value: &[u8]) -> impl Iterator<Item = Unit> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let rest = value.get(at..).filter(|rest| !rest.is_empty())?;
        let (written, text) = match rest {
            [b'\\', b'x', _, _, ..] => (4, 1),
            [b'\\', following, ..] if following.is_ascii() => (2, 1),
            // Some formats write a backslash as it is: the next character may have several bytes.
            [_, following @ ..] => {
                let more = following.iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
                (1 + more, 1 + more)
            }
            [] => return None,
        };
        let unit = Unit { at, written, text };
        at += written;
        Some(unit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_or_escape_sequence_is_cut() {
        for (unit, text) in [("a", 1), ("\\x0a", 1), ("\\n", 1), ("ü", 2), ("\\ü", 3), ("\\\u{fffd}", 4)] {
            let separate = unit.starts_with('\\') && !unit.is_ascii();
            let line = unit.repeat(100);
            for room in MARK..100 {
                let mut out = Vec::new();
                cut(line.as_bytes(), room, &mut out);
                let out = String::from_utf8(out).unwrap();
                let kept = out.strip_suffix(&format!("[{} bytes]", 100 * text)).unwrap();
                assert!(out.len() <= room, "{unit} {room}: {out}");
                assert!(separate || kept.len().is_multiple_of(unit.len()), "{unit} {room}: {out}");
            }
        }
    }
}
