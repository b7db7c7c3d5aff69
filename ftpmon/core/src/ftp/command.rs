//! Commands: a verb and at most one argument (RFC 959 section 4.1).

use super::line::Line;
use super::number;
use super::verb::Verb;
use crate::text::has_no;

/// A longer first word is no verb by form. The RFCs' verbs have three or four letters, the longest in use seven.
const VERB_MAX: usize = 16;

/// A command line taken apart.
///
/// The verb ends at the first white space; leading white space is skipped. One byte of white space separates it from its
/// argument. All further ones belong to the argument (RFC 2640 section 3.1), trailing ones included: a file name may end
/// with a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// The verb.
    pub verb: Verb,
    /// Its name as the client spelt it; empty in an empty line.
    pub name: &'a [u8],
    /// The argument; none if no space follows the verb, empty where nothing follows the space.
    pub arg: Option<&'a [u8]>,
    /// The line has not the form of a command: the verb does not begin with a letter, has something other than
    /// letters and digits in it or more than 16 bytes, stands behind white space or before any but a space, or the line has
    /// control characters other than tabs in its argument.
    pub malformed: bool,
    /// The end of the line is missing: it was too long, or cut by a gap or the end of the stream. `arg` is its head:
    /// it may be shown, but nothing must be learned from it.
    pub cut: bool,
}

/// A part of a file, as GridFTP's commands name it (GFD.020).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Offset of the part's first byte in the file.
    pub offset: u64,
    /// Length of the part, bytes; none if the sender decides.
    pub len: Option<u64>,
    /// The file.
    pub path: &'a [u8],
}

impl<'a> Command<'a> {
    /// Parses a line. None if the line follows a gap and does not begin with a known verb: it is the tail of a line
    /// whose head was not seen.
    pub fn from_line(line: &Line<'a>) -> Option<Self> {
        let mut command = Self::parse(line.bytes);
        command.cut = !line.has_end();
        (!line.after_gap || command.verb != Verb::Other).then_some(command)
    }

    /// Parses the bytes of a whole line.
    pub fn parse(line: &'a [u8]) -> Self {
        let is_white_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c);
        let start = line.iter().position(|byte| !is_white_space(byte)).unwrap_or(line.len());
        let text = line.get(start..).unwrap_or_default();
        let (name, arg) = match text.iter().position(is_white_space) {
            Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
            None => (text, None),
        };
        let separated = arg.is_none() || text.get(name.len()) == Some(&b' ');
        // A file name may have a tab in it.
        let has_controls = |arg: &[u8]| !has_no(arg, is_control_but_tab);
        let malformed =
            text.len() < line.len() || !is_verb(name) || !separated || arg.is_some_and(has_controls);
        Self { verb: Verb::from_name(name), name, arg, malformed, cut: false }
    }

    /// The argument, where it is complete and not empty. Only a complete argument may change session state.
    pub fn whole_arg(&self) -> Option<&'a [u8]> {
        self.arg.filter(|arg| !self.cut && !arg.is_empty())
    }

    /// The part of a file that `ERET P offset length path` fetches, or `ESTO A offset path` stores. None for any other
    /// command: the arguments of other modules are not specified.
    pub fn part(&self) -> Option<Part<'a>> {
        let words = match self.verb {
            Verb::Eret => 4,
            Verb::Esto => 3,
            _ => return None,
        };
        let mut words = self.whole_arg()?.splitn(words, |&byte| byte == b' ');
        let (module, offset) = (words.next()?, number::whole(words.next()?)?);
        let len = match self.verb {
            Verb::Eret if module.eq_ignore_ascii_case(b"P") => Some(number::whole(words.next()?)?),
            Verb::Esto if module.eq_ignore_ascii_case(b"A") => None,
            _ => return None,
        };
        let path = words.next().filter(|path| !path.is_empty())?;
        Some(Part { offset, len, path })
    }

    /// The first word of the argument and what follows the space after it, as in SITE and OPTS.
    pub fn sub_command(&self) -> Option<(&'a [u8], &'a [u8])> {
        let arg = self.whole_arg()?.trim_ascii_start();
        let end = arg.iter().position(u8::is_ascii_whitespace).unwrap_or(arg.len());
        Some((arg.get(..end)?, arg.get(end + 1..).unwrap_or_default()))
    }
}

const fn is_control_but_tab(byte: u8) -> bool {
    ((byte < 0x20) & (byte != b'\t')) | (byte == 0x7f)
}

fn is_verb(name: &[u8]) -> bool {
    name.len() <= VERB_MAX
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::{Command, Line, Verb};

    fn parse(line: &str) -> (Verb, Option<&str>, bool) {
        let command = Command::parse(line.as_bytes());
        (command.verb, command.arg.map(|arg| core::str::from_utf8(arg).unwrap()), command.malformed)
    }

    #[test]
    fn one_space_separates_the_argument() {
        assert_eq!(parse("retr  two spaces "), (Verb::Retr, Some(" two spaces "), false));
        assert_eq!(parse("PASS "), (Verb::Pass, Some(""), false));
        assert_eq!(parse("QUIT"), (Verb::Quit, None, false));
        assert_eq!(parse("n"), (Verb::Other, None, false));
    }

    #[test]
    fn what_has_not_the_form_of_a_command_is_flagged_and_still_read() {
        assert_eq!(parse("  USER x"), (Verb::User, Some("x"), true));
        assert_eq!(parse("RETR\tx"), (Verb::Retr, Some("x"), true));
        assert_eq!(parse("\u{b}RETR\u{b}x"), (Verb::Retr, Some("x"), true));
        assert_eq!(parse(""), (Verb::Other, None, true));
        assert_eq!(parse("123 x"), (Verb::Other, Some("x"), true));
        assert_eq!(parse("GET / HTTP/1.1"), (Verb::Other, Some("/ HTTP/1.1"), false));
        assert_eq!(parse("RETR a\tb"), (Verb::Retr, Some("a\tb"), false));
        assert!(parse("RETR a\u{1}b").2);
        assert!(parse(&"A".repeat(17)).2);
    }

    #[test]
    fn after_a_gap_only_known_verbs_are_believed() {
        let line = |bytes| Line { bytes, terminated: true, after_gap: true, ..Line::default() };
        assert_eq!(Command::from_line(&line(b"ile.txt")), None);
        assert_eq!(Command::from_line(&line(b"QUIT")).unwrap().verb, Verb::Quit);
    }

    #[test]
    fn nothing_is_learned_from_a_cut_line() {
        let line = Line { bytes: b"PORT 1,2,3,4,5,6", ..Line::default() };
        let command = Command::from_line(&line).unwrap();
        assert!(command.cut && command.arg.is_some() && command.whole_arg().is_none());
    }

    #[test]
    fn parts_of_files_have_an_offset() {
        let part = |line: &'static str| {
            let part = Command::parse(line.as_bytes()).part()?;
            Some((part.offset, part.len, core::str::from_utf8(part.path).unwrap()))
        };
        assert_eq!(part("ERET P 1000 500 /a b.bin"), Some((1000, Some(500), "/a b.bin")));
        assert_eq!(part("eret p 0 0  x"), Some((0, Some(0), " x")));
        assert_eq!(part("ESTO A 4294967296 up 7 x"), Some((1 << 32, None, "up 7 x")));
        for other in [
            "ERET P 0 100",
            "ERET P 0 100 ",
            "ERET P x 100 a",
            "ERET P 0 -1 a",
            "ERET PX 0 100 a",
            "ERET A 0 a",
            "ESTO P 0 1 a",
            "ESTO A a",
            "ERET",
            "ERET P 99999999999999999999 1 a",
            "RETR P 0 1 a",
        ] {
            assert_eq!(part(other), None, "{other}");
        }
    }

    #[test]
    fn site_has_a_sub_command() {
        let command = Command::parse(b"SITE chmod 644 a b");
        assert_eq!(command.sub_command(), Some((&b"chmod"[..], &b"644 a b"[..])));
        assert_eq!(Command::parse(b"SITE HELP").sub_command(), Some((&b"HELP"[..], &b""[..])));
        assert_eq!(Command::parse(b"SITE").sub_command(), None);
    }
}
