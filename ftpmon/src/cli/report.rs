//! The options of `ftpmon report`.

use std::path::PathBuf;

use clap::Args;

use crate::view::ReportForm;

/// `ftpmon report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Files with events as --format json writes them, also gzipped; - for standard input
    #[arg(required = true, value_name = "EVENTS")]
    pub files: Vec<PathBuf>,
    /// Write one HTML file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "csv"])]
    pub html: Option<PathBuf>,
    /// Write all tables as JSON to standard output; the default
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Write every transfer as a row of CSV to standard output
    #[arg(long)]
    pub csv: bool,
}

impl ReportArgs {
    /// The form of the report.
    pub fn form(&self) -> ReportForm {
        match (&self.html, self.csv) {
            (Some(path), _) => ReportForm::Html(path.clone()),
            (None, true) => ReportForm::Csv,
            (None, false) => ReportForm::Json,
        }
    }
}
