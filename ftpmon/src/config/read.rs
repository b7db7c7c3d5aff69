//! Settings for reading capture files.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::text;

/// Settings for reading capture files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadConfig {
    /// The capture files in the order of their packets; `-` is standard input.
    #[serde(with = "text::path_list")]
    pub captures: Vec<PathBuf>,
    /// Threads of the engine at most; none for as many as the machine has processors. The events do not depend on it.
    pub threads: Option<u8>,
}

impl ReadConfig {
    /// Threads of the engine.
    pub fn threads(&self) -> u8 {
        let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.unwrap_or_else(|| u8::try_from(processors()).unwrap_or(u8::MAX)).max(1)
    }
}
