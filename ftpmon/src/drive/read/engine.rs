//! The engine stage: batches of segments to batches of what the engine gives out.

use super::batch::SegmentBatch;
use super::encoded::PartEncoder;
use super::intake::Summary;
use super::output::{End, OutputStage, Stopped};
use super::parts::Parts;
use crate::telemetry::{Kind, Sampled, Snapshot};
use crate::wall_clock;
use ftpmon_core::engine::EngineConfig;
use ftpmon_event::StopReason;
use ftpmon_event::time::Timestamp;

/// The engine and its clock, which is that of the packets.
pub(super) struct EngineStage {
    parts: Parts,
    /// When the first packet was captured.
    begun: Option<Timestamp>,
    /// The latest time so far. A packet may be older; a timer's time never is.
    now: Timestamp,
}

impl EngineStage {
    /// The engine in parts, one for each of `encoders`.
    pub(super) fn start(config: &EngineConfig, encoders: Vec<Option<PartEncoder>>) -> Self {
        Self { parts: Parts::start(config, encoders), begun: None, now: Timestamp::default() }
    }

    /// Handles the segments of a batch. Gives it back.
    pub(super) fn handle_batch(
        &mut self,
        batch: SegmentBatch,
        output: &mut OutputStage,
    ) -> Result<SegmentBatch, Stopped> {
        let pauses = batch.pauses();
        if let Some((first, latest)) = batch.period() {
            if self.begun.is_none() {
                self.begin(first, output)?;
            }
            self.now = self.now.max(latest);
        }
        if let Some(spent) = output.spent() {
            self.parts.give_back(spent);
        }
        let batch = self.parts.handle_batch(batch);
        self.hand_over(output)?;
        if pauses {
            output.flush()?;
        }
        Ok(batch)
    }

    /// Has everything so far written.
    pub(super) fn flush(&mut self, output: &mut OutputStage) -> Result<(), Stopped> {
        output.flush()
    }

    /// The input is over, for `reason`: ends what is open.
    pub(super) fn finish(
        mut self,
        summary: &Summary,
        reason: StopReason,
        output: &mut OutputStage,
    ) -> Result<(), Stopped> {
        if self.begun.is_none() {
            // The time of a run without a packet.
            self.begin(wall_clock::now(), output)?;
        }
        self.parts.finish(self.now);
        self.hand_over(output)?;
        let mut snapshot = Snapshot::default();
        let counters = self.parts.counters();
        snapshot.add(Kind::Packets, "matched", counters.matched);
        counters.sample(&mut snapshot);
        summary.sample(&mut snapshot);
        let uptime_ms = self.begun.map_or(0, |begun| self.now.millis_since(begun));
        output.end(End { at: self.now, uptime_ms, snapshot, reason })
    }

    /// The first event has the time of the first packet.
    fn begin(&mut self, at: Timestamp, output: &mut OutputStage) -> Result<(), Stopped> {
        (self.begun, self.now) = (Some(at), at);
        output.begin(at)
    }

    /// Hands over everything that the engine gives out.
    fn hand_over(&mut self, output: &mut OutputStage) -> Result<(), Stopped> {
        output.batch(self.parts.take_outputs())
    }
}
