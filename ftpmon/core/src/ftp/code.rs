//! Reply codes (RFC 959 section 4.2, RFC 2228 section 5).

use core::fmt;

use crate::event::{Category, ReplyClass};

/// Three decimal digits at the head of a reply, 0 to 999. Codes outside of 100 to 659 are none that any RFC allows,
/// yet servers send them: they have no class or no category.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

impl Code {
    /// From a number; none above 999.
    pub const fn new(number: u16) -> Option<Self> {
        if number <= 999 { Some(Self(number)) } else { None }
    }

    /// From the first three bytes of a line, where those are digits.
    pub fn at_head(line: &[u8]) -> Option<Self> {
        let digits = line.get(..3)?;
        digits
            .iter()
            .try_fold(0_u16, |number, byte| {
                byte.is_ascii_digit().then(|| number * 10 + u16::from(byte - b'0'))
            })
            .map(Self)
    }

    /// The code as a number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Meaning of the first digit; none for a digit that no RFC assigns.
    pub const fn class(self) -> Option<ReplyClass> {
        Some(match self.0 / 100 {
            1 => ReplyClass::Preliminary,
            2 => ReplyClass::Completion,
            3 => ReplyClass::Intermediate,
            4 => ReplyClass::TransientError,
            5 => ReplyClass::PermanentError,
            6 => ReplyClass::Protected,
            _ => return None,
        })
    }

    /// Meaning of the second digit; none for a digit that no RFC assigns.
    pub const fn category(self) -> Option<Category> {
        Some(match self.0 / 10 % 10 {
            0 => Category::Syntax,
            1 => Category::Information,
            2 => Category::Connection,
            3 => Category::Authentication,
            4 => Category::Unspecified,
            5 => Category::Filesystem,
            _ => return None,
        })
    }

    /// 1yz: another reply to the same command follows.
    pub const fn is_preliminary(self) -> bool {
        self.0 / 100 == 1
    }

    /// 2yz: the command is done.
    pub const fn is_completion(self) -> bool {
        Self::completes(self.0)
    }

    /// The same of a number that may be no code.
    pub const fn completes(number: u16) -> bool {
        number / 100 == 2
    }

    /// 3yz: another command has to follow.
    pub const fn is_intermediate(self) -> bool {
        self.0 / 100 == 3
    }

    /// 4yz or 5yz: the command is not done.
    pub const fn is_error(self) -> bool {
        matches!(self.0 / 100, 4 | 5)
    }

    /// An RFC assigns both the first and the second digit. Distinguishes a reply from text that starts with a number.
    pub const fn is_assigned(self) -> bool {
        self.class().is_some() && self.category().is_some()
    }
}

/// Three digits.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq<u16> for Code {
    fn eq(&self, other: &u16) -> bool {
        self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use crate::event::{Category, ReplyClass};

    #[test]
    fn reads_three_digits_and_nothing_else() {
        assert_eq!(Code::at_head(b"230-x").unwrap(), 230);
        assert_eq!(Code::at_head(b"007").unwrap(), 7);
        assert_eq!(Code::at_head(b"99 x"), None);
        assert_eq!(Code::at_head(b"\xff\xff\xff"), None);
        assert_eq!(Code::at_head(b"12"), None);
    }

    #[test]
    fn digits_have_meanings() {
        let code = Code::new(631).unwrap();
        assert_eq!(code.class(), Some(ReplyClass::Protected));
        assert_eq!(code.category(), Some(Category::Authentication));
        assert!(Code::new(150).unwrap().is_preliminary());
        let odd = Code::new(999).unwrap();
        assert_eq!((odd.class(), odd.category(), odd.is_assigned()), (None, None, false));
        assert_eq!(Code::new(1000), None);
        assert_eq!(Code::new(7).unwrap().to_string(), "007");
    }
}
