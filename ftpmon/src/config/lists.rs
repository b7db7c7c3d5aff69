//! Lists of what is known to be bad, as files.

use core::fmt;
use core::ops::ControlFlow;
use core::str::FromStr;
use std::path::PathBuf;

use crate::event_file;
use ftpmon_core::detect::{List, ListKind};

/// `KIND=FILE`: a list, and the kind of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFile {
    /// The kind of its entries.
    pub kind: ListKind,
    /// The file: an entry a line; what is behind `#` and empty lines do not count. It may be gzipped.
    pub path: PathBuf,
}

impl fmt::Display for ListFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ListKind::ALL.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        write!(f, "{name}={}", self.path.display())
    }
}

impl FromStr for ListFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || ListKind::ALL.map(|(name, _)| name).join(", ");
        let wrong = || format!("`{text}` is no list: KIND=FILE, where KIND is one of {}", known());
        let (kind, path) = text.split_once('=').ok_or_else(wrong)?;
        let (_, kind) = ListKind::ALL.into_iter().find(|(name, _)| *name == kind).ok_or_else(wrong)?;
        if path.is_empty() {
            return Err(wrong());
        }
        Ok(Self { kind, path: path.into() })
    }
}

impl ListFile {
    /// Reads it.
    ///
    /// # Errors
    /// The file cannot be read, or the first line that is no entry.
    pub(crate) fn read(&self) -> Result<List, String> {
        let shown = self.path.display();
        let unreadable = |error: std::io::Error| format!("cannot read the list {shown}: {error}");
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let mut list = List::new(&name, self.kind);
        let input = event_file::open(&self.path).map_err(unreadable)?;
        let mut wrong = None;
        event_file::for_each_line(input, |number, line| {
            let text = String::from_utf8_lossy(line);
            let entry = text.split('#').next().unwrap_or_default().trim();
            if !entry.is_empty()
                && let Err(error) = list.add(entry)
            {
                wrong = Some(format!("{shown}:{number}: {error}"));
                return Ok::<_, std::io::Error>(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })
        .map_err(unreadable)?;
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        list.sort();
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["hashes=/a/b.txt", "networks=x", "ja4=/y=z"] {
            assert_eq!(text.parse::<ListFile>().unwrap().to_string(), text);
        }
        for text in ["hashes", "hashes=", "colours=/x", ""] {
            assert!(text.parse::<ListFile>().unwrap_err().contains("KIND=FILE"), "{text}");
        }
    }

    #[test]
    fn lines_are_entries_and_a_wrong_one_is_named() {
        let path = std::env::temp_dir().join(format!("ftpmon-list-{}", std::process::id()));
        let file = ListFile { kind: ListKind::Networks, path: path.clone() };
        assert!(file.read().unwrap_err().contains("cannot read"));
        std::fs::write(&path, "# bad hosts\n192.0.2.0/24  # a net\n\n2001:db8::1\n").unwrap();
        assert_eq!(file.read().unwrap().len(), 2);
        std::fs::write(&path, "192.0.2.0/24\nbanana\n").unwrap();
        let error = file.read().unwrap_err();
        assert!(error.contains(":2: ") && error.contains("banana"), "{error}");
        std::fs::remove_file(path).unwrap();
    }
}
