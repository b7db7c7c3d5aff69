//! A session from a capture.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use ftpmon_core::engine::{Engine, Output};
use ftpmon_core::frame::{Decoder, RawFrame};
use ftpmon_core::segment::Segment;
use ftpmon_event::time::Timestamp;

use super::connections::Connections;
use super::options::Selection;
use super::record::{Collector, SessionRecord};
use crate::capture::{CaptureError, CaptureFile, Step};
use crate::config::Config;

/// The findings in a capture.
pub(crate) struct Found {
    /// The session, without the steps of its connections.
    pub(super) record: Option<SessionRecord>,
    /// The servers' ports of all sessions.
    pub(super) ports: BTreeSet<u16>,
    /// The reason why the capture could not be read to its end. What its good part holds was found.
    pub(super) end: anyhow::Result<()>,
}

/// Looks for a session in a capture.
///
/// # Errors
/// There is no key for hashed secrets.
pub(super) fn find(path: &Path, selection: &Selection, config: &Config) -> anyhow::Result<Found> {
    let mut engine = Engine::new(config.read_engine()?);
    let mut collector = Collector::new(selection);
    let mut latest = Timestamp::EARLIEST;
    let end = for_each_packet(path, |at, number, _, segment| {
        latest = latest.max(at);
        match segment {
            Some(segment) => engine.handle_segment(at, number, segment),
            None => engine.handle_time(at, number),
        }
        collect(&mut engine, &mut collector);
    });
    engine.finish(latest);
    collect(&mut engine, &mut collector);
    let ports = collector.ports();
    Ok(Found { record: collector.finish(), ports, end: end.context("it cannot be read to its end") })
}

/// Adds the steps of a session's connections.
pub(super) fn add_steps(path: &Path, record: &mut SessionRecord) {
    let mut connections = Connections::of(record);
    // What goes wrong now went wrong when the session was looked for.
    let _ = for_each_packet(path, |at, number, _, segment| {
        if let Some(segment) = segment {
            connections.push(at, number, segment);
        }
    });
    record.steps = connections.finish();
}

fn collect(engine: &mut Engine, collector: &mut Collector<'_>) {
    while let Some(output) = engine.poll() {
        if let Output::Event(event) = output {
            collector.push(event);
        }
    }
}

/// Calls something for each packet, with its number from 1, its frame and the segment in it.
///
/// # Errors
/// The capture cannot be read, or not to its end.
pub(super) fn for_each_packet(
    path: &Path,
    mut each: impl FnMut(Timestamp, u64, &RawFrame<'_>, Option<&Segment<'_>>),
) -> Result<(), CaptureError> {
    let mut file = CaptureFile::open(path)?;
    let mut decoder = Decoder::default();
    let mut number = 0;
    loop {
        match file.step()? {
            Step::Packet { at, frame } => {
                number += 1;
                each(at, number, &frame, decoder.decode(at, &frame).as_ref());
            }
            Step::Interface { .. } | Step::Wait => {}
            Step::End => return Ok(()),
        }
    }
}
