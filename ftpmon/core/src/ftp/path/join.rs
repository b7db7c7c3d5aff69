//! Joining a working directory and a name.

use super::directory::{Directory, PATH_MAX, Target};
use super::slash::Separators;
use super::system::System;
use super::{os400, slash, vms, zos};

/// Joins a working directory and the name that a command gives.
///
/// None if the result is not known: a relative name in an unknown directory, a name whose meaning depends on an
/// unknown system, or a path longer than [`PATH_MAX`].
pub fn resolve(system: System, cwd: &Directory, name: &[u8], target: Target) -> Option<Vec<u8>> {
    let path = match Rules::select(system, cwd, name)? {
        Rules::Slash(separators) => slash::resolve(separators, cwd, name),
        Rules::DataSet => zos::resolve(cwd, name, target),
        Rules::Vms => vms::resolve(cwd, name, target),
        Rules::Library => os400::resolve(cwd, name, target),
    }?;
    (path.len() <= PATH_MAX).then_some(path)
}

/// The rules by which a directory and a name are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    Slash(Separators),
    DataSet,
    Vms,
    Library,
}

impl Rules {
    /// The rules for this name in this directory; none if the system that would decide is not known.
    fn select(system: System, cwd: &Directory, name: &[u8]) -> Option<Self> {
        let directory = cwd;
        let cwd = match directory {
            Directory::At(path) => Some(&**path),
            Directory::Login | Directory::Unknown => None,
        };
        let in_slash_tree = cwd.is_some_and(|cwd| cwd.starts_with(b"/"));
        match system {
            System::Posix => Some(Self::Slash(Separators::SLASH)),
            System::Windows => Some(Self::Slash(Separators::WINDOWS)),
            System::NetWare => Some(Self::Slash(Separators::NETWARE)),
            System::Zos if zos::is_quoted(name) => Some(Self::DataSet),
            System::Vms if vms::is_bracketed(name) => Some(Self::Vms),
            System::Zos | System::Vms | System::Os400 if name.starts_with(b"/") || in_slash_tree => {
                Some(Self::Slash(Separators::SLASH))
            }
            System::Zos => Some(Self::DataSet),
            System::Vms => Some(Self::Vms),
            System::Os400 => Some(Self::Library),
            System::Other => name.starts_with(b"/").then_some(Self::Slash(Separators::SLASH)),
            System::Unknown => match cwd.map_or(System::Unknown, System::of_path) {
                System::Unknown | System::Posix => Self::of_name(name, cwd.is_some()),
                known => Self::select(known, directory, name),
            },
        }
    }

    /// The rules that a name itself shows on an unknown system.
    fn of_name(name: &[u8], in_directory: bool) -> Option<Self> {
        match System::of_path(name) {
            System::Windows if !slash::is_rooted_by_backslash(name) => {
                return Some(Self::Slash(Separators::WINDOWS));
            }
            // A backslash is the root on Windows and a letter elsewhere.
            System::Windows => return None,
            System::Vms => return Some(Self::Vms),
            // A quoted data set of z/OS, or a POSIX name with quotes.
            System::Zos if !in_directory && zos::is_quoted(name) => return None,
            _ => {}
        }
        let climbs = memchr::memmem::find(name, b"..\\").is_some() || name.ends_with(b"\\..");
        (!climbs).then_some(Self::Slash(Separators::SLASH))
    }
}

#[cfg(test)]
mod tests {
    use super::{Directory, PATH_MAX, System, Target, resolve};

    /// The directory: `-` for the login directory, `?` for an unknown one.
    fn at(cwd: &str) -> Directory {
        match cwd {
            "-" => Directory::Login,
            "?" => Directory::Unknown,
            path => Directory::At(path.as_bytes().into()),
        }
    }

    /// Each row: system, working directory, name, path (empty where it is not known).
    fn check(target: Target, rows: &[(System, &str, &str, &str)]) {
        for &(system, cwd, name, want) in rows {
            let got = resolve(system, &at(cwd), name.as_bytes(), target).unwrap_or_default();
            assert_eq!(String::from_utf8(got).unwrap(), want, "{system:?} {cwd} {name}");
        }
    }

    #[test]
    fn files() {
        use System::{NetWare, Os400, Other, Posix, Unknown, Vms, Windows, Zos};
        check(
            Target::File,
            &[
                (Posix, "/pub", "a\\b", "/pub/a\\b"),
                (Posix, "/pub", "\\a", "/pub/\\a"),
                (Unknown, "/pub", "a.txt", "/pub/a.txt"),
                (Unknown, "-", "a.txt", "a.txt"),
                (Unknown, "?", "a.txt", ""),
                (Unknown, "?", "/a.txt", "/a.txt"),
                (Unknown, "/pub", "\\a", ""),
                (Unknown, "/pub", "..\\a", ""),
                (Unknown, "?", "C:\\a", "C:\\a"),
                (Unknown, "C:\\pub", "a\\b", "C:\\pub\\a\\b"),
                (Unknown, "-", "'SYS1.X(Y)'", ""),
                (Unknown, "/pub", "'a'", "/pub/'a'"),
                (Unknown, "?", "DKA0:[PUB]X.DAT;3", "DKA0:[PUB]X.DAT;3"),
                (Windows, "/inetpub", "\\abs\\f.txt", "/abs/f.txt"),
                (Windows, "/inetpub", "sub\\f.txt", "/inetpub/sub/f.txt"),
                (Windows, "C:\\a", "\\b\\c", "C:\\b\\c"),
                (Windows, "?", "\\\\srv\\share\\x\\..\\y", "\\\\srv\\share\\y"),
                (Windows, "\\\\srv\\share\\x", "..\\..\\..\\y", "\\\\srv\\share\\y"),
                (Windows, "\\\\srv\\share\\x", "\\y", "\\\\srv\\share\\y"),
                (Windows, "-", "sub\\f.txt", "sub\\f.txt"),
                (Windows, "C:\\a", "D:x", ""),
                (Windows, "C:\\a", "c:x", "C:\\a\\x"),
                (NetWare, "SYS:\\PUBLIC", "A\\B", "SYS:\\PUBLIC\\A\\B"),
                (NetWare, "/SYS/PUBLIC", "a", "/SYS/PUBLIC/a"),
                (NetWare, "SYS:PUBLIC", "VOL1:X/Y", "VOL1:X/Y"),
                (Zos, "IBMUSER.", "JCL.CNTL(JOB1)", "IBMUSER.JCL.CNTL(JOB1)"),
                (Zos, "IBMUSER.", "'sys1.parmlib(x)'", "SYS1.PARMLIB(X)"),
                (Zos, "SYS1.PARMLIB", "IEASYS00", "SYS1.PARMLIB(IEASYS00)"),
                (Zos, "?", "JCL.CNTL", ""),
                (Zos, "-", "JCL.CNTL", ""),
                (Zos, "IBMUSER.", "/etc/profile", "/etc/profile"),
                (Zos, "/u/ibmuser", "a/../b", "/u/ibmuser/b"),
                (Zos, "/u/ibmuser", "'SYS1.X'", "SYS1.X"),
                (Vms, "DKA0:[A.B]", "X.TXT;1", "DKA0:[A.B]X.TXT;1"),
                (Vms, "DKA0:[A.B]", "[.C]X.TXT", "DKA0:[A.B.C]X.TXT"),
                (Vms, "DKA0:[A.B]", "[-]X.TXT", "DKA0:[A]X.TXT"),
                (Vms, "DKA0:[A.B]", "[-.C]X.TXT", "DKA0:[A.C]X.TXT"),
                (Vms, "DKA0:[A.B]", "[C]X.TXT", "DKA0:[C]X.TXT"),
                (Vms, "?", "X.TXT", ""),
                (Vms, "-", "[A]X.TXT", ""),
                (Vms, "?", "DKA0:[A]X.TXT", "DKA0:[A]X.TXT"),
                (Vms, "/disk/dir", "x", "/disk/dir/x"),
                (Os400, "QGPL", "MYLIB/QCLSRC.PGM1", "MYLIB/QCLSRC.PGM1"),
                (Os400, "QGPL", "qclsrc.pgm1", "QGPL/QCLSRC.PGM1"),
                (Os400, "QGPL", "/home/x", "/home/x"),
                (Os400, "/QSYS.LIB/QGPL.LIB", "X.FILE/X.MBR", "/QSYS.LIB/QGPL.LIB/X.FILE/X.MBR"),
                (Os400, "?", "QCLSRC.PGM1", ""),
                (Other, "/x", "y", ""),
                (Other, "/x", "/y", "/y"),
            ],
        );
    }

    #[test]
    fn directories() {
        use System::{Os400, Vms, Zos};
        check(
            Target::Directory,
            &[
                (Zos, "A.B.", "..", "A."),
                (Zos, "A.B.C", "..", "A.B."),
                (Zos, "A.", "B.", "A.B."),
                (Zos, "A.", "B", ""),
                (Zos, "A.", "'SYS1.'", "SYS1."),
                (Zos, "?", "/u/x", "/u/x"),
                (Vms, "DKA0:[A.B]", "[.C]", "DKA0:[A.B.C]"),
                (Vms, "DKA0:[A.B]", "..", "DKA0:[A]"),
                (Vms, "DKA0:[A]", "[-]", "DKA0:[000000]"),
                (Vms, "DKA0:[000000]", "SUB", "DKA0:[SUB]"),
                (Vms, "DKA0:[A]", "DKB0:[X]", "DKB0:[X]"),
                (Vms, "DKA0:[A]", "SYS$LOGIN:", ""),
                (Os400, "QGPL", "mylib", "MYLIB"),
                (Os400, "QGPL", "..", ""),
            ],
        );
    }

    #[test]
    fn other_bytes_and_endless_paths() {
        let root = |path: &[u8]| Directory::At(path.into());
        let file = |cwd: &Directory, name: &[u8]| resolve(System::Unknown, cwd, name, Target::File);
        assert_eq!(file(&root(b"/\xff"), b"\xfe").unwrap(), b"/\xff/\xfe");
        assert_eq!(file(&root(b"/"), &[b'a'; PATH_MAX + 1]), None);
        assert_eq!(file(&root(&[b'/'; 9000]), b"a").unwrap(), b"/a");
    }
}
