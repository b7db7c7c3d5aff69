//! The output stage: batches of what the engine gives out to the chain, on a thread of its own, so that reading packets and
//! writing lines do not wait for each other.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::encoded::{PartEncoder, for_each_line};
use super::parts::PartOutputs;
use crate::chain::{Chain, Files};
use crate::config::Config;
use crate::places::PlaceDatabases;
use crate::sink::{DirectOutputError, DirectOutputs};
use crate::telemetry::{Snapshot, StartFacts};
use ftpmon_core::detect::{Detectors, Wanted};
use ftpmon_core::engine::{EngineConfig, FilePiece, Output, Secrets, for_each_output};
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, Origin, SensorStop, StopReason};

/// Batches that may wait to be written. A slow reader of the output holds the packets up here.
const BATCHES_WAITING: usize = 2;

/// The end of a run.
pub(super) struct End {
    /// The latest time.
    pub(super) at: Timestamp,
    /// Milliseconds between the first packet and the latest.
    pub(super) uptime_ms: u64,
    /// The counters of the earlier stages.
    pub(super) snapshot: Snapshot,
    /// The reason.
    pub(super) reason: StopReason,
}

enum Job {
    Begin(Timestamp),
    /// The outputs of each part of the engine.
    Batch(PartOutputs),
    Flush,
    End(Box<End>),
}

/// Takes batches in order; a thread passes them on to the chain.
///
/// What was written comes back, and is freed where it was made: an allocator has its memory at hand there, and the threads
/// do not wait for each other's counts of references.
pub(super) struct OutputStage {
    jobs: SyncSender<Job>,
    /// The written outputs.
    done: Receiver<PartOutputs>,
    thread: JoinHandle<Result<(), DirectOutputError>>,
}

/// The thread has ended: [`OutputStage::finish`] says why.
pub(super) struct Stopped;

impl OutputStage {
    /// Opens the outputs and starts the thread, for the events of `origin`, which `detectors` see and `places` are added to.
    ///
    /// # Errors
    /// The first output that cannot be opened.
    pub(super) fn start(
        config: &Config,
        engine: &EngineConfig,
        origin: &Origin,
        (detectors, places): (Detectors, Option<Arc<PlaceDatabases>>),
    ) -> Result<Self, DirectOutputError> {
        let mut chain =
            Chain::new(config, origin, Secrets::Mask, |route| DirectOutputs::open(&route.outputs))?;
        chain.set_detectors(detectors);
        chain.set_places(places);
        if let Some(store) = config.store() {
            chain.store_files(Files::at_once(store));
        }
        let facts = StartFacts::capture_files(config, engine);
        let (jobs, to_do) = sync_channel(BATCHES_WAITING);
        let (give_back, done) = channel();
        let alerts = PartEncoder::new(config, origin, Wanted::default(), None);
        let thread = std::thread::spawn(move || carry_out(chain, alerts, &facts, &to_do, &give_back));
        Ok(Self { jobs, done, thread })
    }

    /// The run begins at `at`, the time of `sensor_start`.
    pub(super) fn begin(&mut self, at: Timestamp) -> Result<(), Stopped> {
        self.hand_over(Job::Begin(at))
    }

    /// The outputs of each part of the engine, of the same packets.
    pub(super) fn batch(&mut self, outputs: PartOutputs) -> Result<(), Stopped> {
        self.hand_over(Job::Batch(outputs))
    }

    /// A batch that was written, to be freed.
    pub(super) fn spent(&mut self) -> Option<PartOutputs> {
        self.done.try_recv().ok()
    }

    /// Has everything so far written, since nothing may follow for a while.
    pub(super) fn flush(&mut self) -> Result<(), Stopped> {
        self.hand_over(Job::Flush)
    }

    /// The end of the run: `stats` and `sensor_stop`.
    pub(super) fn end(&mut self, end: End) -> Result<(), Stopped> {
        self.hand_over(Job::End(Box::new(end)))
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// The first output that failed. One whose reader went away is no error.
    pub(super) fn finish(self) -> Result<(), DirectOutputError> {
        drop(self.jobs);
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn hand_over(&mut self, job: Job) -> Result<(), Stopped> {
        self.jobs.send(job).map_err(|_| Stopped)
    }
}

/// The thread: passes on what comes until the run ends, or nothing more can be written.
fn carry_out(
    mut chain: Chain<DirectOutputs>,
    mut alerts: Option<PartEncoder>,
    facts: &StartFacts,
    jobs: &Receiver<Job>,
    give_back: &Sender<PartOutputs>,
) -> Result<(), DirectOutputError> {
    let mut latest = Timestamp::default();
    for job in jobs {
        match job {
            Job::Begin(at) => {
                latest = at;
                // It starts no thread.
                let _ = chain.start(&mut facts.event(at, Vec::new()));
            }
            Job::Batch(mut parts) => {
                match &mut parts {
                    PartOutputs::Lines(parts) => {
                        let found = alerts.as_mut().and_then(|encoder| {
                            encoder.alerts(parts, |event, interest, add| {
                                chain.alerts_about(event, interest).for_each(|alert| add(&alert));
                            })
                        });
                        // Behind the events that they are about: of lines with one order those of the first part come first.
                        let count = parts.len();
                        parts.extend(found);
                        chain.emit_lines(|route, call| for_each_line(parts, route, call));
                        if let (Some(encoder), Some(spent)) = (&mut alerts, parts.drain(count..).next()) {
                            encoder.give_back(spent);
                        }
                    }
                    PartOutputs::Events(parts) => for_each_output(parts, |output| match output {
                        Output::Event(event) => chain.emit_borrowed(event),
                        Output::FilePiece(piece) => chain.piece(take_piece(piece)),
                        // Nothing selects packets here.
                        Output::SelectorUpdate(_) => {}
                    }),
                }
                // The run may be over already.
                let _ = give_back.send(parts);
            }
            Job::Flush => chain.flush(),
            Job::End(end) => {
                let End { at, uptime_ms, snapshot, reason } = *end;
                latest = at;
                chain.finish_waiting();
                chain.emit_stats(at, uptime_ms, snapshot);
                let kind = EventKind::SensorStop(SensorStop { reason });
                chain.emit(Event { ts: at, session: None, user: None, kind });
            }
        }
        if chain.outputs().any(DirectOutputs::has_failed) || chain.outputs().all(DirectOutputs::is_over) {
            break;
        }
    }
    chain.finish(latest)
}

/// A piece of a file as the chain takes it; what is left of it is empty.
fn take_piece(piece: &mut FilePiece) -> FilePiece {
    match piece {
        FilePiece::Bytes { id, bytes } => FilePiece::Bytes { id: *id, bytes: core::mem::take(bytes) },
        FilePiece::Close { .. } | FilePiece::Discard { .. } => piece.clone(),
    }
}
