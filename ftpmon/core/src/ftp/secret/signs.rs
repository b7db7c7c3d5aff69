//! Letters by which the place of a secret is known, found with one look at each byte: a peer may send a segment of them.

use crate::text::has_pair;

/// Letters and their meaning for secrets, whatever their case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// PASS.
    Pass,
    /// ACCT.
    Acct,
    /// A verb or word that takes a secret where it stands alone: ADAT, MIC, CONF, ENC, AUTH, LOGIN.
    Word,
    /// A part of words that take passwords, such as CHPWD: PSWD, PSSWD, PW, SECRET.
    PasswordPart,
    /// USER, or a part of words that name an account: USR.
    Account,
    /// A part of words that make something, and no sign of a secret without [`Self::Account`]: ADD, NEW, MAKE, MK, CREATE.
    Making,
}

impl Sign {
    /// A login's verb with a secret behind it.
    pub(super) const fn is_of_login(self) -> bool {
        matches!(self, Self::Pass | Self::Acct)
    }
}

/// A sign and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) sign: Sign,
    /// Offset of its first letter.
    pub(super) start: usize,
    /// Offset behind its last letter.
    pub(super) end: usize,
}

/// All signs in a text, in the order of their ends.
pub(super) const fn signs(text: &[u8]) -> Signs<'_> {
    Signs { text, at: 0, last: 0 }
}

/// The signs in a text.
pub(super) struct Signs<'t> {
    text: &'t [u8],
    /// Bytes that were looked at.
    at: usize,
    /// The last eight of them.
    last: u64,
}

impl Iterator for Signs<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let mut last = self.last;
        for byte in self.text.get(self.at..)? {
            self.at += 1;
            last = last << 8 | u64::from(byte | CASE);
            if let Some((sign, len)) = at_end(last) {
                self.last = last;
                return Some(Found { sign, start: self.at - len, end: self.at });
            }
        }
        None
    }
}

/// The bit by which the two cases of a letter differ.
const CASE: u8 = 0x20;

/// The sign that the last eight bytes of a text end with, and its length.
#[inline(always)]
fn at_end(last: u64) -> Option<(Sign, usize)> {
    let found = match last as u8 {
        b's' if ends(last, b"pass") => (Sign::Pass, 4),
        b't' if ends(last, b"acct") => (Sign::Acct, 4),
        b't' if ends(last, b"adat") => (Sign::Word, 4),
        b't' if ends(last, b"secret") => (Sign::PasswordPart, 6),
        b'c' if ends(last, b"mic") || ends(last, b"enc") => (Sign::Word, 3),
        b'f' if ends(last, b"conf") => (Sign::Word, 4),
        b'h' if ends(last, b"auth") => (Sign::Word, 4),
        b'n' if ends(last, b"login") => (Sign::Word, 5),
        b'd' if ends(last, b"pswd") => (Sign::PasswordPart, 4),
        b'd' if ends(last, b"psswd") => (Sign::PasswordPart, 5),
        b'd' if ends(last, b"add") => (Sign::Making, 3),
        b'w' if ends(last, b"pw") => (Sign::PasswordPart, 2),
        b'w' if ends(last, b"new") => (Sign::Making, 3),
        b'r' if ends(last, b"user") => (Sign::Account, 4),
        b'r' if ends(last, b"usr") => (Sign::Account, 3),
        b'e' if ends(last, b"make") => (Sign::Making, 4),
        b'e' if ends(last, b"create") => (Sign::Making, 6),
        b'k' if ends(last, b"mk") => (Sign::Making, 2),
        _ => return None,
    };
    Some(found)
}

/// The last bytes of a text are these letters, of lower case and at most eight.
#[inline(always)]
fn ends<const N: usize>(last: u64, letters: &[u8; N]) -> bool {
    let letters = letters.iter().fold(0, |letters, letter| letters << 8 | u64::from(*letter));
    let unused = 64 - 8 * N as u32;
    last << unused == letters << unused
}

/// Two letters that a sign begins with stand in a text.
pub(super) fn has_a_beginning(text: &[u8]) -> bool {
    has_pair(text, begins_sign)
}

/// The first two letters of a sign other than those of [`Sign::Making`].
#[inline(always)]
const fn begins_sign(first: u8, second: u8) -> bool {
    let (a, b) = (first | CASE, second | CASE);
    ((a == b'p') & ((b == b'a') | (b == b's') | (b == b'w')))
        | ((a == b'a') & ((b == b'c') | (b == b'd') | (b == b'u')))
        | ((a == b'm') & (b == b'i'))
        | ((a == b'c') & (b == b'o'))
        | ((a == b'e') & (b == b'n'))
        | ((a == b'u') & (b == b's'))
        | ((a == b's') & (b == b'e'))
        | ((a == b'l') & (b == b'o'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, Sign); 19] = [
        ("PASS", Sign::Pass),
        ("ACCT", Sign::Acct),
        ("ADAT", Sign::Word),
        ("MIC", Sign::Word),
        ("CONF", Sign::Word),
        ("ENC", Sign::Word),
        ("AUTH", Sign::Word),
        ("LOGIN", Sign::Word),
        ("PSWD", Sign::PasswordPart),
        ("PSSWD", Sign::PasswordPart),
        ("PW", Sign::PasswordPart),
        ("SECRET", Sign::PasswordPart),
        ("USER", Sign::Account),
        ("USR", Sign::Account),
        ("ADD", Sign::Making),
        ("NEW", Sign::Making),
        ("MAKE", Sign::Making),
        ("CREATE", Sign::Making),
        ("MK", Sign::Making),
    ];

    #[test]
    fn each_is_found_anywhere_in_any_case() {
        for (letters, sign) in ALL {
            for (before, behind) in [("", ""), ("x", "x"), ("  ", " "), ("\u{0}", "\u{ff}")] {
                for letters in [letters.to_owned(), letters.to_lowercase()] {
                    let text = [before, &letters, behind].concat();
                    let (start, end) = (before.len(), before.len() + letters.len());
                    let found: Vec<_> = signs(text.as_bytes()).collect();
                    assert_eq!(found, [Found { sign, start, end }], "{text}");
                    assert!(sign == Sign::Making || has_a_beginning(text.as_bytes()), "{text}");
                }
            }
        }
    }

    #[test]
    fn other_letters_are_none() {
        for text in ["", "P", "PAS", "P ASS", "RETR file.txt", "\u{10}ASS", "U5ER", "SECRE"] {
            assert_eq!(signs(text.as_bytes()).count(), 0, "{text}");
        }
        assert_eq!(signs(b"MKNEWUSERPW").map(|found| found.end).collect::<Vec<_>>(), [2, 5, 9, 11]);
    }
}
