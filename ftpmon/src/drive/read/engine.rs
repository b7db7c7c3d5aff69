//! The engine stage: batches of segments to batches of what the engine gives out.

use std::time::SystemTime;

use super::intake::{Item, SegmentBatch, Summary};
use super::output::{BATCH_EVENTS, End, OutputBatch, OutputStage, Stopped};
use crate::telemetry::{Kind, Sampled, Snapshot};
use ftpmon_core::engine::{Engine, EngineConfig};
use ftpmon_core::segment::Segment;
use ftpmon_event::time::Timestamp;

/// Payload bytes after which events are handed over, however few they are: bounds what long replies make them hold.
const BATCH_PAYLOAD_BYTES: usize = 1 << 20;

/// The engine and its clock, which is that of the packets.
pub(super) struct EngineStage {
    engine: Engine,
    /// When the first packet was captured.
    begun: Option<Timestamp>,
    /// The latest time so far. A packet may be older; a timer's time never is.
    now: Timestamp,
    /// Payload bytes since the engine's events were taken.
    payload_bytes: usize,
}

impl EngineStage {
    pub(super) fn new(config: EngineConfig) -> Self {
        Self { engine: Engine::new(config), begun: None, now: Timestamp::default(), payload_bytes: 0 }
    }

    /// Handles the segments of a batch.
    pub(super) fn handle_batch(
        &mut self,
        batch: &SegmentBatch,
        output: &mut OutputStage,
    ) -> Result<(), Stopped> {
        for item in batch.items() {
            match item {
                Item::Packet { at, segment } => self.handle_packet(at, segment.as_ref(), output)?,
                Item::Interface { id, name } => self.engine.name_interface(id, name),
            }
        }
        if batch.pauses() { self.flush(output) } else { Ok(()) }
    }

    /// Hands over everything so far, and has it written.
    pub(super) fn flush(&mut self, output: &mut OutputStage) -> Result<(), Stopped> {
        self.drain_engine(output)?;
        output.flush()
    }

    /// The input is over, for `reason`: ends what is open.
    pub(super) fn finish(
        mut self,
        summary: &Summary,
        reason: &'static str,
        output: &mut OutputStage,
    ) -> Result<(), Stopped> {
        if self.begun.is_none() {
            self.begin(wall_clock(), output)?;
        }
        self.engine.finish(self.now);
        self.drain_engine(output)?;
        let mut snapshot = Snapshot::default();
        let counters = self.engine.counters();
        snapshot.add(Kind::Packets, "matched", counters.matched);
        counters.sample(&mut snapshot);
        summary.sample(&mut snapshot);
        let uptime_ms = self.begun.map_or(0, |begun| self.now.millis_since(begun));
        output.end(End { at: self.now, uptime_ms, snapshot, reason })
    }

    fn handle_packet(
        &mut self,
        at: Timestamp,
        segment: Option<&Segment<'_>>,
        output: &mut OutputStage,
    ) -> Result<(), Stopped> {
        if self.begun.is_none() {
            self.begin(at, output)?;
        }
        self.now = self.now.max(at);
        self.engine.handle_timeout(self.now);
        if let Some(segment) = segment {
            self.payload_bytes += segment.payload.len();
            self.engine.handle_segment(at, segment);
        }
        let waiting = self.engine.events_waiting();
        if waiting > 0 {
            output.events_waiting(waiting);
        }
        if waiting >= BATCH_EVENTS || self.payload_bytes >= BATCH_PAYLOAD_BYTES {
            self.drain_engine(output)
        } else {
            Ok(())
        }
    }

    /// The first event has the time of the first packet.
    fn begin(&mut self, at: Timestamp, output: &mut OutputStage) -> Result<(), Stopped> {
        (self.begun, self.now) = (Some(at), at);
        output.begin(at)
    }

    /// Hands over everything that the engine gives out. No packet selection listens to its updates.
    fn drain_engine(&mut self, output: &mut OutputStage) -> Result<(), Stopped> {
        while self.engine.poll_port_update().is_some() {}
        self.payload_bytes = 0;
        let pieces: Vec<_> = core::iter::from_fn(|| self.engine.poll_file_piece()).collect();
        if pieces.is_empty() && self.engine.events_waiting() == 0 {
            return Ok(());
        }
        let events = self.engine.exchange_events(output.empty_queue());
        output.batch(OutputBatch { pieces, events })
    }
}

/// The time of a run without a packet.
fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}
