//! Texts of peers made safe to show, and columns of text.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use ftpmon_event::text::is_disruptive;

/// A peer's text on one line, as nothing that a terminal or a browser acts on: `\n`, `\x1b`, `\u{202e}`.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            // XML has no U+FFFE and U+FFFF. Tags and marks without a width of their own would hide in the text or join what is beside them.
            c if is_disruptive(c) || c.width().unwrap_or(0) == 0 || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                match u32::from(c) {
                    number @ ..=0xff => out.extend(["\\x", &format!("{number:02x}")]),
                    _ => out.extend(c.escape_unicode()),
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// The first columns of a text, with `…` where it is longer.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > columns {
            break;
        }
        out.push(character);
    }
    out.push('…');
    out
}

/// The columns that a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// A text with spaces behind it up to a number of columns.
pub(super) fn padded(text: &str, columns: usize) -> String {
    let mut out = text.to_owned();
    out.extend(core::iter::repeat_n(' ', columns.saturating_sub(text.width())));
    out
}

/// A text in lines of at most so many columns, broken at spaces and between wide characters, where none is, anywhere.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0);
    for piece in pieces(text) {
        let width = piece.trim_end().width();
        if used > 0 && used + width > columns {
            lines.push(core::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        if width <= columns {
            line.push_str(piece);
            used += piece.width();
            continue;
        }
        for character in piece.chars() {
            let width = character.width().unwrap_or(0);
            if used + width > columns {
                lines.push(core::mem::take(&mut line));
                used = 0;
            }
            line.push(character);
            used += width;
        }
    }
    if !line.trim_end().is_empty() || lines.is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The parts of a text between which a line may end: words with the space behind them, and single wide characters with the
/// punctuation behind them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let mut previous: Option<char> = None;
        let end = rest.char_indices().find_map(|(at, character)| {
            let breaks = previous.is_some_and(|previous| may_break(previous, character));
            previous = Some(character);
            (at > 0 && breaks).then_some(at)
        });
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn may_break(before: char, after: char) -> bool {
    /// Marks that begin no line (GB/T 15834).
    const CLOSING: &str = "，。、；：？！）》」』”’…";
    /// Marks that end no line.
    const OPENING: &str = "（《「『“‘";
    let wide = |c: char| c.width() == Some(2);
    let is_within = CLOSING.contains(after) || OPENING.contains(before) || after == ' ';
    !is_within && (before == ' ' || wide(before) || wide(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_hostile_text_moves_a_cursor() {
        assert_eq!(
            shown("a\r\n\x1b[2J\u{9b}x\u{202e}y\u{200b}\\"),
            "a\\r\\n\\x1b[2J\\x9bx\\u{202e}y\\u{200b}\\\\"
        );
        assert_eq!(shown("Müsik 音乐"), "Müsik 音乐");
    }

    #[test]
    fn lines_break_at_spaces_and_between_wide_characters() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("onetwothree", 4), ["onet", "woth", "ree"]);
        assert_eq!(wrapped("客户端建立连接。", 8), ["客户端建", "立连接。"]);
        assert_eq!(wrapped("客户端建立连，接", 13), ["客户端建立", "连，接"]);
        assert_eq!(wrapped("", 8), [""]);
        for columns in 2..30 {
            let text = "SYN 段：客户端选择初始序列号 1000（相对值 0），and so on";
            assert!(wrapped(text, columns).iter().all(|line| line.width() <= columns.max(4)), "{columns}");
        }
    }

    #[test]
    fn what_is_too_long_ends_with_an_ellipsis() {
        assert_eq!((cut("abcdef", 6), cut("abcdef", 4)), ("abcdef".to_owned(), "abc…".to_owned()));
        assert_eq!(cut("音乐音乐", 5), "音乐…");
        assert_eq!(padded("音", 4), "音  ");
    }
}
