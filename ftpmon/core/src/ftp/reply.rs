//! Replies: the server's lines joined into complete replies (RFC 959 section 4.2).

use std::borrow::Cow;

use super::code::Code;
use super::line::Line;

/// The text of a reply longer than this many bytes keeps its head and is flagged; lines go on being counted. Bounds
/// what a server that never ends a multi-line reply can make the monitor hold.
pub const REPLY_TEXT_MAX: usize = 64 * 1024;

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The reply code; none where the line does not begin with three digits. A multi-line reply that ends with another
    /// code than it began with has the code of its last line, since clients act on that.
    pub code: Option<Code>,
    /// All lines joined by LF, without the reply's code and the separator where a line begins with them. Borrowed
    /// from the line where there is but one.
    pub text: Cow<'a, [u8]>,
    /// Number of lines.
    pub lines: u32,
    /// Some of the text is missing: a line or the whole was too long, or a gap fell into it.
    pub truncated: bool,
    /// The line has not the form of a reply: no code, none of a class that exists, or nothing that separates it from
    /// the text.
    pub malformed: bool,
    /// The form of its end.
    pub ending: Ending,
}

impl Reply<'_> {
    /// The text without what may continue unseen: of a truncated reply, the digits and commas at its end are dropped,
    /// since a number that touches the end may have more digits. Empty where lines may be missing in between.
    pub fn certain_text(&self) -> &[u8] {
        if !self.truncated {
            return &self.text;
        }
        if self.lines > 1 {
            return &[];
        }
        let number = |byte: &u8| byte.is_ascii_digit() || *byte == b',';
        let end = self.text.iter().rposition(|byte| !number(byte)).map_or(0, |at| at + 1);
        self.text.get(..end).unwrap_or_default()
    }
}

/// The form of a reply's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// As RFC 959 has it: one line, or a last line with the code of the first and a space.
    Regular,
    /// A multi-line reply ended with a line of another code and a space.
    OtherCode,
    /// A multi-line reply did not end: the next reply began, or the stream was over.
    Missing,
}

/// The replies that one line completes: two where it shows that the open reply had ended before it, else at most one.
#[derive(Debug, Default)]
pub struct Completed<'a> {
    first: Option<Reply<'a>>,
    second: Option<Reply<'a>>,
}

impl<'a> Iterator for Completed<'a> {
    type Item = Reply<'a>;

    fn next(&mut self) -> Option<Reply<'a>> {
        self.first.take().or_else(|| self.second.take())
    }
}

/// Joins a server's lines into replies.
///
/// A multi-line reply begins with `NNN-` and ends with `NNN ` or `NNN` alone, the same code; lines between may say
/// anything. Servers exist that end it with another code (`230-…`, `226 done`) or not at all. A line that begins with
/// another code and a space is therefore text at first, as the RFC wants it, and taken for the end, or for the next
/// reply, when the dialogue shows that it was:
/// * it is the last line, and the client goes on ([`client_spoke`](Self::client_spoke)) or the stream ends: it was
///   the end;
/// * another line like it follows at once: the first was the end, the second is the next reply;
/// * the client had spoken, or a gap had come, since the line before it: the open reply never ended, and the line is
///   the next one.
///
/// An empty line outside of a multi-line reply says nothing and is skipped. After a gap, so is everything up to the
/// first line that has a reply's form: it is the tail of what was never seen.
#[derive(Debug, Default)]
pub struct ReplyAssembler {
    open: Option<Box<Open>>,
}

/// A multi-line reply whose end was not seen yet.
#[derive(Debug)]
struct Open {
    code: Code,
    text: Vec<u8>,
    lines: u32,
    truncated: bool,
    /// Another code with which the last line began, and where in `text` that line starts.
    other: Option<(Code, usize)>,
    /// The client spoke, or bytes were lost, since the last line.
    interrupted: bool,
}

/// A line split into code, separator and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CodeAndText<'a> {
    code: Code,
    separator: Separator,
    text: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Separator {
    /// A space, or the line's end: the line is a reply's last.
    Last,
    /// A hyphen: more lines follow.
    More,
    /// Neither.
    Absent,
}

impl<'a> CodeAndText<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let code = Code::at_head(line)?;
        let (separator, text) = match line.get(3..).unwrap_or_default() {
            [] => (Separator::Last, &[][..]),
            [b' ', text @ ..] => (Separator::Last, text),
            [b'-', text @ ..] => (Separator::More, text),
            text => (Separator::Absent, text),
        };
        Some(Self { code, separator, text })
    }

    /// It has the form of a reply line, unlike prose that begins with a number.
    fn is_reply(&self) -> bool {
        self.code.is_assigned() && self.separator != Separator::Absent
    }
}

impl ReplyAssembler {
    /// An assembler at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the server's next line.
    pub fn push<'a>(&mut self, line: &Line<'a>) -> Completed<'a> {
        let head = CodeAndText::parse(line.bytes);
        let mut first = None;
        if let Some(open) = &mut self.open {
            match head {
                Some(head) if head.code == open.code && head.separator != Separator::Absent => {
                    open.add(head.text, line);
                    if head.separator == Separator::More {
                        return Completed::default();
                    }
                    let reply = self.open.take().map(|open| open.complete(Ending::Regular));
                    return Completed { first: reply, second: None };
                }
                Some(head) if head.is_reply() && (open.interrupted || open.other.is_some()) => {
                    first = self.open.take().map(|open| open.complete_before_next());
                }
                Some(head) if head.is_reply() && head.separator == Separator::Last => {
                    let at = open.text.len() + 1; // behind the LF
                    open.add(line.bytes, line);
                    open.other = Some((head.code, at));
                    return Completed::default();
                }
                _ => {
                    open.add(line.bytes, line);
                    return Completed::default();
                }
            }
        }
        Completed { first, second: self.begin(head, line) }
    }

    /// The client sent a command. Returns the open reply where its last line can be its end, since the client has
    /// treated it as such.
    pub fn client_spoke(&mut self) -> Option<Reply<'static>> {
        let open = self.open.as_mut()?;
        open.interrupted = true;
        open.other?;
        self.open.take().map(|open| open.complete(Ending::OtherCode))
    }

    /// Lines are missing here.
    pub fn gap(&mut self) {
        if let Some(open) = &mut self.open {
            open.interrupted = true;
            open.truncated = true;
        }
    }

    /// The stream ended. Returns the open reply.
    pub fn finish(&mut self) -> Option<Reply<'static>> {
        self.open.take().map(|open| open.complete_before_next())
    }

    /// A multi-line reply has begun whose end was not seen yet.
    pub fn is_mid_reply(&self) -> bool {
        self.open.is_some()
    }

    /// Bytes of memory held beyond the assembler itself, at most [`REPLY_TEXT_MAX`], rounded up, and a small fixed
    /// part.
    pub fn held(&self) -> usize {
        self.open.as_ref().map_or(0, |open| size_of::<Open>() + open.text.capacity())
    }

    /// Starts a reply with a line that belongs to no open one.
    fn begin<'a>(&mut self, head: Option<CodeAndText<'a>>, line: &Line<'a>) -> Option<Reply<'a>> {
        if line.after_gap && !head.is_some_and(|head| head.is_reply()) {
            return None;
        }
        let truncated = !line.has_end();
        let (code, text, malformed) = match head {
            None if line.bytes.is_empty() => return None,
            None => (None, line.bytes, true),
            Some(head) if head.separator == Separator::More && head.is_reply() => {
                let mut open = Box::new(Open::new(head.code));
                open.add(head.text, line);
                self.open = Some(open);
                return None;
            }
            Some(head) => {
                let malformed = head.code.class().is_none() || head.separator != Separator::Last;
                (Some(head.code), head.text, malformed)
            }
        };
        let text = Cow::Borrowed(text);
        Some(Reply { code, text, lines: 1, truncated, malformed, ending: Ending::Regular })
    }
}

impl Open {
    const fn new(code: Code) -> Self {
        Self { code, text: Vec::new(), lines: 0, truncated: false, other: None, interrupted: false }
    }

    fn add(&mut self, text: &[u8], line: &Line<'_>) {
        self.truncated |= !line.has_end();
        self.other = None;
        self.interrupted = false;
        if self.lines > 0 {
            self.keep(b"\n");
        }
        self.keep(text);
        self.lines = self.lines.saturating_add(1);
    }

    fn keep(&mut self, text: &[u8]) {
        let room = REPLY_TEXT_MAX - self.text.len();
        let kept = text.get(..room).unwrap_or(text);
        self.text.extend_from_slice(kept);
        self.truncated |= kept.len() < text.len();
    }

    /// The next reply began, or none will: the last line was the end if it could be.
    fn complete_before_next(self) -> Reply<'static> {
        let ending = if self.other.is_some() { Ending::OtherCode } else { Ending::Missing };
        self.complete(ending)
    }

    fn complete(mut self, ending: Ending) -> Reply<'static> {
        if let Some((code, at)) = self.other {
            self.code = code;
            // The code and its separator go, as far as the cap let them in.
            let start = at.min(self.text.len());
            let end = (at + 4).min(self.text.len());
            self.text.drain(start..end);
        }
        Reply {
            code: Some(self.code),
            text: Cow::Owned(self.text),
            lines: self.lines,
            truncated: self.truncated,
            malformed: false,
            ending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, Line, REPLY_TEXT_MAX, Reply, ReplyAssembler};

    fn line(bytes: &[u8]) -> Line<'_> {
        Line { bytes, truncated: false, terminated: true, after_gap: false, nul: false }
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
            [
                reply(150, "\n excluded\nOpening", 3, Ending::OtherCode),
                reply(226, "Done", 1, Ending::Regular)
            ]
        );
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
        let reply = assembler.client_spoke().unwrap();
        assert_eq!((reply.text.len(), reply.lines, reply.truncated), (REPLY_TEXT_MAX, 1002, true));
        assert_eq!(reply.code.unwrap(), 226);
        assert_eq!(assembler.held(), 0);
    }
}
