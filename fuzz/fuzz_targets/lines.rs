//! Any bytes, cut anywhere: the lines are those of the same bytes in one piece, and what is held stays under its cap.
//!
//! Input: two bytes that choose where it is cut, then the stream.
#![no_main]

use ftpmon_core::ftp::{Command, LINE_MAX, Line, LineSplitter};
use libfuzzer_sys::fuzz_target;

type Owned = (Vec<u8>, bool, bool, bool);

fn owned(line: &Line<'_>) -> Owned {
    assert!(line.bytes.len() <= LINE_MAX);
    assert!(!line.bytes.contains(&b'\n') && !line.bytes.contains(&0));
    if let Some(command) = Command::from_line(line) {
        assert!(command.name.len() + command.arg.map_or(0, |arg| arg.len() + 1) <= line.bytes.len());
        assert!(command.verb.spelt(command.name).len() <= 3 * LINE_MAX);
        if let Some((word, rest)) = command.sub_command() {
            assert!(word.len() + rest.len() <= line.bytes.len());
        }
    }
    (line.bytes.to_vec(), line.truncated, line.terminated, line.stripped)
}

/// The lines of a stream that comes in pieces of a length that changes from one to the next.
fn lines(stream: &[u8], first: usize, grow: usize) -> Vec<Owned> {
    let mut splitter = LineSplitter::new();
    let mut out = Vec::new();
    let (mut rest, mut length) = (stream, first.max(1));
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(length.min(rest.len()));
        rest = tail;
        length = (length - 1 + grow) % 97 + 1;
        let mut given = splitter.feed(piece);
        while let Some(line) = given.next() {
            out.push(owned(&line));
        }
        // The cap, a subnegotiation in it, and what a growing buffer rounds up to.
        assert!(splitter.held() <= 4 * LINE_MAX);
    }
    out.extend(splitter.finish().map(|line| owned(&line)));
    out
}

fuzz_target!(|input: &[u8]| {
    let [first, grow, stream @ ..] = input else { return };
    let whole = lines(stream, stream.len(), 0);
    assert_eq!(whole, lines(stream, usize::from(*first), usize::from(*grow)));
    assert_eq!(whole, lines(stream, 1, 97));
});
