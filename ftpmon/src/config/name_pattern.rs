//! Names as glob patterns.

use core::fmt;
use core::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};

/// A glob pattern: `*` and `?` match any characters, also `/`; `[a-z]` and `{a,b}` are sets.
#[derive(Clone, Debug)]
pub struct NamePattern {
    text: String,
    matcher: GlobMatcher,
}

impl NamePattern {
    /// `name` is one that is meant.
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }
}

impl FromStr for NamePattern {
    type Err = globset::Error;

    fn from_str(text: &str) -> Result<Self, globset::Error> {
        let matcher =
            GlobBuilder::new(text).literal_separator(false).backslash_escape(true).build()?.compile_matcher();
        Ok(Self { text: text.to_owned(), matcher })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
