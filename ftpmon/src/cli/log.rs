//! `--log-level` and `--log-format`.

use clap::Args;

use crate::config::LogConfig;
use crate::diagnostics::{LogFormat, LogLevel};

/// Diagnostics on standard error.
#[derive(Clone, Debug, Args)]
pub struct LogOptions {
    /// Write diagnostics of this level and above on standard error
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,
    /// Form of the diagnostics
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

impl From<&LogOptions> for LogConfig {
    fn from(options: &LogOptions) -> Self {
        Self { level: options.log_level, format: options.log_format }
    }
}
