//! A session from a capture.

use std::path::Path;

use anyhow::Context as _;
use ftpmon_core::engine::{Engine, Output};
use ftpmon_core::frame::Decoder;
use ftpmon_core::segment::Segment;
use ftpmon_event::time::Timestamp;

use super::Selection;
use super::connections::Connections;
use super::record::{Collector, Record};
use crate::capture::{CaptureError, CaptureFile, Step};
use crate::config::Config;

/// Reads a capture. What its good part holds is given beside the error.
///
/// # Errors
/// There is no key for hashed secrets.
pub(super) fn read(
    path: &Path,
    selection: &Selection,
    config: &Config,
) -> anyhow::Result<(Option<Record>, anyhow::Result<()>)> {
    let mut engine = Engine::new(config.read_engine()?);
    let mut collector = Collector::new(selection);
    let mut latest = Timestamp::EARLIEST;
    let end = for_each_packet(path, |at, number, segment| {
        latest = latest.max(at);
        match segment {
            Some(segment) => engine.handle_segment(at, number, segment),
            None => engine.handle_time(at, number),
        }
        collect(&mut engine, &mut collector);
    });
    engine.finish(latest);
    collect(&mut engine, &mut collector);
    let mut record = collector.finish();
    if let Some(record) = &mut record {
        let mut connections = Connections::of(record);
        // What goes wrong now went wrong the first time.
        let _ = for_each_packet(path, |at, number, segment| {
            if let Some(segment) = segment {
                connections.push(at, number, segment);
            }
        });
        record.steps = connections.finish();
    }
    Ok((record, end.context("it cannot be read to its end")))
}

fn collect(engine: &mut Engine, collector: &mut Collector<'_>) {
    while let Some(output) = engine.poll() {
        if let Output::Event(event) = output {
            collector.push(event);
        }
    }
}

/// Calls something for each packet, with its number from 1 and the segment in it.
fn for_each_packet(
    path: &Path,
    mut each: impl FnMut(Timestamp, u64, Option<&Segment<'_>>),
) -> Result<(), CaptureError> {
    let mut file = CaptureFile::open(path)?;
    let mut decoder = Decoder::default();
    let mut number = 0;
    loop {
        match file.step()? {
            Step::Packet { at, frame } => {
                number += 1;
                each(at, number, decoder.decode(at, &frame).as_ref());
            }
            Step::Interface { .. } | Step::Wait => {}
            Step::End => return Ok(()),
        }
    }
}
