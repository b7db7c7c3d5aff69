//! Secrets in command lines: where a server may find one.
//!
//! Servers differ in what they take for a command: some skip bytes before the verb, some end a line at CR, some take passwords
//! behind words of SITE. A place counts as a secret's if any of them would read one there.

mod signs;

use self::signs::{Found, Sign, has_a_beginning, signs};
use super::command::Command;
use super::verb::Verb;
use crate::text::has_no;

/// Words with which servers take passwords behind SITE, and some as commands of their own. RFC 959 section 4.1.3 leaves
/// them to each server. Others have a part that [`Sign`] tells: PASSWD, CHPASS, GPASS, PSWD, CHPWD, SETPW, and those that make an
/// account, which takes its password: ADDUSER, GADDUSER, NEWUSER.
const WORDS: [&[u8]; 2] = [b"LOGIN", b"AUTH"];

/// Words that name the working directory.
const DIRECTORY_WORDS: [&[u8]; 2] = [b"PWD", b"XPWD"];

/// Endings of PASS and ACCT in words that are no secrets.
const ENDINGS: [&[u8]; 4] = [b"", b"WD", b"WORD", b"PHRASE"];

/// Bytes of a verb, or of a word of SITE, that is examined. A longer one with a [`Sign`] in it counts as one that takes a secret. Stops
/// segments of what looks like one.
const NAME_MAX: usize = 64;

/// Pieces between control characters that are looked at. What is behind them counts as a secret. Stops a line of nothing else.
const PIECES_MAX: usize = 32;

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// The offset of the first letters without which no line has the place of a secret: those of the verbs that take one, of SITE's words,
/// of USER.
pub fn first_sign(text: &[u8]) -> Option<usize> {
    if !has_a_beginning(text) {
        return None;
    }
    signs(text).find(|found| found.sign != Sign::Making).map(|found| found.start)
}

/// A place of a secret may be in this text.
pub fn may_be_in(text: &[u8]) -> bool {
    first_sign(text).is_some()
}

/// The places of a command where a server may find a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places<'a> {
    /// The argument cut where a secret begins: what may be shown, and the secret. None if it holds none.
    pub argument: Option<(&'a [u8], &'a [u8])>,
    /// The name cut where it runs into a secret, as in `PASS=secret`: what may be shown, and the rest, which is empty where it does
    /// not.
    pub name: (&'a [u8], &'a [u8]),
    /// The verb is none that is known, but a server may find one in it whose argument is a secret.
    pub in_unknown_verb: bool,
}

impl<'a> Places<'a> {
    /// Those of a command. Found once a command: a peer may send a segment of what looks like them.
    pub fn of(command: &Command<'a>) -> Self {
        let in_unknown_verb = is_like_a_secret_verb(command);
        let name = if in_unknown_verb { cut_name(command.name) } else { (command.name, &[][..]) };
        Self { argument: in_argument(command, in_unknown_verb), name, in_unknown_verb }
    }

    /// Those of a command whose secrets may be shown.
    pub const fn none_of(command: &Command<'a>) -> Self {
        Self { argument: None, name: (command.name, &[]), in_unknown_verb: false }
    }

    /// It has a secret in its argument, or its verb may take one.
    pub const fn has_secret(&self) -> bool {
        self.argument.is_some() || self.in_unknown_verb
    }
}

fn in_argument<'a>(command: &Command<'a>, in_unknown_verb: bool) -> Option<(&'a [u8], &'a [u8])> {
    let arg = command.arg?;
    if in_unknown_verb || command.verb.has_secret_argument() {
        return arg.split_at_checked(0);
    }
    if command.verb != Verb::User && !may_be_in(command.name) && !may_be_in(arg) {
        return None;
    }
    let starts = [in_known_argument(command.verb, arg), quoted(command, arg), behind_control(command, arg)];
    let start = starts.into_iter().flatten().min()?;
    arg.split_at_checked(start)
}

/// The verb or the word of SITE takes a secret, or USER's argument has one.
fn direct(command: &Command<'_>, arg: &[u8]) -> Option<usize> {
    if command.verb.has_secret_argument() || is_like_a_secret_verb(command) {
        return Some(0);
    }
    in_known_argument(command.verb, arg)
}

/// The word of SITE takes a secret, or USER's argument has one.
fn in_known_argument(verb: Verb, arg: &[u8]) -> Option<usize> {
    match verb {
        Verb::Site => behind_word(arg),
        Verb::User => behind_user(arg),
        _ => None,
    }
}

/// The start of the secret behind SITE's word.
fn behind_word(arg: &[u8]) -> Option<usize> {
    let start = arg.iter().position(|byte| is_letter(*byte))?;
    let word = word_at(arg, start);
    let secret = start + word.len() + 1;
    (is_secret_word(word) && secret <= arg.len()).then_some(secret)
}

/// The start of the secret in USER's argument: in `user:password@host`, and behind the first word, where some clients put it.
fn behind_user(arg: &[u8]) -> Option<usize> {
    let start = arg.iter().position(|byte| *byte != b' ')?;
    let at = memchr::memrchr(b'@', arg).unwrap_or(0);
    let colon = memchr::memchr(b':', arg).filter(|colon| *colon < at);
    let space = memchr::memchr2(b' ', b'\t', arg.get(start..)?).map(|space| start + space);
    let secret = [colon, space].into_iter().flatten().min()? + 1;
    (!arg.get(secret..)?.trim_ascii().is_empty()).then_some(secret)
}

/// The start of the secret of a command that an unknown word goes before, as where one types QUOTE PASS.
fn quoted(command: &Command<'_>, arg: &[u8]) -> Option<usize> {
    if command.verb != Verb::Other {
        return None;
    }
    let inner = Command::parse(arg);
    let of_inner = inner.arg.filter(|_| inner.verb != Verb::Other).and_then(|inner_arg| {
        let start = direct(&inner, inner_arg)?;
        Some(arg.len() - inner_arg.len() + start)
    });
    let named = behind_login_word(arg);
    [of_inner, named].into_iter().flatten().min()
}

/// The start of the secret behind a control character, where some servers end the line: what follows is a command of its own to
/// them.
fn behind_control(command: &Command<'_>, arg: &[u8]) -> Option<usize> {
    let is_control = |byte: &u8| byte.is_ascii_control();
    let first = match command.malformed {
        // What separates it from the verb may be one.
        true => 0,
        false if has_no(arg, |byte| (byte < 0x20) | (byte == 0x7f)) => return None,
        false => arg.iter().position(is_control)?,
    };
    let rest = arg.get(first..)?;
    if !may_be_in(rest) {
        return None;
    }
    let named = login_verb(rest).map(|verb| first + verb.end + 1).filter(|start| *start <= arg.len());
    let mut line_start = first;
    let of_a_line = rest.split(is_control).enumerate().find_map(|(number, line)| {
        if number >= PIECES_MAX {
            return Some(line_start);
        }
        let end = line_start + line.len();
        line_start = end + 1;
        let inner = Command::parse(line);
        let inner_arg = inner.arg?;
        Some(end - inner_arg.len() + direct(&inner, inner_arg)?)
    });
    [named, of_a_line].into_iter().flatten().min()
}

/// SITE's word, or an unknown verb, takes a password.
fn is_secret_word(word: &[u8]) -> bool {
    if word.len() > NAME_MAX {
        return may_be_in(word);
    }
    let is_one_of = |words: &[&[u8]]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    let (mut takes_one, mut account, mut making) = (is_one_of(&WORDS), false, false);
    for found in signs(word) {
        takes_one |= matches!(found.sign, Sign::Pass | Sign::PasswordPart);
        account |= found.sign == Sign::Account;
        making |= found.sign == Sign::Making;
    }
    (takes_one || (account && making)) && !is_one_of(&DIRECTORY_WORDS)
}

/// No verb that is known, but a server may find one in it whose argument is a secret.
fn is_like_a_secret_verb(command: &Command<'_>) -> bool {
    if command.verb != Verb::Other || !may_be_in(command.name) {
        return false;
    }
    if command.name.len() > NAME_MAX {
        return true;
    }
    let word = first_word(command.name);
    login_verb(command.name).is_some() || Verb::from_name(word).has_secret_argument() || is_secret_word(word)
}

/// A name like a secret verb, cut where it runs into a secret.
fn cut_name(name: &[u8]) -> (&[u8], &[u8]) {
    let whole = (name, &[][..]);
    if name.len() > NAME_MAX {
        let sign = signs(name).find(|found| found.sign != Sign::Making);
        return sign.and_then(|sign| name.split_at_checked(sign.end)).unwrap_or(whole);
    }
    if let Some(verb) = login_verb(name) {
        let cut = name.split_at_checked(verb.end);
        return cut
            .filter(|(_, rest)| !ENDINGS.iter().any(|end| end.eq_ignore_ascii_case(rest)))
            .unwrap_or(whole);
    }
    let start = name.iter().position(|byte| is_letter(*byte)).unwrap_or(0);
    name.split_at_checked(start + first_word(name).len()).unwrap_or(whole)
}

/// The letters PASS or ACCT, or those of a word that takes a password, stand in this order in a line whose bytes a server may
/// erase one by one (Telnet's EC and EL).
pub fn may_be_left_of(line: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] = [b"PASS", b"ACCT", b"PSWD", b"ADAT", b"ENC", b"MIC", b"CONF", b"USER"];
    WORDS.iter().any(|word| {
        let mut bytes = line.iter();
        word.iter().all(|letter| bytes.any(|byte| byte.eq_ignore_ascii_case(letter)))
    })
}

/// A password as it was meant: without the `-` by which clients ask for short replies, and without quotes.
pub fn bare(secret: &[u8]) -> &[u8] {
    let secret = secret.trim_ascii();
    let secret = secret.strip_prefix(b"-").unwrap_or(secret);
    match secret {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        secret => secret,
    }
}

/// The parts of a secret that a server may repeat, the whole first. `is_whole_line`: only control characters divide it,
/// where some servers end a line, and bytes that are no ASCII, which some take for blanks; else blanks do so too, and marks
/// around a field, as in `//bob:secret@host`. A verb is none of them, nor is a part of such a line that has neither letter nor digit.
pub fn parts(secret: &[u8], is_whole_line: bool) -> impl Iterator<Item = &[u8]> {
    let divides =
        move |byte: &u8| byte.is_ascii_control() || !byte.is_ascii() || (!is_whole_line && *byte == b' ');
    let pieces = core::iter::once(secret).chain(secret.split(divides)).map(bare);
    pieces
        .flat_map(move |piece| [piece, unmarked(piece)].into_iter().chain(fields(piece, is_whole_line)))
        .filter(move |part| {
            is_whole_line || part.len() == secret.len() || part.iter().any(|byte| is_letter(*byte))
        })
        .filter(|part| Verb::from_name(part) == Verb::Other)
}

/// The fields between marks, if there are any.
fn fields(piece: &[u8], is_whole_line: bool) -> impl Iterator<Item = &[u8]> {
    let is_mark = |byte: &u8| matches!(byte, b':' | b'=' | b',' | b'/' | b'@');
    let divided = if is_whole_line || !piece.iter().any(is_mark) { &[][..] } else { piece };
    divided.split(is_mark)
}

/// A secret without the marks by which a line may separate it from its word: `:secret`, `=secret`.
fn unmarked(secret: &[u8]) -> &[u8] {
    let start = secret.iter().position(|byte| !matches!(byte, b':' | b'=')).unwrap_or(0);
    secret.get(start..).unwrap_or_default()
}

/// The secrets in the rest of a name that [`Places::name`] has: `secret` of `=secret`, and also of `WD:secret`.
pub fn parts_of_name(rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let from = |start: Option<usize>| start.and_then(|start| rest.get(start..)).unwrap_or_default();
    let whole = from(rest.iter().position(|byte| is_letter(*byte)));
    let mark = rest.iter().position(|byte| !is_letter(*byte)).unwrap_or(rest.len());
    let behind = rest.iter().skip(mark).position(|byte| is_letter(*byte)).map(|gap| mark + gap);
    [whole, from(behind)].into_iter().map(bare).filter(|part| !part.is_empty())
}

/// Of a text, the word from `start` to `end` stands behind one that takes a secret: `pass x`, `'PASS x'`.
pub fn follows_its_word(text: &[u8], start: usize, end: usize) -> bool {
    let head = text.get(..start).unwrap_or_default();
    let gap = head.iter().rev().take_while(|byte| !is_letter(**byte)).count();
    let head = head.get(..start - gap).unwrap_or_default();
    let word = head.rsplit(|byte| !is_letter(*byte)).next().unwrap_or_default();
    let is_word = gap > 0 && !text.get(end).copied().is_some_and(is_letter);
    is_word && (is_secret_word(word) || Verb::from_name(word).has_secret_argument())
}

/// The first run of letters and digits.
fn first_word(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| is_letter(*byte)).unwrap_or(bytes.len());
    word_at(bytes, start)
}

fn word_at(bytes: &[u8], start: usize) -> &[u8] {
    let rest = bytes.get(start..).unwrap_or_default();
    let end = rest.iter().position(|byte| !is_letter(*byte)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// The first PASS or ACCT.
fn login_verb(text: &[u8]) -> Option<Found> {
    signs(text).find(|found| found.sign.is_of_login())
}

/// The offset behind the first PASS or ACCT and the byte after it, where it stands as a word of its own with something behind it.
fn behind_login_word(text: &[u8]) -> Option<usize> {
    behind_sign(text, |found| found.sign.is_of_login())
}

/// The end of the first verb of four letters in a text whose argument is a secret, with the byte after it, where something stands behind
/// that.
pub fn behind_verb(text: &[u8]) -> Option<usize> {
    let takes_a_secret = |found: &Found| {
        let verb = text.get(found.start..found.end).filter(|verb| verb.len() == 4).map(Verb::from_name);
        verb.is_some_and(Verb::has_secret_argument)
    };
    behind_sign(text, takes_a_secret).filter(|end| *end < text.len())
}

/// The offset behind the first sign that is meant and the byte after it, where it stands as a word of its own with something behind it.
fn behind_sign(text: &[u8], is_meant: impl Fn(&Found) -> bool) -> Option<usize> {
    let is_word = |found: &Found| {
        let before = found.start.checked_sub(1).and_then(|before| text.get(before));
        let behind = text.get(found.end);
        behind.is_some() && [before, behind].into_iter().flatten().all(|byte| !is_letter(*byte))
    };
    let word = signs(text).filter(|found| is_meant(found)).find(is_word)?;
    Some(word.end + 1)
}

#[cfg(test)]
mod tests {
    use super::{Places, may_be_left_of};
    use crate::ftp::Command;

    #[test]
    fn secrets_are_found_where_a_server_takes_them() {
        for (line, shown, secret) in [
            ("PASS x1", "", "x1"),
            ("acct x1", "", "x1"),
            ("\u{b}PASS x1", "", "x1"),
            ("\r \u{b}\tPASS x1", "", "x1"),
            ("PASS\u{b}x1", "", "x1"),
            ("PASS\tx1", "", "x1"),
            ("SITE PSWD old new", "PSWD ", "old new"),
            ("SITE passwd new", "passwd ", "new"),
            ("SITE CHPASS bob new", "CHPASS ", "bob new"),
            ("site  AddUser eve new", " AddUser ", "eve new"),
            ("SITE GPASS staff x1", "GPASS ", "staff x1"),
            ("SITE GADDUSER staff eve x1", "GADDUSER ", "staff eve x1"),
            ("SITE NEWUSER eve x1", "NEWUSER ", "eve x1"),
            ("SITE CHPWD x1", "CHPWD ", "x1"),
            ("SITE CPWD x1", "CPWD ", "x1"),
            ("SITE SETPW x1", "SETPW ", "x1"),
            ("SITE PSWD:x1", "PSWD:", "x1"),
            ("SITE\t:PSWD=x1", ":PSWD=", "x1"),
            ("SITE \u{b}PSWD\u{b}x1", "\u{b}PSWD\u{b}", "x1"),
            ("USER alice\rPASS x1", "alice\rPASS ", "x1"),
            ("USER alice\rPASS=x1 y", "alice\rPASS=", "x1 y"),
            ("USER alice:x1@host", "alice:", "x1@host"),
            ("USER ftp://alice:x1@host", "ftp:", "//alice:x1@host"),
            ("USER alice x1", "alice ", "x1"),
            ("USER alice\tx1", "alice\t", "x1"),
            ("PSWD x1 x2", "", "x1 x2"),
            ("ADAT x1", "", "x1"),
            ("MIC x1", "", "x1"),
            (":ENC x1", "", "x1"),
            ("\u{feff}CONF x1", "", "x1"),
            ("NOOP a\r\r pass\tx1", "a\r\r pass\t", "x1"),
            ("NOOP\rPASS x1", "PASS ", "x1"),
            ("NOOP\u{b}PASS x1", "PASS ", "x1"),
            ("NOOP \u{b}PASS x1", "\u{b}PASS ", "x1"),
            ("NOOP \rSITE PSWD a x1", "\rSITE PSWD ", "a x1"),
            ("NOOP \rUSER a x1", "\rUSER a ", "x1"),
            ("\u{1}\u{2}PPASS x1", "", "x1"),
            (": PASS x1", "PASS ", "x1"),
            ("QUOTE PASS x1", "PASS ", "x1"),
            ("QUOTE  SITE PSWD a x1", " SITE PSWD ", "a x1"),
            ("LITERAL USER alice x1", "USER alice ", "x1"),
            ("QUOTE QUOTE PASS x1", "QUOTE PASS ", "x1"),
        ] {
            let found = Places::of(&Command::parse(line.as_bytes())).argument;
            assert_eq!(found, Some((shown.as_bytes(), secret.as_bytes())), "{line:?}");
        }
        for line in [
            "USER alice",
            "SITE CHMOD 644 passwd",
            "SITE HELP CHPASS",
            "SITE USERS",
            "RETR PASS",
            "RETR my PASS file",
            "SITE",
            "SITE PSWD",
            "SITE PWD x",
            "CWD a\rb",
            "CWD a\rPASS",
            "XFOO compass rose",
            "USER a@b:c",
            "USER a ",
        ] {
            assert_eq!(Places::of(&Command::parse(line.as_bytes())).argument, None, "{line:?}");
        }
    }

    #[test]
    fn a_name_is_cut_where_it_runs_into_a_secret() {
        for (line, shown, rest) in [
            ("PASS=x1", "PASS", "=x1"),
            ("pass:x1 y", "pass", ":x1"),
            ("PASSsesame", "PASS", "sesame"),
            ("PASS\u{a0}x1", "PASS", "\u{a0}x1"),
            (":MIC=x1", ":MIC", "=x1"),
            ("ADDUSER,eve,x1", "ADDUSER", ",eve,x1"),
            ("PASSWD x1", "PASSWD", ""),
            ("USER x", "USER", ""),
            ("XFOO:x", "XFOO:x", ""),
        ] {
            let command = Command::parse(line.as_bytes());
            assert_eq!(Places::of(&command).name, (shown.as_bytes(), rest.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn what_erasing_leaves_may_be_a_login() {
        assert!(may_be_left_of(b"PASXS x"));
        assert!(may_be_left_of(b"RETR file PASS x"));
        assert!(!may_be_left_of(b"RETR file.txt"));
    }
}
