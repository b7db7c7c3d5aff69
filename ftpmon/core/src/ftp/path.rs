//! Paths on a server, as the dialogue names them. Their bytes need not be UTF-8.

use std::borrow::Cow;

/// A path longer than this many bytes is none that a server has (Linux's PATH_MAX). Bounds the working directory of a
/// client that goes down for ever.
pub const PATH_MAX: usize = 4096;

/// The path that `arg` names in the working directory `cwd`, as far as it is known: absolute where `arg` or `cwd` is,
/// otherwise relative to a directory that nobody named. None where it is longer than [`PATH_MAX`].
///
/// `.`, `..` and repeated slashes are worked off; `..` ends at the root, and stays where the directory that it goes up
/// from is not known. A path that begins with `~` starts at a home that only the server knows. Behind a drive letter
/// backslashes separate as slashes do; elsewhere they are part of names.
pub fn resolve(cwd: Option<&[u8]>, arg: &[u8]) -> Option<Vec<u8>> {
    let (own, names) = Anchor::of(arg);
    let (anchor, base) = match (own, cwd) {
        (Anchor::Nowhere, Some(cwd)) => Anchor::of(cwd),
        _ => (own, &[][..]),
    };
    let on_drive = matches!(anchor, Anchor::Drive(..));
    let separates = |byte: &u8| *byte == b'/' || (on_drive && *byte == b'\\');
    // As long as it gets where nothing is worked off, so that it need not grow.
    let mut path = Path::at(anchor, (base.len() + 1 + names.len()).min(PATH_MAX));
    for name in base.split(separates).chain(names.split(separates)) {
        match name {
            b"" | b"." => {}
            b".." if path.leave() || anchor.is_top() => {}
            name => path.enter(name),
        }
        if path.bytes.len() > PATH_MAX {
            return None;
        }
    }
    if path.bytes.is_empty() {
        path.bytes.push(b'.');
    }
    Some(path.bytes)
}

/// The path in a 257 reply: between double quotes, those within it doubled (RFC 959 appendix II). None where nothing
/// is quoted.
pub fn in_257(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let open = memchr::memchr(b'"', text)?;
    let (head, quoted) = (text.get(..open)?, text.get(open + 1..)?);
    if head.ends_with(b"\\") {
        // Some servers escape the quotes themselves.
        let end = memchr::memmem::find(quoted, b"\\\"")?;
        return quoted.get(..end).map(Cow::Borrowed);
    }
    let mut doubled = false;
    let mut quotes = memchr::memchr_iter(b'"', quoted);
    let end = loop {
        let at = quotes.next()?;
        if quoted.get(at + 1) != Some(&b'"') {
            break at;
        }
        doubled = true;
        quotes.next();
    };
    let path = quoted.get(..end)?;
    Some(if doubled { Cow::Owned(undoubled(path)) } else { Cow::Borrowed(path) })
}

fn undoubled(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.iter();
    while let Some(&byte) = bytes.next() {
        out.push(byte);
        if byte == b'"' {
            bytes.next();
        }
    }
    out
}

/// Where a path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor<'a> {
    /// In the directory that it is used in.
    Nowhere,
    /// `/`.
    Root,
    /// `C:\` or `C:/`, with the separator as spelt.
    Drive(u8, u8),
    /// `~` or `~user`.
    Home(&'a [u8]),
}

impl<'a> Anchor<'a> {
    /// Where `path` starts, and its names from there.
    fn of(path: &'a [u8]) -> (Self, &'a [u8]) {
        match path {
            [b'/', names @ ..] => (Self::Root, names),
            [letter, b':', separator @ (b'\\' | b'/'), names @ ..] if letter.is_ascii_alphabetic() => {
                (Self::Drive(*letter, *separator), names)
            }
            [b'~', ..] => {
                let end = memchr::memchr(b'/', path).unwrap_or(path.len());
                let (home, names) = path.split_at_checked(end).unwrap_or((path, &[]));
                (Self::Home(home), names)
            }
            names => (Self::Nowhere, names),
        }
    }

    /// Nothing is above it.
    const fn is_top(self) -> bool {
        matches!(self, Self::Root | Self::Drive(..))
    }
}

/// A path being put together.
struct Path {
    bytes: Vec<u8>,
    /// How many bytes of it are the anchor.
    root: usize,
    separator: u8,
}

impl Path {
    /// With room for so many bytes behind the anchor.
    fn at(anchor: Anchor<'_>, room: usize) -> Self {
        let drive: [u8; 3];
        let (root, separator): (&[u8], u8) = match anchor {
            Anchor::Nowhere => (&[], b'/'),
            Anchor::Root => (b"/", b'/'),
            Anchor::Drive(letter, separator) => {
                drive = [letter, b':', separator];
                (&drive, separator)
            }
            Anchor::Home(home) => (home, b'/'),
        };
        let mut bytes = Vec::with_capacity(root.len() + room);
        bytes.extend_from_slice(root);
        Self { root: root.len(), bytes, separator }
    }

    fn enter(&mut self, name: &[u8]) {
        let at_separator = self.bytes.len() == self.root && self.bytes.last() == Some(&self.separator);
        if !self.bytes.is_empty() && !at_separator {
            self.bytes.push(self.separator);
        }
        self.bytes.extend_from_slice(name);
    }

    /// Drops the last name; false where there is none that is known.
    fn leave(&mut self) -> bool {
        let names = self.bytes.get(self.root..).unwrap_or_default();
        let (start, last) = match names.iter().rposition(|&byte| byte == self.separator) {
            Some(at) => (at, names.get(at + 1..).unwrap_or_default()),
            None => (0, names),
        };
        let known = !last.is_empty() && last != b"..";
        if known {
            self.bytes.truncate(self.root + start);
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::{PATH_MAX, in_257, resolve};

    fn path(cwd: Option<&str>, arg: &str) -> String {
        String::from_utf8(resolve(cwd.map(str::as_bytes), arg.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn absolute_paths() {
        assert_eq!(path(Some("/pub"), "a.txt"), "/pub/a.txt");
        assert_eq!(path(Some("/"), "a"), "/a");
        assert_eq!(path(Some("/pub/x/"), "../y//./z/"), "/pub/y/z");
        assert_eq!(path(Some("/pub"), "../../../.."), "/");
        assert_eq!(path(Some("/pub"), "/etc/../tmp"), "/tmp");
        assert_eq!(path(None, "/a"), "/a");
        assert_eq!(path(Some("/pub"), ""), "/pub");
        assert_eq!(path(Some("/a"), "b\\c"), "/a/b\\c");
        assert_eq!(path(Some("/a"), " b "), "/a/ b ");
        assert_eq!(path(Some("/..b"), ".."), "/");
        assert_eq!(path(Some("/a.."), ".."), "/");
        assert_eq!(path(Some("/x/a.."), ".."), "/x");
    }

    #[test]
    fn paths_as_far_as_known() {
        assert_eq!(path(None, "a/../b"), "b");
        assert_eq!(path(None, "../b"), "../b");
        assert_eq!(path(Some("../b"), "../../c"), "../../c");
        assert_eq!(path(None, "a/.."), ".");
        assert_eq!(path(Some("/x"), "~/a/../b"), "~/b");
        assert_eq!(path(Some("~joe"), "a"), "~joe/a");
        assert_eq!(path(Some("~joe/a"), "../.."), "~joe/..");
    }

    #[test]
    fn windows_paths() {
        assert_eq!(path(Some("C:\\pub"), "a\\b"), "C:\\pub\\a\\b");
        assert_eq!(path(Some("C:\\pub"), "..\\x/y"), "C:\\x\\y");
        assert_eq!(path(Some("/x"), "D:/a/.."), "D:/");
        assert_eq!(path(Some("D:/x"), "a\\b"), "D:/x/a/b");
        assert_eq!(path(Some("C:\\"), ".."), "C:\\");
    }

    #[test]
    fn other_bytes_and_endless_paths() {
        assert_eq!(resolve(Some(b"/\xff"), b"\xfe").unwrap(), b"/\xff/\xfe");
        assert_eq!(resolve(Some(b"/"), &[b'a'; PATH_MAX + 1]), None);
        assert_eq!(resolve(Some(&[b'/'; 9000]), b"a").unwrap(), b"/a");
    }

    #[test]
    fn paths_of_257() {
        assert_eq!(in_257(b"\"/home/a\" is the current directory").unwrap(), &b"/home/a"[..]);
        assert_eq!(in_257(b"x \"/a\"\"b\"\"\" created").unwrap(), &b"/a\"b\""[..]);
        assert_eq!(in_257(b"\\\"/\\\" is it").unwrap(), &b"/"[..]);
        assert_eq!(in_257(b"\"\"").unwrap(), &b""[..]);
        assert_eq!(in_257(b"/home"), None);
        assert_eq!(in_257(b"\"/home"), None);
    }
}
