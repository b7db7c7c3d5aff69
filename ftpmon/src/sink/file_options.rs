//! The settings of a file that is an output.

/// Permissions of a new file: events hold user names and paths, the world need not read them.
const MODE_DEFAULT: u32 = 0o640;
/// Rotated files that are kept.
const KEEP_DEFAULT: u32 = 5;
/// Rotated files that may be kept: each is renamed at a rotation.
const KEEP_MAX: u32 = 1_000;
/// The smallest size at which a file is rotated: the lines that each file begins with have to be a small part of it.
pub(super) const ROTATE_BYTES_MIN: u64 = 64 << 10;
/// The shortest age at which a file is rotated, seconds.
pub(super) const ROTATE_SECONDS_MIN: u32 = 10;

/// The settings of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// Bytes at which it is rotated.
    pub rotate_bytes: Option<u64>,
    /// Seconds after its creation at which it is rotated.
    pub rotate_seconds: Option<u32>,
    /// Rotated files that are kept.
    pub keep: u32,
    /// Rotated files are compressed.
    pub gzip: bool,
    /// Permissions of a new file.
    pub mode: u32,
    /// Owner of a new file; that of the process where there is none.
    pub uid: Option<u32>,
    /// Group of a new file.
    pub gid: Option<u32>,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            rotate_bytes: None,
            rotate_seconds: None,
            keep: KEEP_DEFAULT,
            gzip: false,
            mode: MODE_DEFAULT,
            uid: None,
            gid: None,
        }
    }
}

/// The number of files to keep.
pub(super) fn parse_keep(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&keep| keep <= KEEP_MAX)
}

/// Permissions, as octal digits.
pub(super) fn parse_mode(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|&mode| mode <= 0o777)
}

/// A user of this system, by name or number.
pub(super) fn parse_user(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| Some(nix::unistd::User::from_name(text).ok()??.uid.as_raw()))
}

/// A group of this system, by name or number.
pub(super) fn parse_group(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| Some(nix::unistd::Group::from_name(text).ok()??.gid.as_raw()))
}
