use super::{Ending, Line, REPLY_TEXT_MAX, Reply, ReplyAssembler};

fn line(bytes: &[u8]) -> Line<'_> {
    Line { bytes, terminated: true, ..Line::default() }
}

/// The replies in a dialogue: `>` stands for the client speaking, `~` for a gap, `<` (last) for the stream's end.
fn replies(script: &[&str]) -> Vec<(Option<u16>, String, u32, Ending)> {
    let mut assembler = ReplyAssembler::new();
    let mut out: Vec<Reply<'_>> = Vec::new();
    let mut after_gap = false;
    for step in script {
        match *step {
            ">" => out.extend(assembler.client_spoke()),
            "~" => {
                assembler.gap();
                after_gap = true;
            }
            "<" => out.extend(assembler.finish()),
            text => {
                let after_gap = core::mem::take(&mut after_gap);
                out.extend(assembler.push(&Line { after_gap, ..line(text.as_bytes()) }));
            }
        }
    }
    out.into_iter()
        .map(|r| {
            (
                r.code.map(super::Code::number),
                String::from_utf8(r.text.into_owned()).unwrap(),
                r.lines,
                r.ending,
            )
        })
        .collect()
}

fn reply(code: u16, text: &str, lines: u32, ending: Ending) -> (Option<u16>, String, u32, Ending) {
    (Some(code), text.to_owned(), lines, ending)
}

#[test]
fn a_multi_line_reply_ends_with_its_own_code_only() {
    let got = replies(&[
        "211-Features:",
        " SIZE",
        "230 is text here",
        "  211 padded",
        "211-more",
        "211 End",
        "200 ok",
    ]);
    let text = "Features:\n SIZE\n230 is text here\n  211 padded\nmore\nEnd";
    assert_eq!(got, [reply(211, text, 6, Ending::Regular), reply(200, "ok", 1, Ending::Regular)]);
}

#[test]
fn a_bare_code_is_a_reply_and_ends_one() {
    assert_eq!(replies(&["220-", "a", "220"]), [reply(220, "\na\n", 3, Ending::Regular)]);
    assert_eq!(replies(&["220"]), [reply(220, "", 1, Ending::Regular)]);
}

#[test]
fn another_code_ends_a_reply_once_the_client_goes_on() {
    assert_eq!(replies(&["230-in", "226 done", ">"]), [reply(226, "in\ndone", 2, Ending::OtherCode)]);
    assert_eq!(replies(&["230-", "226", ">"]), [reply(226, "\n", 2, Ending::OtherCode)]);
    assert_eq!(replies(&["230-in", "226 done", "<"]), [reply(226, "in\ndone", 2, Ending::OtherCode)]);
}

#[test]
fn another_code_ends_a_reply_where_the_next_one_follows() {
    let got = replies(&["553-", "553- excluded", "150 Opening", "226 Done"]);
    assert_eq!(
        got,
        [reply(150, "\n excluded\nOpening", 3, Ending::OtherCode), reply(226, "Done", 1, Ending::Regular)]
    );
}

#[test]
fn lines_with_digits_are_text_where_the_own_end_comes() {
    let got = replies(&["220-Welcome", "404 Main Street", "555 1234 is our phone", "220-Users", "220 ok"]);
    let text = "Welcome\n404 Main Street\n555 1234 is our phone\nUsers\nok";
    assert_eq!(got, [reply(220, text, 5, Ending::Regular)]);
    let got = replies(&["230-in", "226 done", "215 UNIX", ">"]);
    assert_eq!(got, [reply(226, "in\ndone", 2, Ending::OtherCode), reply(215, "UNIX", 1, Ending::Regular)]);
}

#[test]
fn a_reply_without_end_gives_way_to_the_next() {
    let got = replies(&["230-Welcome", ">", "215 UNIX"]);
    assert_eq!(got, [reply(230, "Welcome", 1, Ending::Missing), reply(215, "UNIX", 1, Ending::Regular)]);
    let got = replies(&["230-Welcome", ">", "211-Features", "211 End"]);
    assert_eq!(
        got,
        [reply(230, "Welcome", 1, Ending::Missing), reply(211, "Features\nEnd", 2, Ending::Regular)]
    );
    assert_eq!(replies(&["230-Welcome", "<"]), [reply(230, "Welcome", 1, Ending::Missing)]);
}

#[test]
fn an_impatient_client_does_not_cut_a_reply() {
    let got = replies(&["220-a", ">", "b", ">", "220 c"]);
    assert_eq!(got, [reply(220, "a\nb\nc", 3, Ending::Regular)]);
}

#[test]
fn after_a_gap_the_next_reply_is_found() {
    let got = replies(&["230-in", "~", "tail of a line", "230 ok"]);
    assert_eq!(got, [reply(230, "in\ntail of a line\nok", 3, Ending::Regular)]);
    let got = replies(&["230-in", "~", "215 UNIX"]);
    assert_eq!(got, [reply(230, "in", 1, Ending::Missing), reply(215, "UNIX", 1, Ending::Regular)]);
    assert_eq!(replies(&["~", "ail of a line", "226 ok"]), [reply(226, "ok", 1, Ending::Regular)]);
}

#[test]
fn what_is_no_reply_by_form_is_flagged() {
    let mut assembler = ReplyAssembler::new();
    let mut one = |bytes: &'static [u8]| assembler.push(&line(bytes)).next().unwrap();
    assert_eq!((one(b"99 PASV").code, one(b"99 PASV").malformed), (None, true));
    let joined = one(b"230USER OK");
    assert_eq!(
        (joined.code.unwrap().number(), &*joined.text, joined.malformed),
        (230, &b"USER OK"[..], true)
    );
    assert!(one(b"999 x").malformed && one(b"999-x").malformed && !one(b"220 x").malformed);
    assert!(assembler.push(&line(b"")).next().is_none());
}

#[test]
fn a_reply_that_never_ends_is_capped() {
    let mut assembler = ReplyAssembler::new();
    assert_eq!(assembler.push(&line(b"220-")).count(), 0);
    let long = vec![b'x'; 1000];
    for _ in 0..1000 {
        assert_eq!(assembler.push(&line(&long)).count(), 0);
    }
    assert!(assembler.held() <= 2 * REPLY_TEXT_MAX);
    assert_eq!(assembler.push(&line(b"226 x")).count(), 0);
    let reply = assembler.client_spoke().pop().unwrap();
    assert_eq!((reply.text.len(), reply.lines, reply.truncated), (REPLY_TEXT_MAX, 1002, true));
    assert_eq!(reply.code.unwrap(), 226);
    assert_eq!(assembler.held(), 0);
}
