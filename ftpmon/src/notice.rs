//! Messages to the operator while the agent runs: one line each on standard error.

use core::fmt;
use std::io::Write as _;

/// Writes one line to standard error. A standard error that is closed or full is no reason to stop.
pub(crate) fn notice(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "ftpmon: {text}");
}
