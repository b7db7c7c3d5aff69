//! OpenVMS file specifications: `DEVICE:[DIRECTORY.SUBDIRECTORY]NAME.TYPE;VERSION`.
//!
//! `[.X]` is below the working directory, `[-]` above it, `[X]` on its device; `[000000]` is a device's top directory.
//! Angle brackets may stand for square ones.

use super::directory::{Directory, Target};

/// The top directory of a device.
const TOP: &[u8] = b"000000";

/// A specification split at its device and its directory.
struct Specification<'a> {
    /// With the colon.
    device: &'a [u8],
    /// Between the brackets; none if there are no brackets.
    directory: Option<&'a [u8]>,
    name: &'a [u8],
}

impl<'a> Specification<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let open = text.iter().position(|byte| matches!(byte, b'[' | b'<'));
        let Some(open) = open else {
            let colon = memchr::memrchr(b':', text).map_or(0, |at| at + 1);
            let (device, name) = text.split_at_checked(colon)?;
            return Some(Self { device, directory: None, name });
        };
        let (device, rest) = text.split_at_checked(open)?;
        let close = if rest.starts_with(b"[") { b']' } else { b'>' };
        let end = memchr::memchr(close, rest)?;
        let valid = device.is_empty() || is_device(device);
        valid.then_some(Self { device, directory: rest.get(1..end), name: rest.get(end + 1..)? })
    }
}

fn is_device(text: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'_' | b'-' | b':' | b'.');
    text.len() > 1 && text.ends_with(b":") && text.iter().all(letter)
}

/// The text has a device and a directory in brackets.
pub(super) fn is_absolute(text: &[u8]) -> bool {
    Specification::parse(text).is_some_and(|it| !it.device.is_empty() && it.directory.is_some())
}

/// The text has a directory in brackets, with or without a device.
pub(super) fn is_bracketed(text: &[u8]) -> bool {
    Specification::parse(text).is_some_and(|it| it.directory.is_some())
}

pub(super) fn resolve(cwd: &Directory, name: &[u8], target: Target) -> Option<Vec<u8>> {
    let named = Specification::parse(name)?;
    let cwd = match cwd {
        Directory::At(path) => Specification::parse(path).filter(|cwd| cwd.directory.is_some()),
        Directory::Login | Directory::Unknown => None,
    };
    match (named.device, named.directory) {
        ([_, ..], Some(_)) => (target == Target::File || named.name.is_empty()).then(|| name.to_vec()),
        // A logical name, or a device with a directory of its own.
        ([_, ..], None) => (target == Target::File && !named.name.is_empty()).then(|| name.to_vec()),
        ([], Some(directory)) if target == Target::File || named.name.is_empty() => {
            let cwd = cwd?;
            Some(join(cwd.device, &below(cwd.directory?, directory)?, named.name))
        }
        ([], Some(_)) => None,
        ([], None) => {
            let cwd = cwd?;
            let directory: Vec<&[u8]> = components(cwd.directory?).collect();
            match target {
                Target::File if name.contains(&b'/') => None,
                Target::File => Some(join(cwd.device, &directory, name)),
                Target::Directory if name == b".." => {
                    Some(join(cwd.device, &below(cwd.directory?, b"-")?, b""))
                }
                Target::Directory if name.iter().any(|byte| matches!(byte, b'.' | b'/' | b';')) => None,
                Target::Directory => Some(join(cwd.device, &[directory, vec![name]].concat(), b"")),
            }
        }
    }
}

fn components(directory: &[u8]) -> impl Iterator<Item = &[u8]> {
    directory.split(|&byte| byte == b'.').filter(|name| !name.is_empty() && *name != TOP)
}

/// `relative`, the text between brackets, as seen from `directory`.
fn below<'a>(directory: &'a [u8], relative: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    let is_relative = matches!(relative, [] | [b'.' | b'-', ..]);
    let mut path: Vec<&[u8]> = if is_relative { components(directory).collect() } else { Vec::new() };
    for name in components(relative) {
        if name.iter().all(|&byte| byte == b'-') {
            for _ in name {
                path.pop()?;
            }
        } else {
            path.push(name);
        }
    }
    Some(path)
}

fn join(device: &[u8], directory: &[&[u8]], name: &[u8]) -> Vec<u8> {
    let directory = if directory.is_empty() { TOP.to_vec() } else { directory.join(&b'.') };
    [device, b"[", &directory, b"]", name].concat()
}
