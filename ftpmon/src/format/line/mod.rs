//! The longest line (`--max-line`): a line that is longer has its longest texts cut until it fits.
//!
//! | file | what |
//! |---|---|
//! | `object` | lines that are JSON objects: `truncated` and `NAME_bytes` (`NAME_count` for a list) are added for a cut member |
//! | `row` | lines of tab-separated values: a cut value ends with `[NAME bytes]`, its whole length |
//! | `share` | how much each text of a line keeps |

mod object;
mod row;
mod share;

/// Longest line without `--max-line`, bytes, its line feed included: what log shippers take as they come.
pub const LINE_BYTES_DEFAULT: u32 = 64 << 10;
/// Shortest cap that `--max-line` takes: more than the parts of a line that are not cut, numbers above all.
pub const LINE_BYTES_MIN: u32 = 8 << 10;
/// Longest cap that `--max-line` takes, and longest line that is read from a file of events.
pub const LINE_BYTES_MAX: u32 = 16 << 20;

/// Cuts every line of `out` from `from` on that has more than `max` bytes.
#[cold]
pub(super) fn limit(out: &mut Vec<u8>, from: usize, max: usize) {
    let lines = out.split_off(from.min(out.len()));
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        if line.len() <= max {
            out.extend_from_slice(line);
            continue;
        }
        let whole = line.strip_suffix(b"\n").unwrap_or(line);
        let room = max.saturating_sub(1);
        match object::cut(whole, room) {
            Some(cut) => out.extend_from_slice(&cut),
            None => row::cut(whole, room, out),
        }
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests;
