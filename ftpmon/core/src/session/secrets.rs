//! Secrets that a client sends: where they are in its lines, and where a server repeats them.

use std::borrow::Cow;

use crate::fill::Fills;
use crate::ftp::{Command, Verb};

/// Words with which servers take passwords behind SITE, and some as commands of their own. RFC 959 section 4.1.3 leaves
/// them to each server.
const SECRET_WORDS: [&[u8]; 8] =
    [b"CHPW", b"ADDUSER", b"GADDUSER", b"USERADD", b"NEWUSER", b"LOGIN", b"AUTH", b"SETPW"];

/// Parts of such words: PASSWD, CHPASS, GPASS, PSWD, CHPWD.
const SECRET_PARTS: [&[u8]; 4] = [b"PASS", b"PSWD", b"PSSWD", b"PWD"];

/// Words that make a line a login's, wherever a server takes it to begin.
const VERBS: [&[u8]; 2] = [b"PASS", b"ACCT"];

/// Secrets that are remembered to mask them in replies. Stops a client that only sends secrets.
const REMEMBERED_MAX: usize = 8;

/// Bytes of a secret that are compared. What follows them in a reply's line is masked too.
const COMPARED_MAX: usize = 256;

/// A shorter secret would mask ordinary words of replies.
const COMPARED_MIN: usize = 4;

/// The argument of a command cut where a secret begins: what may be shown, and the secret. None if it holds none.
pub(super) fn in_argument<'a>(command: &Command<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let arg = command.arg?;
    if command.verb.has_secret_argument() || is_like_a_secret_verb(command) {
        return Some((&[], arg));
    }
    if command.verb == Verb::Site {
        let start = arg.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let word = word_at(arg, start);
        if is_secret_word(word) {
            return arg.split_at_checked(start + word.len() + 1);
        }
    }
    if command.verb == Verb::Other && is_secret_word(command.name) {
        return Some((&[], arg));
    }
    // Some servers end a line at CR: what follows is a command of its own to them.
    let line = arg.iter().position(|byte| *byte == b'\r').and_then(|behind_cr| {
        let rest = arg.get(behind_cr..)?;
        let verb = VERBS.iter().filter_map(|verb| find(rest, verb)).min()?;
        arg.split_at_checked(behind_cr + verb + 5)
    });
    line.or_else(|| if command.verb == Verb::User { behind_user(arg) } else { None })
}

/// The secret in USER's argument: in `user:password@host`, and behind the first word, where some clients put it.
fn behind_user(arg: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = arg.iter().position(|byte| *byte != b' ')?;
    let at = memchr::memrchr(b'@', arg).unwrap_or(0);
    let colon = memchr::memchr(b':', arg).filter(|colon| *colon < at);
    let space = memchr::memchr(b' ', arg.get(start..)?).map(|space| start + space);
    let end = [colon, space].into_iter().flatten().min()?;
    let (shown, secret) = arg.split_at_checked(end + 1)?;
    (!secret.trim_ascii().is_empty()).then_some((shown, secret))
}

/// SITE's word, or an unknown verb, takes a password.
fn is_secret_word(word: &[u8]) -> bool {
    let known = SECRET_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word));
    let has_part = SECRET_PARTS.iter().any(|part| find(word, part).is_some());
    known || (has_part && !word.eq_ignore_ascii_case(b"PWD"))
}

/// The name of the user in USER's argument, without a secret behind it and what follows a CR, where some servers end
/// the line.
pub(super) fn user_name<'a>(command: &Command<'a>, shows: bool) -> Option<&'a [u8]> {
    let arg = command.arg.filter(|_| !command.cut)?;
    let shown = match in_argument(command).filter(|_| !shows) {
        Some((shown, _)) => shown.strip_suffix(b":").unwrap_or(shown).trim_ascii_end(),
        None => arg,
    };
    shown.split(|byte| *byte == b'\r').next()
}

/// The name of a command, cut where it runs into a secret: `PASS=secret`.
pub(super) fn shown_name<'a>(command: &Command<'a>) -> &'a [u8] {
    if command.verb != Verb::Other {
        return command.name;
    }
    let Some(at) = VERBS.iter().filter_map(|verb| find(command.name, verb)).min() else {
        return command.name;
    };
    match command.name.split_at_checked(at + 4) {
        Some((head, rest)) if !rest.iter().all(u8::is_ascii_alphabetic) => head,
        _ => command.name,
    }
}

/// No verb that is known, but a server may find PASS or ACCT in it.
pub(super) fn is_like_a_secret_verb(command: &Command<'_>) -> bool {
    command.verb == Verb::Other && VERBS.iter().any(|verb| find(command.name, verb).is_some())
}

fn word_at(bytes: &[u8], start: usize) -> &[u8] {
    let rest = bytes.get(start..).unwrap_or_default();
    let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// The offset of `wanted` in `bytes`, whatever the case of ASCII letters.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    find_by(bytes, wanted, 0)
}

/// The same. Places are compared where the byte `anchor` of it stands.
#[inline]
fn find_by(bytes: &[u8], wanted: &[u8], anchor: usize) -> Option<usize> {
    let rare = wanted.get(anchor)?;
    let begins_at = |at: usize| {
        let start = at.checked_sub(anchor)?;
        let found = bytes.get(start..start + wanted.len())?;
        found.eq_ignore_ascii_case(wanted).then_some(start)
    };
    memchr::memchr2_iter(rare.to_ascii_lowercase(), rare.to_ascii_uppercase(), bytes).find_map(begins_at)
}

/// The byte of a secret that is the least likely in a text.
fn rarest(secret: &[u8]) -> usize {
    let bytes = secret.iter().map(|byte| commonness(*byte)).enumerate();
    bytes.min_by_key(|(_, commonness)| *commonness).map_or(0, |(index, _)| index)
}

/// The frequency of a byte in the texts of replies: digits, other bytes, then letters as in English.
fn commonness(byte: u8) -> u8 {
    const LETTERS: [u8; 26] = *b"XGOQZKJSVDEPMUWHBRTYNFLCIA";
    match byte.to_ascii_lowercase() {
        b'0'..=b'9' => 0,
        letter @ b'a'..=b'z' => LETTERS.get(usize::from(letter - b'a')).copied().unwrap_or_default(),
        _ => 1,
    }
}

/// The secrets that a session has masked, so that its replies do not show them.
#[derive(Debug, Default)]
pub(super) struct MaskedSecrets {
    /// The oldest first; each with its rarest byte, by which it is looked for.
    known: Vec<(Box<[u8]>, u16)>,
    /// The server waits for a secret: 331, 332, 336.
    due: bool,
}

impl MaskedSecrets {
    /// Memory of the remembered secrets, bytes.
    pub(super) fn held(&self) -> usize {
        self.known.iter().map(|secret| size_of::<Box<[u8]>>() + secret.0.len()).sum()
    }

    /// A final reply.
    pub(super) fn replied(&mut self, code: u16) {
        self.due = matches!(code, 331 | 332 | 336);
    }

    /// The server waits for a secret, and this line is no command that is known: it may be the secret, in whatever way
    /// the server finds it.
    pub(super) fn may_be_one(&self, command: &Command<'_>) -> bool {
        let is_other = command.verb == Verb::Other || command.malformed;
        let is_empty = command.name.is_empty() && command.arg.is_none();
        self.due && is_other && !is_empty && in_argument(command).is_none() && !is_like_a_secret_verb(command)
    }

    /// Remembers what a command had in the place of a secret. A name that is shown elsewhere is none. True if an older secret
    /// was forgotten at the cap: a reply that repeats it shows it.
    pub(super) fn remember(&mut self, command: &Command<'_>, secret: &[u8], user: Option<&str>) -> bool {
        let mut forgotten = self.add(secret.trim_ascii(), user);
        if !command.verb.has_secret_argument() {
            for word in secret.split(u8::is_ascii_whitespace) {
                forgotten |= self.add(word, user);
            }
        }
        forgotten
    }

    /// Notes the fill.
    pub(super) fn note_fill(&self, fills: &mut Fills) {
        fills.note("secrets_of_session", self.known.len(), REMEMBERED_MAX);
    }

    /// True if an older secret was forgotten for it.
    fn add(&mut self, secret: &[u8], user: Option<&str>) -> bool {
        let is_shown = user.is_some_and(|user| user.as_bytes().eq_ignore_ascii_case(secret));
        let head = secret.get(..COMPARED_MAX).unwrap_or(secret);
        if head.len() < COMPARED_MIN || is_shown || self.known.iter().any(|(known, _)| **known == *head) {
            return false;
        }
        let full = self.known.len() >= REMEMBERED_MAX;
        if full {
            self.known.remove(0);
        }
        // A compared secret's length fits.
        self.known.push((head.into(), rarest(head) as u16));
        full
    }

    /// A reply's text with `***` in the place of each secret.
    pub(super) fn masked<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let mut text = Cow::Borrowed(text);
        for (secret, anchor) in &self.known {
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| find_by(rest, secret, (*anchor).into())) {
                let start = from + at;
                let mut end = start + secret.len();
                if secret.len() == COMPARED_MAX {
                    let rest = text.get(end..).unwrap_or_default();
                    end += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                text.to_mut().splice(start..end, *b"***");
                from = start + 3;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{MaskedSecrets, in_argument, shown_name};
    use crate::ftp::Command;

    #[test]
    fn secrets_are_found_where_a_server_takes_them() {
        for (line, shown, secret) in [
            ("PASS x1", "", "x1"),
            ("acct x1", "", "x1"),
            ("SITE PSWD old new", "PSWD ", "old new"),
            ("SITE passwd new", "passwd ", "new"),
            ("SITE CHPASS bob new", "CHPASS ", "bob new"),
            ("site  AddUser eve new", " AddUser ", "eve new"),
            ("USER alice\rPASS x1", "alice\rPASS ", "x1"),
            ("USER alice:x1@host", "alice:", "x1@host"),
            ("USER alice x1", "alice ", "x1"),
            ("SITE GPASS staff x1", "GPASS ", "staff x1"),
            ("SITE CHPWD x1", "CHPWD ", "x1"),
            ("PSWD x1 x2", "", "x1 x2"),
            ("ADAT x1", "", "x1"),
            ("MIC x1", "", "x1"),
            ("NOOP a\r\r pass\tx1", "a\r\r pass\t", "x1"),
            ("\u{1}\u{2}PPASS x1", "", "x1"),
        ] {
            let found = in_argument(&Command::parse(line.as_bytes()));
            assert_eq!(found, Some((shown.as_bytes(), secret.as_bytes())), "{line:?}");
        }
        for line in [
            "USER alice",
            "SITE CHMOD 644 passwd",
            "RETR PASS",
            "SITE",
            "SITE PSWD",
            "SITE PWD x",
            "CWD a\rb",
            "USER a@b:c",
            "USER a ",
        ] {
            assert_eq!(in_argument(&Command::parse(line.as_bytes())), None, "{line:?}");
        }
    }

    #[test]
    fn where_a_secret_is_due_only_known_commands_are_shown() {
        let mut secrets = MaskedSecrets::default();
        let may_be_one = |secrets: &MaskedSecrets, line: &[u8]| secrets.may_be_one(&Command::parse(line));
        assert!(!may_be_one(&secrets, b"hunter2"));
        secrets.replied(331);
        for line in [&b"hunter2"[..], b"hunter2 more", b"\xef\xbb\xbfxyz", b"QUIT\x01", b":hunter2"] {
            assert!(may_be_one(&secrets, line), "{line:?}");
        }
        for line in [&b"QUIT"[..], b"USER other", b"PASS x"] {
            assert!(!may_be_one(&secrets, line), "{line:?}");
        }
        secrets.replied(230);
        assert!(!may_be_one(&secrets, b"hunter2"));
    }

    #[test]
    fn a_name_is_cut_where_it_runs_into_a_secret() {
        for (line, shown) in [
            ("PASS=x1", "PASS"),
            ("pass:x1 y", "pass"),
            ("PASSWD x1", "PASSWD"),
            ("USER x", "USER"),
            ("XFOO", "XFOO"),
        ] {
            assert_eq!(shown_name(&Command::parse(line.as_bytes())), shown.as_bytes(), "{line:?}");
        }
    }

    #[test]
    fn what_was_masked_is_masked_in_replies() {
        let mut secrets = MaskedSecrets::default();
        secrets.remember(&Command::parse(b"PASS hunter2Zq9"), b"hunter2Zq9", Some("bob"));
        let masked = |secrets: &MaskedSecrets, text: &str| {
            String::from_utf8(secrets.masked(text.as_bytes()).into_owned()).unwrap()
        };
        assert_eq!(masked(&secrets, "user bob pass hunter2Zq9"), "user bob pass ***");
        assert_eq!(masked(&secrets, "'PASS HUNTER2ZQ9', HUNTER2zq9."), "'PASS ***', ***.");
        assert_eq!(masked(&secrets, "Logged in"), "Logged in");
        let site = Command::parse(b"SITE PSWD oldpass newpass");
        secrets.remember(&site, b"oldpass newpass", None);
        assert_eq!(masked(&secrets, "changed from oldpass to newpass"), "changed from *** to ***");
        // What is shown as the user's name, and what is too short to be distinguished from a word.
        secrets.remember(&Command::parse(b"PASS anonymous"), b"anonymous", Some("Anonymous"));
        secrets.remember(&Command::parse(b"PASS in"), b"in", None);
        assert_eq!(masked(&secrets, "anonymous is logged in"), "anonymous is logged in");
        // Only its head is compared: what follows is masked as well.
        secrets.remember(&Command::parse(b"PASS x"), "y".repeat(300).as_bytes(), None);
        assert_eq!(masked(&secrets, &format!("a {}\nb", "y".repeat(300))), "a ***\nb");
    }
}
