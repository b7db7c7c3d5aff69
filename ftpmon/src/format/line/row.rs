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
    /// Bytes of the text that it stands for.
    text: usize,
}

fn units(value: &[u8]) -> impl Iterator<Item = Unit> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let rest = value.get(at..).filter(|rest| !rest.is_empty())?;
        let (written, text) = match rest {
            [b'\\', b'x', _, _, ..] => (4, 1),
            [b'\\', _, ..] => (2, 1),
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
