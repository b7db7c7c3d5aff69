//! Secrets that a client sends: which of its lines are hidden as a whole, and where a server repeats them.

use std::borrow::Cow;

use crate::fill::Fills;
use crate::ftp::secret::{Places, behind_verb, follows_its_word, may_be_left_of, parts, parts_of_name};
use crate::ftp::{Command, Line, Verb};

/// Secrets that are remembered to mask them in replies. Stops a client that only sends secrets.
const REMEMBERED_MAX: usize = 16;

/// Bytes of a secret that are compared. What follows them in a reply's line is masked too.
const COMPARED_MAX: usize = 256;

/// A shorter secret would mask ordinary words of replies: it is masked behind the word that it was sent with.
const COMPARED_MIN: usize = 4;

/// The name of the user in USER's argument, without a secret behind it and what follows a CR, where some servers end
/// the line.
pub(super) fn user_name<'a>(command: &Command<'a>, places: &Places<'a>) -> Option<&'a [u8]> {
    let arg = command.arg.filter(|_| !command.cut)?;
    let shown = match places.argument {
        Some((shown, _)) => shown.strip_suffix(b":").unwrap_or(shown).trim_ascii_end(),
        None => arg,
    };
    shown.split(|byte| *byte == b'\r').next()
}

/// The offset of `wanted` in `bytes`, whatever the case of ASCII letters. Places are compared where the byte `anchor` of it stands.
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
    /// The server waits for a secret (331, 332, 336), or may: USER has no reply yet.
    due: bool,
    /// The client's last line had a secret, or was cut where it may have begun one.
    in_last_line: bool,
    /// There were more secrets than were examined: replies are hidden.
    hides_all: bool,
    /// A command that held one may have been lost.
    may_be_lost: bool,
}

impl MaskedSecrets {
    /// Memory of the remembered secrets, bytes.
    pub(super) fn held(&self) -> usize {
        self.known.iter().map(|secret| size_of::<Box<[u8]>>() + secret.0.len()).sum()
    }

    /// The client's next line may be a secret whatever it looks like.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// A reply that was not read may have asked for a secret.
    pub(super) fn may_be_due(&mut self, due: bool) {
        self.due |= due;
    }

    /// Lines that may be secrets were not examined: from now on replies are shown without their text.
    pub(super) fn hide_all(&mut self) {
        self.hides_all = true;
    }

    /// Replies are shown without their text.
    pub(super) fn is_hiding_all(&self) -> bool {
        self.hides_all
    }

    /// A final reply.
    pub(super) fn replied(&mut self, code: u16) {
        self.due = matches!(code, 331 | 332 | 336);
    }

    /// A line that is no command may be a secret, or a part of one:
    /// * one that the server waits for;
    /// * the rest of a line whose head had one, or may have had one;
    /// * a line that is another one to a server that reads Telnet in another way.
    ///
    /// False where only a part of the line is one, as in PASS.
    pub(super) fn hide(&self, command: &Command<'_>, places: &Places<'_>, line: &Line<'_>) -> bool {
        if !self.due && !line.after_gap && !line.ambiguous {
            return false;
        }
        let is_empty = command.name.is_empty() && command.arg.is_none();
        let is_masked = places.in_unknown_verb
            || places.argument.is_some_and(|(shown, _)| shown.is_empty() || !line.ambiguous);
        if is_empty || is_masked {
            return false;
        }
        let is_other = command.verb == Verb::Other || command.malformed;
        let goes_on = (line.after_gap || line.ambiguous) && self.in_last_line;
        let is_doubtful = is_other || command.arg.is_some();
        (self.due && (is_other || ((line.after_gap || line.ambiguous) && is_doubtful)))
            || (goes_on && is_doubtful)
            || (line.ambiguous && (is_other || may_be_left_of(line.bytes)))
    }

    /// A line of the client was read: the next one may go on where it ends. `cut`: its head is all that is known.
    pub(super) fn read(&mut self, command: &Command<'_>, had_secret: bool) {
        let may_begin_one =
            command.cut && command.arg.is_none() && !is_prefix_of_a_harmless_verb(command.name);
        self.in_last_line = had_secret || may_begin_one;
        self.due |= command.verb == Verb::User;
    }

    /// Text behind a gap that is no command is the rest of a line. Where a secret may have begun, it is remembered. True if an
    /// older one was forgotten for it.
    pub(super) fn rest_of_a_line(&mut self, rest: &[u8]) -> bool {
        let may_be_one = self.due || self.in_last_line;
        self.in_last_line = false;
        may_be_one && self.remember_line(rest)
    }

    /// Remembers what a command had in the place of a secret. A name that is shown elsewhere is none. True if an older secret
    /// was forgotten at the cap: a reply that repeats it shows it.
    pub(super) fn remember(&mut self, command: &Command<'_>, secret: &[u8], user: Option<&str>) -> bool {
        let is_whole_line = command.verb.has_secret_argument();
        self.add_all(parts(secret, is_whole_line), user)
    }

    /// The same of a line that is hidden as a whole.
    pub(super) fn remember_line(&mut self, line: &[u8]) -> bool {
        self.add_all(parts(line, false), None)
    }

    /// The same of the rest of a command's name that runs into a secret, as in `PASS=secret`.
    pub(super) fn remember_name(&mut self, rest: &[u8]) -> bool {
        parts_of_name(rest).fold(false, |forgotten, part| forgotten | self.add(part, None))
    }

    /// Notes the fill.
    pub(super) fn note_fill(&self, fills: &mut Fills) {
        fills.note("secrets_of_session", self.known.len(), REMEMBERED_MAX);
    }

    /// As many as can be remembered. True if any was forgotten, or not remembered.
    fn add_all<'p>(&mut self, mut parts: impl Iterator<Item = &'p [u8]>, user: Option<&str>) -> bool {
        let forgotten = parts
            .by_ref()
            .take(REMEMBERED_MAX)
            .fold(false, |forgotten, part| forgotten | self.add(part, user));
        forgotten | parts.next().is_some()
    }

    /// True if an older secret was forgotten for it.
    fn add(&mut self, secret: &[u8], user: Option<&str>) -> bool {
        let is_shown = user.is_some_and(|user| user.as_bytes().eq_ignore_ascii_case(secret));
        let head = secret.get(..COMPARED_MAX).unwrap_or(secret);
        if head.is_empty() || is_shown || self.known.iter().any(|(known, _)| **known == *head) {
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

    /// Something of the dialogue is missing, perhaps a command with a secret.
    pub(super) fn may_be_lost(&mut self) {
        self.may_be_lost = true;
    }

    /// The text of a reply to a command that was not seen: it may repeat a secret that was lost. The text of an answer to a login is hidden as a
    /// whole, in that of others whatever stands behind a verb that has a secret.
    pub(super) fn masked_unseen<'t>(&self, code: Option<u16>, text: &'t [u8]) -> Cow<'t, [u8]> {
        if !self.may_be_lost || text.is_empty() {
            return self.masked(text);
        }
        if matches!(code, Some(202 | 230 | 232 | 430 | 530)) {
            return Cow::Borrowed(b"***");
        }
        match behind_verb(text).and_then(|end| text.get(..end)) {
            Some(head) => Cow::Owned([self.masked(head).as_ref(), b"***"].concat()),
            None => self.masked(text),
        }
    }

    /// A reply's text with `***` in the place of each secret.
    pub(super) fn masked<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        if self.hides_all && !text.is_empty() {
            return Cow::Borrowed(b"***");
        }
        let mut text = Cow::Borrowed(text);
        for (secret, anchor) in &self.known {
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| find_by(rest, secret, (*anchor).into())) {
                let start = from + at;
                let mut end = start + secret.len();
                if secret.len() < COMPARED_MIN && !follows_its_word(&text, start, end) {
                    from = start + 1;
                    continue;
                }
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

/// The beginning of a known verb that takes no secret.
fn is_prefix_of_a_harmless_verb(name: &[u8]) -> bool {
    let begins = |verb: &&Verb| {
        let known = verb.name().and_then(|known| known.as_bytes().get(..name.len()));
        known.is_some_and(|head| head.eq_ignore_ascii_case(name))
    };
    let mut verbs = Verb::KNOWN.iter().filter(begins).peekable();
    verbs.peek().is_some() && !verbs.any(|verb| verb.has_secret_argument())
}

#[cfg(test)]
mod tests;
