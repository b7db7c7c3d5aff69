//! Names on z/OS (z/OS Communications Server, IP User's Guide, chapter on FTP).
//!
//! The working directory is a prefix that ends with a dot and goes before a data set's name, or the name of a
//! partitioned data set, whose members the names are. A name between single quotes has no prefix. Data set names have
//! no case. HFS paths, which begin with a slash, are no names of this form.

use super::directory::{Directory, Target};

/// The name stands between single quotes.
pub(super) fn is_quoted(name: &[u8]) -> bool {
    name.len() >= 2 && name.starts_with(b"'") && name.ends_with(b"'")
}

/// A prefix of data set names: qualifiers in upper case, each with a dot behind it.
pub(super) fn is_prefix(path: &[u8]) -> bool {
    let Some(qualifiers) = path.strip_suffix(b".") else { return false };
    qualifiers.split(|&byte| byte == b'.').all(|qualifier| {
        let first = qualifier.first().is_some_and(|&byte| byte.is_ascii_uppercase() || is_national(byte));
        let rest = |&byte: &u8| {
            byte.is_ascii_uppercase() || byte.is_ascii_digit() || is_national(byte) || byte == b'-'
        };
        first && qualifier.len() <= 8 && qualifier.iter().all(rest)
    })
}

const fn is_national(byte: u8) -> bool {
    matches!(byte, b'$' | b'#' | b'@')
}

/// A directory as [`Directory::At`] has it: without quotes, in upper case.
pub(super) fn directory(path: &[u8]) -> Vec<u8> {
    unquoted(path).to_ascii_uppercase()
}

pub(super) fn resolve(cwd: &Directory, name: &[u8], target: Target) -> Option<Vec<u8>> {
    if is_quoted(name) {
        let name = directory(name);
        // Whether a name without a dot at its end becomes a prefix or is a partitioned data set is in the reply.
        return (target == Target::File || name.is_empty() || name.ends_with(b".")).then_some(name);
    }
    let Directory::At(cwd) = cwd else { return None };
    let in_prefix = cwd.is_empty() || cwd.ends_with(b".");
    match target {
        Target::Directory if name == b".." => {
            let without_dot = cwd.strip_suffix(b".").unwrap_or(cwd);
            let parent = memchr::memrchr(b'.', without_dot).map_or(0, |at| at + 1);
            Some(without_dot.get(..parent)?.to_vec())
        }
        Target::Directory => {
            (in_prefix && name.ends_with(b".")).then(|| [cwd, name].concat().to_ascii_uppercase())
        }
        Target::File if in_prefix => Some([cwd, name].concat().to_ascii_uppercase()),
        Target::File if name.is_empty() => Some(cwd.to_vec()),
        Target::File => Some([cwd, &b"("[..], name, b")"].concat().to_ascii_uppercase()),
    }
}

fn unquoted(name: &[u8]) -> &[u8] {
    if is_quoted(name) { name.get(1..name.len() - 1).unwrap_or_default() } else { name }
}
