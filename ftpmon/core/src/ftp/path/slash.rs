//! Paths of names between separators: POSIX, Windows with drives and UNC, NetWare with volumes.

use super::directory::{Directory, PATH_MAX};

/// The syntax of a path of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Separators {
    backslash: bool,
    volumes: bool,
}

impl Separators {
    /// `/` separates.
    pub(super) const SLASH: Self = Self { backslash: false, volumes: false };
    /// `/` and `\` separate; `C:` is a drive, `\\server\share` a share.
    pub(super) const WINDOWS: Self = Self { backslash: true, volumes: false };
    /// `/` and `\` separate; `SYS:` is a volume.
    pub(super) const NETWARE: Self = Self { backslash: true, volumes: true };

    const fn is_separator(self, byte: u8) -> bool {
        byte == b'/' || (self.backslash && byte == b'\\')
    }
}

/// A name that begins with one backslash.
pub(super) fn is_rooted_by_backslash(name: &[u8]) -> bool {
    matches!(name, [b'\\'] | [b'\\', 0..=b'[' | b']'..=255, ..])
}

/// Joins a directory and a name. `.`, `..` and repeated separators are removed; `..` ends at the root, and stays where
/// the directory above is not known.
pub(super) fn resolve(separators: Separators, cwd: &Directory, name: &[u8]) -> Option<Vec<u8>> {
    let cwd = match cwd {
        Directory::Login => Some(&[][..]),
        Directory::At(path) => Some(&**path),
        Directory::Unknown => None,
    };
    let (own, names) = Anchor::parse(separators, name);
    let base = cwd.map(|cwd| Anchor::parse(separators, cwd));
    let (anchor, base) = match (own, base) {
        (Anchor::Nowhere, base) => base?,
        // On the drive of the working directory.
        (Anchor::DriveOnly(letter), Some((Anchor::Drive(drive, separator), base)))
            if letter.eq_ignore_ascii_case(&drive) =>
        {
            (Anchor::Drive(drive, separator), base)
        }
        (Anchor::DriveOnly(_), _) => return None,
        // The root of the drive or share of the working directory, or the one root as the directory spells it.
        (Anchor::Root(_), Some((anchor, _))) if separators.backslash && anchor.is_top() => (anchor, &[][..]),
        (own, _) => (own, &[][..]),
    };
    let default = base.iter().chain(names).copied().find(|&byte| separators.is_separator(byte));
    // As long as it gets where nothing is removed, so that it need not grow.
    let mut path = Path::new(anchor, default.unwrap_or(b'/'), (base.len() + 1 + names.len()).min(PATH_MAX));
    let is_separator = |byte: &u8| separators.is_separator(*byte);
    for name in base.split(is_separator).chain(names.split(is_separator)) {
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

/// The start of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor<'a> {
    /// The working directory.
    Nowhere,
    /// The root, with its separator as spelt.
    Root(u8),
    /// `C:\` or `C:/`, with the separator as spelt.
    Drive(u8, u8),
    /// `C:` without a separator: the working directory of that drive.
    DriveOnly(u8),
    /// `\\server\share`.
    Share(&'a [u8]),
    /// `SYS:`, and the separator behind it where there is one.
    Volume(&'a [u8]),
    /// `~` or `~user`: a home that only the server knows.
    Home(&'a [u8]),
}

impl<'a> Anchor<'a> {
    /// The start of `path`, and its names behind that.
    fn parse(separators: Separators, path: &'a [u8]) -> (Self, &'a [u8]) {
        let split = |at: usize| path.split_at_checked(at).unwrap_or((path, &[]));
        match path {
            [b'\\', b'\\', rest @ ..] if separators.backslash => {
                let mut ends = rest.iter().enumerate().filter(|(_, byte)| separators.is_separator(**byte));
                let end = ends.nth(1).map_or(path.len(), |(at, _)| at + 2);
                let (share, names) = split(end);
                (Self::Share(share), names)
            }
            [separator, names @ ..] if separators.is_separator(*separator) => (Self::Root(*separator), names),
            [letter, b':', separator @ (b'\\' | b'/'), names @ ..]
                if !separators.volumes && letter.is_ascii_alphabetic() =>
            {
                (Self::Drive(*letter, *separator), names)
            }
            [letter, b':', names @ ..] if separators.backslash && letter.is_ascii_alphabetic() => {
                (Self::DriveOnly(*letter), names)
            }
            [b'~', ..] if !separators.backslash => {
                let (home, names) = split(memchr::memchr(b'/', path).unwrap_or(path.len()));
                (Self::Home(home), names)
            }
            path if separators.volumes => match memchr::memchr(b':', path) {
                Some(colon) => {
                    let separated = path.get(colon + 1).is_some_and(|&byte| separators.is_separator(byte));
                    let (volume, names) = split(colon + 1 + usize::from(separated));
                    (Self::Volume(volume), names)
                }
                None => (Self::Nowhere, path),
            },
            names => (Self::Nowhere, names),
        }
    }

    /// Nothing is above it.
    const fn is_top(self) -> bool {
        matches!(self, Self::Root(_) | Self::Drive(..) | Self::Share(_) | Self::Volume(_))
    }
}

/// A path under construction.
struct Path {
    bytes: Vec<u8>,
    /// Length of the anchor, bytes.
    root: usize,
    separator: u8,
}

impl Path {
    /// With room for this many bytes behind the anchor.
    fn new(anchor: Anchor<'_>, default: u8, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(3 + room);
        let separator = match anchor {
            Anchor::Nowhere | Anchor::DriveOnly(_) => default,
            Anchor::Root(separator) => {
                bytes.push(separator);
                separator
            }
            Anchor::Drive(letter, separator) => {
                bytes.extend_from_slice(&[letter, b':', separator]);
                separator
            }
            Anchor::Share(share) => {
                bytes.extend_from_slice(share);
                b'\\'
            }
            Anchor::Volume(volume) => {
                bytes.extend_from_slice(volume);
                match volume.last() {
                    Some(&separator @ (b'/' | b'\\')) => separator,
                    _ => default,
                }
            }
            Anchor::Home(home) => {
                bytes.extend_from_slice(home);
                b'/'
            }
        };
        Self { root: bytes.len(), bytes, separator }
    }

    fn enter(&mut self, name: &[u8]) {
        let at_root = self.bytes.len() == self.root;
        let separated = at_root && matches!(self.bytes.last(), Some(b'/' | b'\\' | b':'));
        if !self.bytes.is_empty() && !separated {
            self.bytes.push(self.separator);
        }
        self.bytes.extend_from_slice(name);
    }

    /// Drops the last name; false if no name is known.
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
    use super::{Directory, Separators, resolve};

    fn join(separators: Separators, cwd: Option<&str>, name: &str) -> String {
        let cwd = cwd.map_or(Directory::Login, |cwd| Directory::At(cwd.as_bytes().into()));
        String::from_utf8(resolve(separators, &cwd, name.as_bytes()).unwrap()).unwrap()
    }

    fn path(cwd: Option<&str>, name: &str) -> String {
        join(Separators::SLASH, cwd, name)
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
        let path = |cwd, name| join(Separators::WINDOWS, cwd, name);
        assert_eq!(path(Some("C:\\pub"), "a\\b"), "C:\\pub\\a\\b");
        assert_eq!(path(Some("C:\\pub"), "..\\x/y"), "C:\\x\\y");
        assert_eq!(path(Some("/x"), "D:/a/.."), "D:/");
        assert_eq!(path(Some("D:/x"), "a\\b"), "D:/x/a/b");
        assert_eq!(path(Some("C:\\"), ".."), "C:\\");
        assert_eq!(path(None, "~$report.docx"), "~$report.docx");
    }
}
