//! A pattern for interfaces: a name or a glob.

use core::fmt;
use core::str::FromStr;

/// Longest interface name, bytes (IFNAMSIZ less its NUL).
const NAME_MAX: usize = 15;

/// One `--iface`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfacePattern(glob::Pattern);

/// A text that is neither a name nor a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterfacePatternError {
    /// Nothing was said.
    #[error("it is empty; give an interface's name, as `ip link` shows it, or a pattern such as `veth*`")]
    Empty,
    /// No interface can have this name.
    #[error("an interface's name has {NAME_MAX} bytes at most and no `/`")]
    NoName,
    /// Brackets that do not match, or the like.
    #[error("bad pattern: {0}")]
    BadPattern(&'static str),
}

impl InterfacePattern {
    /// The interface of this very name.
    pub(super) fn exactly(name: &str) -> Option<Self> {
        glob::Pattern::new(&glob::Pattern::escape(name)).ok().map(Self)
    }

    /// The interface called `name` is meant.
    pub fn matches(&self, name: &str) -> bool {
        self.0.matches(name)
    }

    /// It has no wild card: exactly one interface can be meant, and it has to be there.
    pub fn is_name(&self) -> bool {
        !self.0.as_str().contains(['*', '?', '['])
    }

    /// As the operator wrote it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for InterfacePattern {
    type Err = InterfacePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(InterfacePatternError::Empty);
        }
        let pattern = glob::Pattern::new(text).map_err(|e| InterfacePatternError::BadPattern(e.msg))?;
        let pattern = Self(pattern);
        if text.contains('/') || (pattern.is_name() && text.len() > NAME_MAX) {
            return Err(InterfacePatternError::NoName);
        }
        Ok(pattern)
    }
}

impl fmt::Display for InterfacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns_match_as_in_a_shell() {
        let matches = |pattern: &str, name: &str| pattern.parse::<InterfacePattern>().unwrap().matches(name);
        assert!(matches("eth0", "eth0"));
        assert!(!matches("eth0", "eth01"));
        assert!(matches("veth*", "veth1a2b"));
        assert!(matches("en[op]*", "enp3s0"));
        assert!(!matches("en[!p]*", "enp3s0"));
        assert!(matches("eth?", "eth7"));
        assert!(matches("eth0.100", "eth0.100"));
        assert!(!matches("eth0.100", "eth0x100"));
    }

    #[test]
    fn a_name_is_told_from_a_pattern() {
        assert!("eth0.100".parse::<InterfacePattern>().unwrap().is_name());
        assert!(!"eth*".parse::<InterfacePattern>().unwrap().is_name());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "a[", "***", "../x", "sixteen-bytes-ab"] {
            assert!(text.parse::<InterfacePattern>().is_err(), "{text}");
        }
    }
}
