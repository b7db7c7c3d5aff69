//! A session from stored events.

use core::ops::ControlFlow;
use std::io::BufRead;

use anyhow::bail;
use ftpmon_event::EventLine;

use super::options::Selection;
use super::record::{Collector, SessionRecord};
use crate::event_file;

/// Reads a file of events. What could be read is given beside the error.
pub(super) fn read(
    input: impl BufRead,
    selection: &Selection,
) -> (Option<SessionRecord>, anyhow::Result<()>) {
    let mut collector = Collector::new(selection);
    let mut wrong: Option<(u64, serde_json::Error)> = None;
    let read = event_file::for_each_line(input, |number, line| {
        match serde_json::from_slice::<EventLine>(line) {
            Ok(line) => collector.push(line.event),
            Err(error) => wrong = wrong.take().or(Some((number, error))),
        }
        Ok::<_, anyhow::Error>(ControlFlow::Continue(()))
    });
    let end = read.and_then(|()| match wrong {
        None => Ok(()),
        Some((number, error)) => bail!("line {number} is no event and is passed over: {error}"),
    });
    (collector.finish(), end)
}
