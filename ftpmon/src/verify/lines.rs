//! Event files, line by line.

use core::ops::ControlFlow;
use std::io;
use std::path::Path;

use super::line::Line;
use super::runs::Runs;
use crate::event_file;

/// Adds the events of a file to `runs`.
///
/// # Errors
/// It cannot be read, or a line is no event.
pub(super) fn read(path: &Path, runs: &mut Runs) -> io::Result<()> {
    event_file::for_each_line(event_file::open(path)?, |number, line| {
        let text = line.trim_ascii();
        if !text.is_empty() {
            match serde_json::from_slice::<Line>(text) {
                Ok(event) => runs.add(&event),
                // A killed run left it; its number is missing where it is nowhere else.
                Err(_) if !line.ends_with(b"\n") || !text.ends_with(b"}") => runs.cut_line(),
                Err(error) => {
                    let what = format!("line {number} is no event of --format json: {error}");
                    return Err(io::Error::other(what));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}
