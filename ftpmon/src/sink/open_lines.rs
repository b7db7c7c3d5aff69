//! Lines of a write about which their reader has not decided.

use core::ops::Range;

use ftpmon_event::text::on_one_line;

use super::destination::Rejection;
use super::protocol::LineAnswer;

/// Characters of a reader's text that are shown.
const SHOWN_MAX: usize = 200;

/// Lines that a reader is to take.
pub(super) struct OpenLines {
    bytes: Vec<u8>,
    /// Those about which no answer has decided.
    open: Vec<Range<usize>>,
    /// The number of them, from the first on, that the reader was asked to take.
    asked: usize,
}

/// The outcome of an answer.
#[derive(Default)]
pub(super) struct Decided {
    /// Those that the reader will never take.
    pub(super) rejections: Vec<Rejection>,
    /// The reason why some stay open.
    pub(super) again: Option<String>,
}

impl OpenLines {
    /// All lines of `bytes`.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let (mut open, mut at) = (Vec::new(), 0);
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            if !text.is_empty() {
                open.push(at..at + text.len());
            }
            at += line.len();
        }
        Self { bytes: bytes.to_vec(), open, asked: 0 }
    }

    /// They are the begin of `bytes`.
    pub(super) fn begin(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&self.bytes)
    }

    /// The reader has decided about all of them.
    pub(super) const fn is_decided(&self) -> bool {
        self.open.is_empty()
    }

    /// The number of bytes of all lines.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The number of lines that the reader was asked to take.
    pub(super) fn asked(&self) -> usize {
        self.asked.min(self.open.len())
    }

    /// The first open lines: at least one, and as many as have `most_bytes` at most, `most` of them at most.
    pub(super) fn ask(&mut self, most: usize, most_bytes: usize) -> Vec<&[u8]> {
        let mut bytes = 0;
        let fits = |range: &&Range<usize>| {
            bytes += range.len();
            bytes <= most_bytes
        };
        self.asked = self.open.iter().take(most).take_while(fits).count().max(1);
        self.open.iter().take(self.asked).filter_map(|range| self.bytes.get(range.clone())).collect()
    }

    /// Decides about the lines that the reader was asked to take. One without an answer stays open.
    pub(super) fn decide(&mut self, line_answers: Vec<LineAnswer>) -> Decided {
        let (mut left, mut decided) = (Vec::new(), Decided::default());
        let asked = self.asked().min(line_answers.len());
        for (range, line_answer) in self.open.drain(..asked).zip(line_answers) {
            match line_answer {
                LineAnswer::Taken => {}
                LineAnswer::Refused(reason) => decided.rejections.push(Rejection {
                    // With its line feed.
                    bytes: range.start..range.end + 1,
                    reason: shown(reason.as_bytes()),
                }),
                LineAnswer::Again(reason) => {
                    left.push(range);
                    decided.again.get_or_insert(reason);
                }
            }
        }
        self.open.splice(..0, left);
        decided
    }
}

/// The begin of a text from the reader, without what disturbs a terminal.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text.get(..SHOWN_MAX * 4).unwrap_or(text));
    let begin: String = text.chars().take(SHOWN_MAX).collect();
    on_one_line(&begin).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_open_until_a_verdict() {
        let mut lines = OpenLines::new(b"one\n\ntwo\nthree\n");
        assert_eq!(lines.ask(9, 6), [b"one", b"two"]);
        let decided =
            lines.decide(vec![LineAnswer::Again("later".into()), LineAnswer::Refused("no\n".into())]);
        assert_eq!(decided.again.as_deref(), Some("later"));
        assert_eq!(decided.rejections, [Rejection { bytes: 5..9, reason: "no".into() }]);
        assert_eq!(lines.ask(9, 1), [b"one"], "at least one");
        assert_eq!(lines.ask(9, 99), [&b"one"[..], b"three"]);
        lines.decide(vec![LineAnswer::Taken]);
        assert_eq!(lines.ask(1, 99), [b"three"]);
        lines.decide(vec![LineAnswer::Taken]);
        assert!(lines.is_decided() && lines.begin(b"one\n\ntwo\nthree\nfour\n"));
        assert_eq!(lines.bytes(), 15);
    }
}
