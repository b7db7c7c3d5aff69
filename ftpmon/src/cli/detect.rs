//! The options of `ftpmon detect`.

use std::path::PathBuf;

use clap::Args;

use crate::config::{DetectChoice, ListFile, parse_allowance};
use crate::format::Format;
use ftpmon_core::detect::Allowance;

/// `ftpmon detect`.
#[derive(Clone, Debug, Args)]
pub struct DetectOptions {
    /// Files with events as --format json writes them, oldest first; - for standard input
    #[arg(required_unless_present_any = ["list", "explain"], value_name = "EVENTS")]
    pub files: Vec<PathBuf>,
    /// List the detectors
    #[arg(long, conflicts_with = "files")]
    pub list: bool,
    /// Explain a detector: what it finds, when it alerts, what to do about false alarms
    #[arg(long, value_name = "ID", conflicts_with_all = ["files", "list"])]
    pub explain: Option<String>,
    /// Detectors, shared with `run` and `read`.
    #[command(flatten)]
    pub detectors: DetectorArgs,
    /// Format of the alerts
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
}

/// Detectors.
#[derive(Clone, Debug, Args)]
pub struct DetectorArgs {
    /// Detectors: default, all, none, and single ones as ID, ID=off or ID=COUNT/TIME. ftpmon detect --list shows them
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "default")]
    pub detect: Vec<DetectChoice>,
    /// Networks that detectors do not alert on, as NETWORK, or with client:, server: or target: before it; ID= before that is for one detector,
    /// target is the third host of a transfer between two servers
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_allowance)]
    pub detect_allow: Vec<Allowance>,
    /// Lists of what is known to be bad, as KIND=FILE: hashes, names, networks, ja4, users
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub detect_lists: Vec<ListFile>,
    /// Files with rules of your own (docs/detections.md)
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub detect_rules: Vec<PathBuf>,
    /// Databases of countries and autonomous systems (MaxMind DB): session_start and alerts tell those of both ends
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub geo: Vec<PathBuf>,
}
