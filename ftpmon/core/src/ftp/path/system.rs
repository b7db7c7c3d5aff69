//! The operating system of a server, as far as path names depend on it.

use super::{slash, vms, zos};

/// The rules for path names on a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum System {
    /// Nothing has named it. Names are read as POSIX names where that reading is the only one.
    #[default]
    Unknown,
    /// UNIX, and servers that claim to be.
    Posix,
    /// Windows, OS/2 and DOS: drives, UNC, both slashes.
    Windows,
    /// z/OS (MVS): data sets and members, and HFS paths.
    Zos,
    /// OpenVMS: `DEVICE:[DIRECTORY]NAME.TYPE;VERSION`.
    Vms,
    /// IBM i (OS/400): libraries in NAMEFMT 0, slash paths in NAMEFMT 1.
    Os400,
    /// Novell NetWare: volumes.
    NetWare,
    /// Another system, whose rules are not implemented.
    Other,
}

impl System {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Posix,
        Self::Windows,
        Self::Zos,
        Self::Vms,
        Self::Os400,
        Self::NetWare,
        Self::Other,
    ];

    /// The system in the reply to SYST: 215 and a name of the IANA list of operating system names (RFC 959
    /// section 5.4).
    pub fn from_215(text: &[u8]) -> Self {
        let has = |word: &str| contains(text, word);
        match () {
            () if has("unix") || has("linux") || has("bsd") || has("macos") => Self::Posix,
            () if has("windows") || has("win32") || has("os/2") || has("msdos") || has("ms-dos") => {
                Self::Windows
            }
            () if has("mvs") || has("z/os") || has("os/390") => Self::Zos,
            () if has("os/400") || has("as/400") || has("ibm i") => Self::Os400,
            () if has("vms") => Self::Vms,
            () if has("netware") => Self::NetWare,
            () => Self::Other,
        }
    }

    /// The system in the greeting (220), by the name of the server program; none if it names no such program.
    pub fn from_greeting(text: &[u8]) -> Option<Self> {
        let letters = Letters::of(text);
        let has = |word: &str| letters.may_have(word) && contains(text, word);
        match () {
            () if has("microsoft ftp") || has("windows") => Some(Self::Windows),
            () if has("ibm ftp cs") => Some(Self::Zos),
            () if has("qtcp at") => Some(Self::Os400),
            () if has("vms") || has("multinet") => Some(Self::Vms),
            () if has("netware") => Some(Self::NetWare),
            () => None,
        }
    }

    /// The system whose form a path has; [`Unknown`](Self::Unknown) where several have it.
    pub fn of_path(path: &[u8]) -> Self {
        match path {
            [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic() => Self::Windows,
            [b'\\', b'\\', first, ..] if *first != b'\\' => Self::Windows,
            _ if slash::is_rooted_by_backslash(path) => Self::Windows,
            _ if vms::is_absolute(path) => Self::Vms,
            _ if zos::is_quoted(path) || zos::is_prefix(path) => Self::Zos,
            _ if path.get(..9).is_some_and(|head| head.eq_ignore_ascii_case(b"/QSYS.LIB")) => Self::Os400,
            _ => Self::Unknown,
        }
    }
}

/// The letters in a text, in any case: few texts that are searched for a word have all of its letters. Bytes that share the
/// lower five bits count as one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letters(u32);

impl Letters {
    /// Those of a text.
    #[inline]
    pub(super) const fn of(text: &[u8]) -> Self {
        let (mut letters, mut rest) = (0, text);
        while let [byte, behind @ ..] = rest {
            letters |= 1 << (*byte & 0x1f);
            rest = behind;
        }
        Self(letters)
    }

    /// The text may contain a word.
    #[inline(always)]
    pub(super) const fn may_have(self, word: &str) -> bool {
        let Self(wanted) = Self::of(word.as_bytes());
        wanted & !self.0 == 0
    }
}

/// `text` contains the lower-case `word`, in any case. Asked of many replies, of which few do: places where the first letter
/// stands are compared, not all.
pub(super) fn contains(text: &[u8], word: &str) -> bool {
    let Some((&first, rest)) = word.as_bytes().split_first() else { return true };
    let follows =
        |at: usize| text.get(at + 1..at + word.len()).is_some_and(|it| it.eq_ignore_ascii_case(rest));
    memchr::memchr2_iter(first, first.to_ascii_uppercase(), text).any(follows)
}

#[cfg(test)]
mod tests {
    use super::System;

    #[test]
    fn systems_by_their_names() {
        for (text, want) in [
            ("UNIX Type: L8", System::Posix),
            ("UNIX emulated by FileZilla", System::Posix),
            ("Windows_NT", System::Windows),
            ("MVS is the operating system of this server. FTP Server is running on z/OS.", System::Zos),
            ("OS/400 is the remote operating system. The TCP/IP version is \"V7R4M0\".", System::Os400),
            ("VMS system type.", System::Vms),
            ("OpenVMS", System::Vms),
            ("NETWARE Type: L8", System::NetWare),
            ("VM is the operating system of this server.", System::Other),
        ] {
            assert_eq!(System::from_215(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn systems_by_their_greetings() {
        for (text, want) in [
            ("Microsoft FTP Service", Some(System::Windows)),
            ("FTPSERVE IBM FTP CS V2R4 at ZOS1, 10:00:00 on 2024-01-01.", Some(System::Zos)),
            ("QTCP at MYAS400.", Some(System::Os400)),
            ("node FTP Server (Version 5.7) OpenVMS", Some(System::Vms)),
            ("ProFTPD Server ready", None),
        ] {
            assert_eq!(System::from_greeting(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn systems_by_their_paths() {
        for (path, want) in [
            ("C:\\x", System::Windows),
            ("\\\\srv\\share", System::Windows),
            ("DKA0:[A.B]", System::Vms),
            ("SYS$SYSDEVICE:[USERS.SMITH]", System::Vms),
            ("'IBMUSER.'", System::Zos),
            ("IBMUSER.", System::Zos),
            ("/QSYS.LIB/QGPL.LIB", System::Os400),
            ("/home/x", System::Unknown),
            ("QGPL", System::Unknown),
            ("...", System::Unknown),
        ] {
            assert_eq!(System::of_path(path.as_bytes()), want, "{path}");
        }
    }
}
