//! Output as its formats must have it: each line parses.

use ftpmon::format::Format;

/// Fields of an xferlog line before the name of the user, spaces in names replaced.
const XFERLOG_FIELDS: usize = 18;

/// The output of a format is whole lines of UTF-8 without characters that lead a terminal, and each line parses.
pub fn assert_parses(format: Format, out: &[u8]) {
    let text = std::str::from_utf8(out).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'), "{}: a line without an end", format.name());
    if let Some(leads) = text.chars().find(|it| leads_a_terminal(*it)) {
        panic!("{}: {leads:?} in {text:?}", format.name());
    }
    let mut columns = None;
    for line in text.lines() {
        match format {
            Format::Json | Format::Eve | Format::ZeekJson | Format::Ecs => {
                serde_json::from_str::<serde_json::Value>(line).expect("JSON");
            }
            Format::Zeek => match line.strip_prefix("#fields\t") {
                Some(fields) => columns = Some(fields.split('\t').count()),
                None if line.starts_with('#') => {}
                None => {
                    let own = line.split('\t').count();
                    assert_eq!(columns.unwrap_or(own), own, "zeek: {line}");
                }
            },
            Format::Cef => assert!(line.starts_with("CEF:0|") && header_bars(line) >= 7, "cef: {line}"),
            Format::Xferlog => {
                assert!(
                    line.split(' ').filter(|word| !word.is_empty()).count() >= XFERLOG_FIELDS,
                    "xferlog: {line}"
                );
            }
            _ => {}
        }
    }
}

/// Bars that are not escaped.
fn header_bars(line: &str) -> usize {
    let (mut escaped, mut bars) = (false, 0);
    for byte in line.bytes() {
        bars += usize::from(byte == b'|' && !escaped);
        escaped = byte == b'\\' && !escaped;
    }
    bars
}

/// Controls, line and paragraph separators, and marks of direction.
fn leads_a_terminal(it: char) -> bool {
    matches!(it, '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || (it.is_control() && it != '\n' && it != '\t')
}
