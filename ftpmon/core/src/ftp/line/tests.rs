//! Lines of plain text, of Telnet, behind gaps and beyond the cap.

use super::{LINE_MAX, LineSplitter};

type Owned = (Vec<u8>, bool, bool, bool, bool);

fn split(pieces: &[&[u8]]) -> Vec<Owned> {
    let mut splitter = LineSplitter::new();
    let mut out = Vec::new();
    for piece in pieces {
        let mut lines = splitter.feed(piece);
        while let Some(line) = lines.next() {
            out.push((line.bytes.to_vec(), line.truncated, line.terminated, line.after_gap, line.stripped));
        }
    }
    if let Some(line) = splitter.finish() {
        out.push((line.bytes.to_vec(), line.truncated, line.terminated, line.after_gap, line.stripped));
    }
    splitter.free_if_handed_out();
    assert_eq!(splitter.held(), 0);
    out
}

/// The lines' bytes, once from one segment and once from one-byte segments.
fn bytes(input: &[u8]) -> Vec<Vec<u8>> {
    let whole = split(&[input]);
    assert_eq!(whole, split(&input.chunks(1).collect::<Vec<_>>()), "cut differently");
    whole.into_iter().map(|line| line.0).collect()
}

#[test]
fn line_ends() {
    assert_eq!(bytes(b"a\r\nb\nc\r\r\nd\re\r\0f\n\n\r\n"), [&b"a"[..], b"b", b"c", b"d\re\rf", b"", b""]);
    assert_eq!(split(&[b"a\r\nrest\r"])[1], (b"rest".to_vec(), false, false, false, false));
    assert_eq!(split(&[b"a\n\r\0"]).len(), 1);
}

#[test]
fn a_plain_line_is_not_copied() {
    let input = b"USER x\r\nPASS y\r\n";
    let mut splitter = LineSplitter::new();
    let mut lines = splitter.feed(input);
    assert_eq!(lines.next().unwrap().bytes.as_ptr(), input.as_ptr());
    assert_eq!(lines.next().unwrap().bytes.as_ptr(), input[8..].as_ptr());
    assert!(lines.next().is_none());
    assert_eq!(splitter.held(), 0);
}

#[test]
fn telnet_goes_and_latin_1_stays() {
    assert_eq!(bytes(b"\xff\xf4\xff\xf2ABOR\r\n"), [b"ABOR"]);
    assert_eq!(bytes(b"A\xff\xfb\x01B\xff\xffC\r\n"), [b"AB\xffC"]);
    assert_eq!(bytes(b"RETR \xffa.txt\xff\r\n"), [b"RETR \xffa.txt\xff"]);
    assert_eq!(bytes(b"\xff\xfdPPASS x\n"), [b"PASS x"], "an option that is not assigned");
    assert_eq!(
        bytes(b"x\xff\xfb\nQUIT\r\n"),
        [&b"x\xff\xfb"[..], b"QUIT"],
        "a line's end is never swallowed"
    );
    assert_eq!(bytes(b"a\r\xff\xf1\nb\n"), [b"a", b"b"], "NOP within CRLF");
}

#[test]
fn subnegotiations_go_where_they_end() {
    assert_eq!(bytes(b"A\xff\xfa\x18\x00xterm\xff\xf0B\r\n"), [b"AB"]);
    assert_eq!(bytes(b"A\xff\xfatext\r\nB\n"), [&b"A\xff\xfatext"[..], b"B"]);
    let mut long = b"\xff\xfa".to_vec();
    long.resize(400, b'x');
    let kept = long.clone();
    long.extend_from_slice(b"\xff\xf0\n");
    assert_eq!(bytes(&long), [kept]);
}

#[test]
fn what_telnet_can_make_of_a_line_is_flagged() {
    let flags = |input: &[u8]| {
        let mut splitter = LineSplitter::new();
        let mut lines = splitter.feed(input);
        let mut flags = Vec::new();
        while let Some(line) = lines.next() {
            flags.push(line.ambiguous);
        }
        flags
    };
    assert_eq!(flags(b"A\xff\xfb\x01B\xff\xf4\nC\n"), [false, false]);
    assert_eq!(flags(b"PX\xff\xf7ASS x\nC\n"), [true, false], "EC");
    assert_eq!(flags(b"NOOP \xff\xf8PASS x\nC\n"), [true, false], "EL");
    assert_eq!(flags(b"P\xff\xfb\nASS x\nC\n"), [true, true, false], "the option is an LF");
    assert_eq!(flags(b"P\xff\xfb\rASS x\nC\n"), [true, false], "the option is a CR");
    assert_eq!(flags(b"P\xff\xfa\n\xff\xf0ASS x\nC\n"), [true, true, false], "an LF in a subnegotiation");
    assert_eq!(flags(b"P\xff\xfax\xff\xf0ASS x\nC\n"), [false, false]);
}

#[test]
fn a_long_line_keeps_its_head_and_spares_the_next() {
    for extra in [0, 1, 5000] {
        let mut input = vec![b'x'; LINE_MAX + extra];
        input.extend_from_slice(b"\r\nnext\r\n");
        for lines in [split(&[&input]), split(&input.chunks(1).collect::<Vec<_>>())] {
            assert_eq!((lines[0].0.len(), lines[0].1), (LINE_MAX, extra > 0));
            assert_eq!((lines[1].0.as_slice(), lines[1].1), (&b"next"[..], false));
        }
    }
}

#[test]
fn a_gap_cuts_a_line_and_marks_the_next() {
    let mut splitter = LineSplitter::new();
    assert!(splitter.feed(b"USER anony").next().is_none());
    assert!(splitter.is_mid_line());
    let cut = splitter.gap().unwrap();
    assert_eq!((cut.bytes, cut.terminated, cut.after_gap), (&b"USER anony"[..], false, false));
    let mut lines = splitter.feed(b"ous\r\nPASS x\r\n");
    assert!(lines.next().unwrap().after_gap);
    assert!(!lines.next().unwrap().after_gap);
    assert!(lines.next().is_none());
    assert!(splitter.gap().is_none(), "between lines nothing is cut");
    assert!(splitter.feed(b"QUIT\r\n").next().unwrap().after_gap);
}

#[test]
fn what_is_left_can_be_taken_back() {
    let mut splitter = LineSplitter::new();
    let mut lines = splitter.feed(b"234 go\r\n\x16\x03\x01");
    assert_eq!(lines.next().unwrap().bytes, b"234 go");
    assert_eq!(lines.rest(), b"\x16\x03\x01");
}

#[test]
fn empty_lines_are_skipped_where_nothing_else_is() {
    let mut splitter = LineSplitter::new();
    let mut lines = splitter.feed(b"\r\n\n\r\n\r\r\n\rQUIT\r\n\n");
    assert_eq!(lines.next().unwrap().bytes, b"");
    assert_eq!(lines.skip_empty_lines(), 3);
    assert_eq!(lines.skip_empty_lines(), 0);
    assert_eq!(lines.next().unwrap().bytes, b"QUIT");
    assert_eq!(lines.skip_empty_lines(), 1);
    assert!(lines.next().is_none());
}

#[test]
fn empty_lines_of_nul_and_telnet_are_skipped_where_all_read_them_so() {
    let skipped = |input: &[u8]| {
        let mut splitter = LineSplitter::new();
        let mut lines = splitter.feed(input);
        assert!(lines.next().unwrap().bytes.is_empty());
        lines.skip_empty_lines()
    };
    assert_eq!(skipped(b"\n\xff\xf1\n\0\r\n\xff\xf4\xff\xf2\nABOR\n"), 3);
    assert_eq!(skipped(b"\n\xff\xf7\n\n"), 0, "EC erases in some programs");
    assert_eq!(skipped(b"\n\xff\xfb\n\n"), 0, "an option may be an LF");
    assert_eq!(skipped(b"\n\xff\xff\n"), 0, "data");
    assert_eq!(skipped(b"\n\xff\xf1"), 0, "its end was not seen");
}

#[test]
fn bytes_that_were_taken_out_are_told() {
    let stripped = |input: &[u8]| split(&[input])[0].4;
    assert!(stripped(b"A\0B\n") && stripped(b"A\xff\xf1\n") && stripped(b"\xff\xfa\x18\xff\xf0\n"));
    assert!(!stripped(b"AB\r\n"));
}
