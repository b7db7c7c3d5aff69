//! The working directory that a reply names.

use std::borrow::Cow;

use super::directory::Directory;
use super::system::{Letters, System, contains};
use super::zos;

/// A directory that a reply names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// As [`Directory::At`] has it.
    pub path: Box<[u8]>,
    /// The system whose form it has; none if several have it.
    pub system: Option<System>,
}

impl Stated {
    /// The directory.
    pub fn into_directory(self) -> Directory {
        Directory::At(self.path)
    }

    fn new(system: System, path: &[u8], context: &[u8]) -> Self {
        let found = match system_of(path, context) {
            System::Unknown => None,
            found => Some(found),
        };
        let is_data_set = found.unwrap_or(system) == System::Zos && !path.starts_with(b"/");
        let path = if is_data_set { zos::directory(path).into() } else { path.into() };
        Self { path, system: found }
    }
}

/// The system that a stated directory and the words around it show.
fn system_of(path: &[u8], context: &[u8]) -> System {
    match System::of_path(path) {
        System::Unknown if path.starts_with(b"/") => System::Unknown,
        System::Unknown if contains(context, "name prefix") || contains(context, "data set") => System::Zos,
        System::Unknown if contains(context, "library") && is_library(path) => System::Os400,
        found => found,
    }
}

fn is_library(path: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'#' | b'@' | b'_' | b'*');
    matches!(path.len(), 1..=10) && path.iter().all(letter)
}

/// The directory in a 257 that answers PWD: between double quotes, those within it doubled (RFC 959 appendix II), or
/// at the head of the text where a server leaves the quotes out.
pub fn stated_by_257(system: System, text: &[u8]) -> Option<Stated> {
    if let Some((path, rest)) = quoted(text) {
        return Some(Stated::new(system, &path, &rest));
    }
    let line = text.split(|&byte| byte == b'\n').next()?;
    let path = unquoted_path(line.trim_ascii(), None)?;
    is_absolute(system, path, line).then(|| Stated::new(system, path, line))
}

/// The directory that a completion reply states in words, as many servers do in 250 and 230: `"/pub" is current
/// directory`, `Current directory is /pub`. Only an absolute one counts: other quoted words repeat the command.
pub fn stated(system: System, text: &[u8], arg: Option<&[u8]>) -> Option<Stated> {
    text.split(|&byte| byte == b'\n').find_map(|line| stated_in_line(system, line, arg))
}

fn stated_in_line(system: System, line: &[u8], arg: Option<&[u8]>) -> Option<Stated> {
    const SUBJECTS: [&str; 8] =
        ["directory", "folder", "library", "name prefix", "data set", "changed to", "connected to", "now in"];
    let letters = Letters::of(line);
    if !SUBJECTS.iter().any(|subject| letters.may_have(subject)) {
        return None;
    }
    let is_about_directory =
        |text: &[u8]| SUBJECTS.iter().any(|subject| letters.may_have(subject) && contains(text, subject));
    if let Some((path, rest)) = quoted(line) {
        return (is_about_directory(&rest) && is_absolute(system, &path, &rest))
            .then(|| Stated::new(system, &path, &rest));
    }
    if !is_about_directory(line) {
        return None;
    }
    let starts = memchr::memchr_iter(b' ', line).map(|at| at + 1);
    starts.chain([0]).find_map(|start| {
        let (before, rest) = line.split_at_checked(start)?;
        let path = unquoted_path(rest, arg)?;
        (introduces_directory(before, rest, path) && is_absolute(system, path, line))
            .then(|| Stated::new(system, path, line))
    })
}

/// The words before or behind a bare path make it the working directory.
fn introduces_directory(before: &[u8], rest: &[u8], path: &[u8]) -> bool {
    const WORDS: [&str; 11] =
        ["to", "is", "now", "in", "is:", "to:", "directory", "directory:", "folder", "=", "dir"];
    let behind = rest.get(path.len()..).unwrap_or_default();
    let last = before.trim_ascii_end().rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    match last {
        [] => contains(behind, "directory") || contains(behind, "folder"),
        word => WORDS.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())),
    }
}

/// The path at the head of `text`: up to words that servers put behind it, or to the line's end without the full stop.
fn unquoted_path<'a>(text: &'a [u8], arg: Option<&[u8]>) -> Option<&'a [u8]> {
    const BEHIND: [&[u8]; 6] = [b" is ", b" (", b", ", b" now ", b"; ", b" successful"];
    let begins_at = |at: &usize| {
        let rest = text.get(*at..).unwrap_or_default();
        BEHIND.iter().any(|phrase| rest.starts_with(phrase))
    };
    let end = memchr::memchr3_iter(b' ', b',', b';', text).find(begins_at);
    let path = text.get(..end.unwrap_or(text.len()))?.trim_ascii_end();
    let as_asked = |path: &[u8]| arg.is_some_and(|arg| !arg.is_empty() && path.ends_with(arg));
    let path = match path.strip_suffix(b".") {
        Some(stripped) if !as_asked(path) && !stripped.ends_with(b".") => stripped,
        _ => path,
    };
    (!path.is_empty()).then_some(path)
}

/// The path is absolute on the system, or on the one whose form it has.
fn is_absolute(system: System, path: &[u8], context: &[u8]) -> bool {
    let has_volume = memchr::memchr(b':', path).is_some_and(|at| at > 0);
    match system_of(path, context) {
        System::Unknown if path.starts_with(b"/") => true,
        System::Unknown => match system {
            System::Os400 => is_library(path) && contains(context, "library"),
            System::NetWare => has_volume && !path.contains(&b' '),
            _ => false,
        },
        _ => true,
    }
}

/// The first text between double quotes, and the text around it.
fn quoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, Vec<u8>)> {
    let open = memchr::memchr(b'"', text)?;
    let (head, quoted) = (text.get(..open)?, text.get(open + 1..)?);
    if let Some(head) = head.strip_suffix(b"\\") {
        // Some servers escape the quotes themselves.
        let end = memchr::memmem::find(quoted, b"\\\"")?;
        return Some((Cow::Borrowed(quoted.get(..end)?), [head, quoted.get(end + 2..)?].concat()));
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
    let rest = [head, quoted.get(end + 1..)?].concat();
    Some((if doubled { Cow::Owned(undoubled(path)) } else { Cow::Borrowed(path) }, rest))
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

/// The working directory in which `arg` names `path`: what is left of `path` without `arg`. None if `path` is not
/// absolute, or does not end with `arg` as one name.
pub fn parent_of<'a>(path: &'a [u8], arg: &[u8]) -> Option<&'a [u8]> {
    let is_name =
        !arg.is_empty() && !arg.iter().any(|byte| matches!(byte, b'/' | b'\\')) && !arg.starts_with(b".");
    let parent = path.strip_suffix(arg).filter(|_| is_name && path.starts_with(b"/"))?;
    match parent {
        b"/" => Some(parent),
        _ => parent.strip_suffix(b"/"),
    }
}

#[cfg(test)]
mod tests {
    use super::{System, parent_of, stated, stated_by_257};

    fn text(found: Option<super::Stated>) -> (String, Option<System>) {
        found.map_or_else(
            || (String::from("?"), None),
            |found| (String::from_utf8(found.path.into()).unwrap(), found.system),
        )
    }

    #[test]
    fn directories_of_257() {
        for (reply, path, system) in [
            ("\"/home/a\" is the current directory", "/home/a", None),
            ("x \"/a\"\"b\"\"\" created", "/a\"b\"", None),
            ("\\\"/\\\" is it", "/", None),
            ("\"\"", "", None),
            ("/home/a is the current directory.", "/home/a", None),
            ("/home/a.d", "/home/a.d", None),
            ("\"'IBMUSER.'\" is working directory.", "IBMUSER.", Some(System::Zos)),
            ("\"'IBMUSER.JCL'\" partitioned data set is working directory", "IBMUSER.JCL", Some(System::Zos)),
            ("\"QGPL\" is current library.", "QGPL", Some(System::Os400)),
            ("\"/QSYS.LIB/QGPL.LIB\" is current directory.", "/QSYS.LIB/QGPL.LIB", Some(System::Os400)),
            ("SYS$LOGIN:[A.B] is current directory", "SYS$LOGIN:[A.B]", Some(System::Vms)),
            ("\"C:\\pub\" is current directory", "C:\\pub", Some(System::Windows)),
            ("\"/home", "?", None),
            ("no directory", "?", None),
        ] {
            assert_eq!(
                text(stated_by_257(System::Unknown, reply.as_bytes())),
                (path.to_owned(), system),
                "{reply}"
            );
        }
    }

    #[test]
    fn directories_in_completion_replies() {
        for (reply, path) in [
            ("\"/srv/ftp/pub\" is current directory.", "/srv/ftp/pub"),
            ("CWD successful. \"/data/real\" is current directory.", "/data/real"),
            ("OK. Current directory is /pub/My Files", "/pub/My Files"),
            ("Directory changed to /pub.", "/pub"),
            ("Current directory is /pub/v1.", "/pub/v1."),
            ("HFS directory /u/user1 is the current working directory", "/u/user1"),
            ("\"SYS1.\" is the working directory name prefix.", "SYS1."),
            ("\"\" is the working directory name prefix.", ""),
            ("The working directory \"A.B.C\" is a partitioned data set", "A.B.C"),
            ("IBMUSER is logged on.  Working directory is \"IBMUSER.\".", "IBMUSER."),
            ("Current library changed to \"MYLIB\".", "MYLIB"),
            ("Connected to USERS:[HOLROYD].", "USERS:[HOLROYD]"),
            ("Changed to /x\nmore text", "/x"),
            // No directory, or a word of the command.
            ("Directory successfully changed.", "?"),
            ("CWD command successful.", "?"),
            ("CWD /pub command successful", "?"),
            ("\"CWD\" command successful: directory changed", "?"),
            ("Directory changed to \"pub\"", "?"),
            ("See /etc/motd for news", "?"),
        ] {
            assert_eq!(text(stated(System::Unknown, reply.as_bytes(), Some(b"v1."))).0, path, "{reply}");
        }
    }

    #[test]
    fn a_created_directory_names_its_parent() {
        assert_eq!(parent_of(b"/home/a/new", b"new"), Some(&b"/home/a"[..]));
        assert_eq!(parent_of(b"/new", b"new"), Some(&b"/"[..]));
        assert_eq!(parent_of(b"/home/renew", b"new"), None);
        assert_eq!((parent_of(b"new", b"new"), parent_of(b"/x/y", b"x/y")), (None, None));
    }
}
