//! `ftpmon report`: tables and charts of stored events, as one HTML file, as JSON, as CSV or as xferlog.
//!
//! Events are read once, in their order. Every table has a cap in rows and in bytes, so that memory does not depend on how many events there
//! are, nor on what peers call their files.
//!
//! | file | what |
//! |---|---|
//! | `reading` | the events of files, parsed by several threads |
//! | `tally` | all tables of a report |
//! | `timeline` | counts over time, in steps that grow with the period |
//! | `latency` | a distribution of times |
//! | `servers` | the same by server and verb |
//! | `stalls` | stalls, and transfers that ended early |
//! | `csv`, `tables` | transfers as rows of CSV; all tables likewise |
//! | `audit`, `trail` | who did what, with which result; the latest of it, and the days of which there are events |
//! | `search` | the table of the page that a reader can search |
//! | `page`, `chart` | the HTML file, and its drawing |

mod audit;
mod chart;
mod csv;
mod latency;
mod page;
mod reading;
mod search;
mod servers;
mod stalls;
mod tables;
mod tally;
mod timeline;
mod trail;

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use crate::format::{Formatter as _, Xferlog, escaped};
use anyhow::{Context as _, anyhow};
use audit::AuditEntry;
use reading::LeftOut;
use tally::Tally;

/// The form of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReportForm {
    /// One HTML file; `-` is standard output.
    Html(PathBuf),
    /// All tables as JSON, on standard output.
    #[default]
    Json,
    /// Every transfer as a row of CSV, on standard output.
    Csv,
    /// All tables as rows of CSV, on standard output.
    Tables,
    /// Every record of the audit trail as a row of CSV, on standard output.
    Audit,
    /// Every transfer and deletion as a line of wu-ftpd's xferlog, on standard output.
    Xferlog,
}

/// Reads files of events, in their order, and writes their report.
///
/// # Errors
/// A file cannot be read or a line is no event, which is told when the report of the others was written; the report cannot be
/// written.
pub fn report(files: &[PathBuf], form: &ReportForm) -> anyhow::Result<()> {
    let mut tally = Tally::default();
    let mut out = BufWriter::new(std::io::stdout().lock());
    match form {
        ReportForm::Csv => out.write_all(csv::HEAD.as_bytes())?,
        ReportForm::Audit => out.write_all(audit::HEAD.as_bytes())?,
        _ => {}
    }
    let mut rows = Vec::new();
    let left_out = reading::for_each_event(files, |line| {
        match form {
            ReportForm::Csv => rows.extend(csv::row(&line.event).unwrap_or_default().bytes()),
            ReportForm::Audit => {
                rows.extend(
                    AuditEntry::of(&line.event).map(|record| record.row()).unwrap_or_default().bytes(),
                );
            }
            ReportForm::Xferlog => Xferlog.event(line.seq, &line.event, &mut rows),
            ReportForm::Html(_) | ReportForm::Json | ReportForm::Tables => tally.push(&line),
        }
        out.write_all(&rows)?;
        rows.clear();
        Ok(())
    })?;
    if left_out.files.len() == files.len() && !files.is_empty() {
        return Err(told(left_out));
    }
    match form {
        ReportForm::Csv | ReportForm::Audit | ReportForm::Xferlog => {}
        ReportForm::Tables => out.write_all(tables::csv(&tally).as_bytes())?,
        ReportForm::Json => {
            out.write_all(escaped(&serde_json::to_string_pretty(&tally)?).as_bytes())?;
            out.write_all(b"\n")?;
        }
        ReportForm::Html(path) if path.as_os_str() == "-" => out.write_all(page::html(&tally).as_bytes())?,
        ReportForm::Html(path) => std::fs::write(path, page::html(&tally))
            .with_context(|| format!("cannot write {}", path.display()))?,
    }
    out.flush()?;
    if left_out.files.is_empty() && left_out.lines == 0 { Ok(()) } else { Err(told(left_out)) }
}

/// The lines and files that were left out, as one error.
fn told(left_out: LeftOut) -> anyhow::Error {
    let lines = match left_out.lines {
        0 => None,
        1 => Some(anyhow!("1 line is no event and is left out")),
        lines => Some(anyhow!("{lines} lines are no events and are left out")),
    };
    let told: Vec<String> =
        left_out.files.into_iter().chain(lines).map(|error| format!("{error:#}")).collect();
    anyhow!(told.join("; "))
}
