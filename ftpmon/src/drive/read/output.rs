//! The output stage: batches of what the engine gives out to the chain, on a thread of its own, so that reading packets and
//! writing lines do not wait for each other.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use crate::chain::{Chain, Files};
use crate::config::Config;
use crate::sink::{DirectOutputError, DirectOutputs};
use crate::telemetry::{Snapshot, StartFacts};
use ftpmon_core::engine::{EngineConfig, FilePiece};
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, Origin, SensorStop};

/// Events that are handed over together: so many that waking a thread for them costs little.
pub(super) const BATCH_EVENTS: usize = 4096;
/// Batches that may wait to be written. A slow reader of the output holds the packets up here.
const BATCHES_WAITING: usize = 4;

/// What the engine gave out together.
pub(super) struct OutputBatch {
    /// Pieces of files. An event that reports a file comes with its last piece or later.
    pub(super) pieces: Vec<FilePiece>,
    /// Events in order.
    pub(super) events: VecDeque<Event>,
}

/// The end of a run.
pub(super) struct End {
    /// The latest time.
    pub(super) at: Timestamp,
    /// Milliseconds between the first packet and the latest.
    pub(super) uptime_ms: u64,
    /// The counters of the earlier stages.
    pub(super) snapshot: Snapshot,
    /// Why it ended.
    pub(super) reason: &'static str,
}

enum Job {
    Begin(Timestamp),
    Batch(OutputBatch),
    Flush,
    End(Box<End>),
}

/// Takes batches in order; a thread passes them on to the chain.
///
/// Events that were written come back, and are freed where they were made: an allocator has its memory at hand there, and
/// the threads do not wait for each other's counts of references. They go as fast as new ones come, so that what one
/// gives back the next one takes.
pub(super) struct OutputStage {
    jobs: SyncSender<Job>,
    /// Events that were written.
    done: Receiver<VecDeque<Event>>,
    /// What is left of a batch of them.
    spent: VecDeque<Event>,
    thread: JoinHandle<Result<(), DirectOutputError>>,
}

/// The thread has ended: [`OutputStage::finish`] says why.
pub(super) struct Stopped;

impl OutputStage {
    /// Opens the outputs and starts the thread, for the events of `origin`.
    ///
    /// # Errors
    /// The first output that cannot be opened.
    pub(super) fn start(
        config: &Config,
        engine: &EngineConfig,
        origin: &Origin,
    ) -> Result<Self, DirectOutputError> {
        let mut chain = Chain::new(config, origin, DirectOutputs::open)?;
        if let Some(store) = config.store() {
            chain.store_files(Files::at_once(store));
        }
        let facts = StartFacts::capture_files(config, engine);
        let (jobs, to_do) = sync_channel(BATCHES_WAITING);
        let (give_back, done) = channel();
        let thread = std::thread::spawn(move || carry_out(chain, &facts, &to_do, &give_back));
        Ok(Self { jobs, done, spent: VecDeque::new(), thread })
    }

    /// The run begins at `at`, the time of `sensor_start`.
    pub(super) fn begin(&mut self, at: Timestamp) -> Result<(), Stopped> {
        self.hand_over(Job::Begin(at))
    }

    /// The next batch.
    pub(super) fn batch(&mut self, batch: OutputBatch) -> Result<(), Stopped> {
        self.hand_over(Job::Batch(batch))
    }

    /// Tells how many events wait to become the next batch.
    #[inline]
    pub(super) fn events_waiting(&mut self, events: usize) {
        self.spent.truncate(BATCH_EVENTS.saturating_sub(events));
    }

    /// An empty queue for events, with room in it where one was written already.
    pub(super) fn empty_queue(&mut self) -> VecDeque<Event> {
        let mut queue = core::mem::replace(&mut self.spent, self.done.try_recv().unwrap_or_default());
        queue.clear();
        queue
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
    facts: &StartFacts,
    jobs: &Receiver<Job>,
    give_back: &Sender<VecDeque<Event>>,
) -> Result<(), DirectOutputError> {
    let mut latest = Timestamp::default();
    for job in jobs {
        match job {
            Job::Begin(at) => {
                latest = at;
                // It starts no thread.
                let _ = chain.start(&mut facts.event(at, Vec::new()));
            }
            Job::Batch(OutputBatch { pieces, mut events }) => {
                pieces.into_iter().for_each(|piece| chain.piece(piece));
                events.iter_mut().for_each(|event| chain.emit_borrowed(event));
                // The run may be over already.
                let _ = give_back.send(events);
            }
            Job::Flush => chain.flush(),
            Job::End(end) => {
                let End { at, uptime_ms, snapshot, reason } = *end;
                latest = at;
                chain.finish_waiting();
                chain.emit_stats(at, uptime_ms, snapshot);
                let kind = EventKind::SensorStop(SensorStop { reason: reason.to_owned() });
                chain.emit(Event { ts: at, session: None, user: None, kind });
            }
        }
        if chain.outputs().any(DirectOutputs::has_failed) || chain.outputs().all(DirectOutputs::is_over) {
            break;
        }
    }
    chain.finish(latest)
}
