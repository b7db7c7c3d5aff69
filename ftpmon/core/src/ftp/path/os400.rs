//! Names on IBM i in NAMEFMT 0: `LIBRARY/FILE.MEMBER` (IBM i, File Transfer Protocol, naming format subcommand).
//!
//! The working directory is a library. Names have no case. In NAMEFMT 1, and where a name begins with a slash, names
//! are slash paths, and no names of this form.

use super::directory::{Directory, Target};

pub(super) fn resolve(cwd: &Directory, name: &[u8], target: Target) -> Option<Vec<u8>> {
    let has_library = name.contains(&b'/');
    match (target, cwd) {
        (Target::Directory, _) => {
            let is_name = !name.is_empty() && !has_library && !name.contains(&b'.');
            is_name.then(|| name.to_ascii_uppercase())
        }
        (Target::File, _) if has_library => Some(name.to_ascii_uppercase()),
        (Target::File, Directory::At(library)) => {
            Some([library, &b"/"[..], name].concat().to_ascii_uppercase())
        }
        (Target::File, Directory::Login | Directory::Unknown) => None,
    }
}
