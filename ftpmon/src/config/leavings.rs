//! Files that a live run leaves.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::text;

/// The places where an agent leaves things to the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinConfig {
    /// The folder in a BPF file system for maps and links.
    #[serde(with = "text::path")]
    pub folder: PathBuf,
    /// The file for what is known of open sessions.
    #[serde(with = "text::path")]
    pub state: PathBuf,
}

/// A pcapng file for the matched packets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WritePcapConfig {
    /// The file.
    #[serde(with = "text::path")]
    pub path: PathBuf,
    /// Largest size of the file, bytes.
    #[serde(default)]
    pub max_bytes: Option<u64>,
}
