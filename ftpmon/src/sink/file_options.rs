//! The settings of a file that is an output.

use super::output_error::OutputSpecError;
use crate::quantity::{bytes_text, parse_bytes, parse_seconds, seconds_text};

/// Permissions of a new file: events hold user names and paths, the world need not read them.
const MODE_DEFAULT: u32 = 0o640;
/// Rotated files that are kept.
const KEEP_DEFAULT: u32 = 5;
/// Rotated files that may be kept: each is renamed at a rotation.
const KEEP_MAX: u32 = 1_000;
/// The smallest size at which a file is rotated: the lines that each file begins with have to be a small part of it.
const ROTATE_BYTES_MIN: u64 = 64 << 10;
/// The shortest age at which a file is rotated, seconds.
const ROTATE_SECONDS_MIN: u32 = 10;

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

impl FileOptions {
    /// Sets one by name.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), OutputSpecError> {
        let wrong = |setting, wanted: &str| OutputSpecError::Value {
            setting,
            value: value.to_owned(),
            wanted: wanted.to_owned(),
        };
        match name {
            "rotate" => {
                let bytes = parse_bytes(value).map_err(|error| OutputSpecError::Unit("rotate", error))?;
                let least = || wrong("rotate", "64K or more");
                self.rotate_bytes =
                    Some(Some(bytes).filter(|&bytes| bytes >= ROTATE_BYTES_MIN).ok_or_else(least)?);
            }
            "rotate-age" => {
                let seconds =
                    parse_seconds(value).map_err(|error| OutputSpecError::Unit("rotate-age", error))?;
                let least = || wrong("rotate-age", "10s or more");
                let seconds = Some(seconds).filter(|&seconds| seconds >= ROTATE_SECONDS_MIN);
                self.rotate_seconds = Some(seconds.ok_or_else(least)?);
            }
            "keep" => {
                self.keep = parse_keep(value).ok_or_else(|| wrong("keep", "0 to 1000 files"))?;
            }
            "gzip" => {
                self.gzip = match value {
                    "on" | "true" => true,
                    "off" | "false" => false,
                    _ => return Err(wrong("gzip", "on or off")),
                }
            }
            "mode" => {
                let octal = || wrong("mode", "octal digits, such as 0640");
                self.mode = parse_mode(value).ok_or_else(octal)?;
            }
            "owner" => {
                let user = || wrong("owner", "a user of this system");
                self.uid = Some(parse_user(value).ok_or_else(user)?);
            }
            "group" => {
                let group = || wrong("group", "a group of this system");
                self.gid = Some(parse_group(value).ok_or_else(group)?);
            }
            other => return Err(OutputSpecError::UnknownSetting(other.to_owned())),
        }
        Ok(())
    }

    /// Those that are not the default, by name.
    pub(super) fn named(&self) -> Vec<(&'static str, String)> {
        let default = Self::default();
        [
            self.rotate_bytes.map(|bytes| ("rotate", bytes_text(bytes))),
            self.rotate_seconds.map(|seconds| ("rotate-age", seconds_text(seconds.into()))),
            (self.keep != default.keep).then(|| ("keep", self.keep.to_string())),
            self.gzip.then(|| ("gzip", "on".to_owned())),
            (self.mode != default.mode).then(|| ("mode", format!("{:04o}", self.mode))),
            self.uid.map(|uid| ("owner", uid.to_string())),
            self.gid.map(|gid| ("group", gid.to_string())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The number of files to keep.
fn parse_keep(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&keep| keep <= KEEP_MAX)
}

/// Permissions, as octal digits.
fn parse_mode(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|&mode| mode <= 0o777)
}

/// A user of this system, by name or number.
fn parse_user(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| Some(nix::unistd::User::from_name(text).ok()??.uid.as_raw()))
}

/// A group of this system, by name or number.
fn parse_group(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| Some(nix::unistd::Group::from_name(text).ok()??.gid.as_raw()))
}
