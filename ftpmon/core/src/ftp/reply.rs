//! Replies: the server's lines joined into complete replies (RFC 959 section 4.2).

use std::borrow::Cow;

use super::code::Code;
use super::line::Line;

/// The text of a reply longer than this many bytes is cut and flagged; its lines are still counted. Bounds
/// what a server that never ends a multi-line reply can make the monitor hold.
pub const REPLY_TEXT_MAX: usize = 64 * 1024;

/// Lines with another code that one multi-line reply is asked about. Stops a server that never ends one.
const OTHERS_MAX: usize = 64;

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The reply code; none if the line does not begin with three digits. A multi-line reply that ends with another
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

/// The replies that one line completes: those before it where it shows that the open reply had ended, and its own.
#[derive(Debug, Default)]
pub struct Completed<'a> {
    first: std::vec::IntoIter<Reply<'static>>,
    last: Option<Reply<'a>>,
}

impl<'a> Iterator for Completed<'a> {
    type Item = Reply<'a>;

    fn next(&mut self) -> Option<Reply<'a>> {
        self.first.next().or_else(|| self.last.take())
    }
}

/// Joins a server's lines into replies.
///
/// A multi-line reply begins with `NNN-` and ends with `NNN ` or `NNN` alone, the same code; lines between may say
/// anything. Servers exist that end it with another code (`230-…`, `226 done`) or not at all. A line that begins with
/// another code and a space is therefore text at first, as the RFC wants it, and taken for the end, or for the next
/// reply, when the dialogue shows that it was:
/// * it is the last line, and the client sends its next command ([`client_spoke`](Self::client_spoke)) or the stream
///   ends: it was the end;
/// * 1yz is followed by 2yz to 5yz at once: the first was the end, the second the final reply of a transfer;
/// * several lines like it are there when the client sends its next command or the stream ends: the first was the
///   end, each other one is a reply;
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
    /// The last lines, as far as each begins with another code and a space.
    others: Vec<OtherCode>,
    /// Since the last line, the client sent something or bytes were lost.
    interrupted: bool,
}

/// A line of a multi-line reply that begins with another code and a space.
#[derive(Clone, Copy, Debug)]
struct OtherCode {
    code: Code,
    /// The offset of the line in the reply's text.
    start: usize,
    truncated: bool,
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
        let mut first = Vec::new();
        if let Some(open) = &mut self.open {
            match head {
                Some(head) if head.code == open.code && head.separator != Separator::Absent => {
                    open.add(head.text, line);
                    if head.separator == Separator::More {
                        return Completed::default();
                    }
                    let reply = self.open.take().map(|open| open.complete(Ending::Regular));
                    return Completed {
                        first: reply.into_iter().collect::<Vec<_>>().into_iter(),
                        last: None,
                    };
                }
                Some(head) if head.is_reply() && (open.interrupted || open.ends_before(head.code)) => {
                    first = self.open.take().map_or_else(Vec::new, |open| open.complete_before_next());
                }
                Some(head) if head.is_reply() && head.separator == Separator::Last => {
                    let start = open.text.len() + 1; // behind the LF
                    open.append(line.bytes, line);
                    if open.others.len() < OTHERS_MAX {
                        open.others.push(OtherCode { code: head.code, start, truncated: !line.has_end() });
                    }
                    return Completed::default();
                }
                _ => {
                    open.add(line.bytes, line);
                    return Completed::default();
                }
            }
        }
        Completed { first: first.into_iter(), last: self.begin(head, line) }
    }

    /// Adds so many empty lines: text of an open reply, else nothing.
    pub fn push_empty_lines(&mut self, count: usize) {
        if let Some(open) = self.open.as_mut().filter(|_| count > 0) {
            open.others.clear();
            open.interrupted = false;
            open.lines = open.lines.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            let kept = count.min(REPLY_TEXT_MAX - open.text.len());
            open.text.resize(open.text.len() + kept, b'\n');
            open.truncated |= kept < count;
        }
    }

    /// The client sent a command. Returns the open reply, and those behind it, where a line with
    /// another code can be its end: the client has treated it as such.
    pub fn client_spoke(&mut self) -> Vec<Reply<'static>> {
        let Some(open) = &mut self.open else { return Vec::new() };
        open.interrupted = true;
        if open.others.is_empty() {
            return Vec::new();
        }
        self.open.take().map_or_else(Vec::new, |open| open.complete_before_next())
    }

    /// Lines are missing here.
    pub fn gap(&mut self) {
        if let Some(open) = &mut self.open {
            open.interrupted = true;
            open.truncated = true;
        }
    }

    /// The stream ended. Returns the open reply, and those behind its end.
    pub fn finish(&mut self) -> Vec<Reply<'static>> {
        self.open.take().map_or_else(Vec::new, |open| open.complete_before_next())
    }

    /// A multi-line reply has begun whose end was not seen yet.
    pub fn is_mid_reply(&self) -> bool {
        self.open.is_some()
    }

    /// Bytes of memory held beyond the assembler itself, at most [`REPLY_TEXT_MAX`], rounded up, and a small fixed
    /// part.
    pub fn held(&self) -> usize {
        self.open.as_ref().map_or(0, |open| {
            size_of::<Open>() + open.text.capacity() + open.others.capacity() * size_of::<OtherCode>()
        })
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
        Self { code, text: Vec::new(), lines: 0, truncated: false, others: Vec::new(), interrupted: false }
    }

    /// Adds a line of the reply: lines with another code before it were text.
    fn add(&mut self, text: &[u8], line: &Line<'_>) {
        self.others.clear();
        self.append(text, line);
    }

    fn append(&mut self, text: &[u8], line: &Line<'_>) {
        self.truncated |= !line.has_end();
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

    /// A line with this code begins the next reply: the last line was preliminary, and this code is its final one.
    fn ends_before(&self, code: Code) -> bool {
        self.others.last().is_some_and(|other| other.code.is_preliminary()) && !code.is_preliminary()
    }

    /// No line of the reply's own code ends it: the first line with another code did, and each behind it is a reply.
    fn complete_before_next(mut self) -> Vec<Reply<'static>> {
        let others = core::mem::take(&mut self.others);
        let Some((end, later)) = others.split_first() else {
            return vec![self.complete(Ending::Missing)];
        };
        let ends = later.iter().map(|other| other.start.saturating_sub(1)).skip(1).chain([self.text.len()]);
        let replies = later.iter().zip(ends).map(|(other, end)| Reply {
            code: Some(other.code),
            text: Cow::Owned(without_code(&self.text, other.start, end).to_vec()),
            lines: 1,
            truncated: other.truncated || end >= REPLY_TEXT_MAX,
            malformed: false,
            ending: Ending::Regular,
        });
        let replies: Vec<_> = replies.collect();
        let until = later.first().map_or(self.text.len(), |next| next.start.saturating_sub(1));
        self.text.truncate(until);
        self.lines -= u32::try_from(later.len()).unwrap_or(0).min(self.lines);
        self.code = end.code;
        let start = end.start.min(self.text.len());
        // The code and its separator go, as far as the cap let them in.
        let behind = (end.start + 4).min(self.text.len());
        self.text.drain(start..behind);
        core::iter::once(self.complete(Ending::OtherCode)).chain(replies).collect()
    }

    fn complete(self, ending: Ending) -> Reply<'static> {
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

/// The text of a line that starts here with a code and a separator.
fn without_code(text: &[u8], start: usize, end: usize) -> &[u8] {
    let end = end.min(text.len());
    text.get((start + 4).min(end)..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
