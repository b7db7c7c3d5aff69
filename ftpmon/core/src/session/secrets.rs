//! Secrets that a client sends: where they are in its lines, and where a server repeats them.

use std::borrow::Cow;

use crate::ftp::{Command, Verb};

/// Words behind SITE with which servers take passwords. RFC 959 section 4.1.3 leaves them to each server.
const SITE_WORDS: [&[u8]; 12] = [
    b"PSWD",
    b"PASS",
    b"PASSWD",
    b"PASSWORD",
    b"CHPASS",
    b"CHPASSWD",
    b"CHPW",
    b"SETPASS",
    b"NEWPASS",
    b"ADDUSER",
    b"GADDUSER",
    b"USERADD",
];

/// Words that make a line a login's, wherever a server takes it to begin.
const VERBS: [&[u8]; 2] = [b"PASS", b"ACCT"];

/// Secrets that are remembered to mask them in replies. Stops a client that only sends secrets.
const REMEMBERED_MAX: usize = 8;

/// Bytes of a secret that are compared. What follows them in a reply's line is masked too.
const COMPARED_MAX: usize = 256;

/// A shorter secret would mask ordinary words of replies.
const COMPARED_MIN: usize = 4;

/// The argument of a command cut where a secret begins: what may be shown, and the secret. None where it holds none.
pub(super) fn in_argument<'a>(command: &Command<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let arg = command.arg?;
    if command.verb.has_secret_argument() || is_like_a_secret_verb(command) {
        return Some((&[], arg));
    }
    if command.verb == Verb::Site {
        let start = arg.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let word = word_at(arg, start);
        if SITE_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            return arg.split_at_checked(start + word.len() + 1);
        }
    }
    // Some servers end a line at CR: what follows is a command of its own to them.
    let behind_cr = arg.iter().position(|byte| *byte == b'\r')?;
    let rest = arg.get(behind_cr..)?;
    let verb = VERBS.iter().filter_map(|verb| find(rest, verb)).min()?;
    arg.split_at_checked(behind_cr + verb + 5)
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

/// Where `wanted` begins in `bytes`, whatever the case of ASCII letters.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let (first, rest) = wanted.split_first()?;
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), bytes).find(|at| {
        let behind = bytes.get(at + 1..).unwrap_or_default();
        behind.get(..rest.len()).is_some_and(|found| found.eq_ignore_ascii_case(rest))
    })
}

/// The secrets that a session has masked, so that its replies do not show them.
#[derive(Debug, Default)]
pub(super) struct MaskedSecrets {
    /// The oldest first.
    known: Vec<Box<[u8]>>,
}

impl MaskedSecrets {
    /// Remembers what a command had in the place of a secret. A name that is shown elsewhere is none.
    pub(super) fn remember(&mut self, command: &Command<'_>, secret: &[u8], user: Option<&str>) {
        self.add(secret.trim_ascii(), user);
        if !command.verb.has_secret_argument() {
            secret.split(u8::is_ascii_whitespace).for_each(|word| self.add(word, user));
        }
    }

    fn add(&mut self, secret: &[u8], user: Option<&str>) {
        let is_shown = user.is_some_and(|user| user.as_bytes().eq_ignore_ascii_case(secret));
        let head = secret.get(..COMPARED_MAX).unwrap_or(secret);
        if head.len() < COMPARED_MIN || is_shown || self.known.iter().any(|known| **known == *head) {
            return;
        }
        if self.known.len() >= REMEMBERED_MAX {
            self.known.remove(0);
        }
        self.known.push(head.into());
    }

    /// A reply's text with `***` in the place of each secret.
    pub(super) fn masked<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.known {
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| find(rest, secret)) {
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
            ("NOOP a\r\r pass\tx1", "a\r\r pass\t", "x1"),
            ("\u{1}\u{2}PPASS x1", "", "x1"),
        ] {
            let found = in_argument(&Command::parse(line.as_bytes()));
            assert_eq!(found, Some((shown.as_bytes(), secret.as_bytes())), "{line:?}");
        }
        for line in ["USER alice", "SITE CHMOD 644 passwd", "RETR PASS", "SITE", "SITE PSWD", "CWD a\rb"] {
            assert_eq!(in_argument(&Command::parse(line.as_bytes())), None, "{line:?}");
        }
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
        // What is shown as the user's name, and what is too short to be told from a word.
        secrets.remember(&Command::parse(b"PASS anonymous"), b"anonymous", Some("Anonymous"));
        secrets.remember(&Command::parse(b"PASS in"), b"in", None);
        assert_eq!(masked(&secrets, "anonymous is logged in"), "anonymous is logged in");
        // Only its head is compared: what follows is masked as well.
        secrets.remember(&Command::parse(b"PASS x"), "y".repeat(300).as_bytes(), None);
        assert_eq!(masked(&secrets, &format!("a {}\nb", "y".repeat(300))), "a ***\nb");
    }
}
