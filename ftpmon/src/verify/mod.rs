//! `ftpmon verify`: whether event files and spools are whole.
//!
//! The files of one output, rotated ones among them, have every `seq` of a run from 0 to its `sensor_stop`. Numbers that are there twice
//! are no fault: events are sent again, and each rotated file begins with `sensor_start`.
//!
//! | file | what |
//! |---|---|
//! | `line`, `lines` | an event; event files, line by line |
//! | `runs` | the numbers of each run |

mod line;
mod lines;
mod runs;

use core::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::sink::verify_spool;
use runs::Runs;

/// A file or spool could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct VerifyError {
    path: PathBuf,
    error: io::Error,
}

/// The result of looking at files and spools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyResult {
    /// Nothing is missing, damaged or without an end.
    pub whole: bool,
    /// A line for each run and each spool, and one for each fault.
    pub text: String,
}

/// Looks at event files of one output (`--format json`, also gzipped), and at spools, which are directories.
///
/// # Errors
/// One that cannot be read.
pub fn verify(paths: &[PathBuf]) -> Result<VerifyResult, VerifyError> {
    let mut verdict = VerifyResult { whole: true, text: String::new() };
    let mut runs = Runs::default();
    let error = |path: &Path| {
        let path = path.to_owned();
        move |error| VerifyError { path, error }
    };
    for path in paths {
        if path.is_dir() {
            let report = verify_spool(path).map_err(error(path))?;
            verdict.whole &= report.faults.is_empty();
            let _ = writeln!(
                verdict.text,
                "{}: {} segments, {} events, {}",
                path.display(),
                report.segments,
                report.events,
                if report.faults.is_empty() { "whole" } else { "damaged" }
            );
            for fault in &report.faults {
                let _ = writeln!(verdict.text, "  {fault}");
            }
            continue;
        }
        lines::read(path, &mut runs).map_err(error(path))?;
    }
    for run in runs.reports() {
        verdict.whole &= run.whole;
        verdict.text.push_str(&run.text);
    }
    Ok(verdict)
}
