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
    /// Write one HTML file; - for standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "csv", "tables", "audit", "xferlog"])]
    pub html: Option<PathBuf>,
    /// Write all tables as JSON to standard output; the default
    #[arg(long, conflicts_with_all = ["csv", "tables", "audit", "xferlog"])]
    pub json: bool,
    /// Write every transfer as a row of CSV to standard output
    #[arg(long, conflicts_with_all = ["tables", "audit", "xferlog"])]
    pub csv: bool,
    /// Write all tables as CSV to standard output, a row for each name with its counts or times
    #[arg(long, conflicts_with_all = ["audit", "xferlog"])]
    pub tables: bool,
    /// Write the audit trail as CSV to standard output: who, when, action, path, source, result and session of every login, transfer and
    /// change of files
    #[arg(long, conflicts_with = "xferlog")]
    pub audit: bool,
    /// Write every transfer and deletion as a line of xferlog to standard output
    #[arg(long)]
    pub xferlog: bool,
}

impl ReportArgs {
    /// The form of the report.
    pub fn form(&self) -> ReportForm {
        match &self.html {
            Some(path) => ReportForm::Html(path.clone()),
            None if self.csv => ReportForm::Csv,
            None if self.tables => ReportForm::Tables,
            None if self.audit => ReportForm::Audit,
            None if self.xferlog => ReportForm::Xferlog,
            None => ReportForm::Json,
        }
    }
}
