//! The engine in parts, each on a thread: all handle the same packets, each takes those of its partitions, and they meet
//! where partitions exchange.

use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::intake::{Item, SegmentBatch};
use ftpmon_core::engine::{Borders, Engine, EngineConfig, EngineCounters, Outputs, Pools, exchange, finish};
use ftpmon_event::time::Timestamp;

/// Packets that are worth the time that it takes to wake other threads for them.
const PARALLEL_MIN: usize = 256;

/// A part of the engine, and room for what comes out of it.
struct Part {
    engine: Engine,
    emptied: Outputs,
}

impl Part {
    /// Handles a span of a batch. `spent` was written, and is freed where it was made.
    fn handle(&mut self, batch: &SegmentBatch, span: &Span, spent: Option<Outputs>) {
        if let Some(mut spent) = spent {
            spent.clear();
            self.emptied = spent;
        }
        let mut index = span.first_index;
        for item in batch.items(&span.entries, span.payload) {
            match item {
                Item::Packet { at, partition, segment: Some(segment) } => {
                    self.engine.handle_segment_of(partition, at, index, &segment);
                    index += 1;
                }
                Item::Packet { at, .. } => {
                    self.engine.handle_time(at, index);
                    index += 1;
                }
                Item::Interface { id, name } => self.engine.name_interface(id, name),
            }
        }
    }
}

/// Packets of a batch between two borders.
#[derive(Clone, Debug)]
pub(super) struct Span {
    entries: Range<usize>,
    /// Where their payload begins.
    payload: usize,
    /// Index of the first packet.
    first_index: u64,
}

struct Job {
    batch: Arc<SegmentBatch>,
    span: Span,
    spent: Option<Outputs>,
}

struct Worker {
    jobs: Sender<Job>,
    done: Receiver<()>,
    thread: JoinHandle<()>,
}

/// All parts of the engine.
pub(super) struct Parts {
    parts: Vec<Arc<Mutex<Part>>>,
    /// One for each part but the first, whose work is done by the caller.
    workers: Vec<Worker>,
    borders: Borders,
    index: u64,
    /// What was written, to be freed by the parts.
    spent: Vec<Outputs>,
}

impl Parts {
    /// The engine in `threads` parts.
    pub(super) fn start(config: &EngineConfig, threads: u8) -> Self {
        let threads = threads.clamp(1, config.partitions.max(1));
        let pools = Pools::default();
        let part = |number| Part {
            engine: Engine::part(config.clone(), number, threads, &pools),
            emptied: Outputs::default(),
        };
        let parts: Vec<_> = (0..threads).map(|number| Arc::new(Mutex::new(part(number)))).collect();
        let workers = parts.iter().skip(1).map(|part| Worker::start(Arc::clone(part))).collect();
        Self { parts, workers, borders: Borders::default(), index: 0, spent: Vec::new() }
    }

    /// Handles the packets of a batch. Gives it back.
    pub(super) fn handle_batch(&mut self, batch: SegmentBatch) -> SegmentBatch {
        let batch = Arc::new(batch);
        let (mut entry, mut payload) = (0, 0);
        while entry < batch.len() {
            let (span, next) = self.next_span(&batch, entry, payload);
            (entry, payload) = (span.entries.end, next);
            self.handle_span(&batch, span);
        }
        // All workers are done with it.
        Arc::try_unwrap(batch).unwrap_or_default()
    }

    /// The packets from `entry` on up to the next border; an exchange that is due before them is done. Gives also where the
    /// payload behind them begins.
    fn next_span(&mut self, batch: &SegmentBatch, entry: usize, payload: usize) -> (Span, usize) {
        let first_index = self.index;
        let (mut end, mut next) = (entry, payload);
        for (at, captured) in batch.times(entry) {
            if let Some(at) = at {
                let before = self.borders;
                if self.borders.packet(at, self.index) {
                    if end > entry {
                        // It begins the next span.
                        self.borders = before;
                        break;
                    }
                    self.exchange();
                }
                self.index += 1;
            }
            end += 1;
            next += captured;
        }
        (Span { entries: entry..end, payload, first_index }, next)
    }

    fn handle_span(&mut self, batch: &Arc<SegmentBatch>, span: Span) {
        let parallel = span.entries.len() >= PARALLEL_MIN;
        let mut spent = self.spent.drain(..);
        let own = spent.next();
        if parallel {
            for worker in &self.workers {
                let job = Job { batch: Arc::clone(batch), span: span.clone(), spent: spent.next() };
                // A worker that is gone panicked: waiting for it says so.
                let _ = worker.jobs.send(job);
            }
        }
        drop(spent);
        if let Some(first) = self.parts.first() {
            lock(first).handle(batch, &span, own);
        }
        if parallel {
            for worker in &self.workers {
                // One that is gone panicked, which is told when it is joined.
                let _ = worker.done.recv();
            }
        } else {
            self.parts.iter().skip(1).for_each(|part| lock(part).handle(batch, &span, None));
        }
    }

    fn exchange(&mut self) {
        let mut parts: Vec<_> = self.parts.iter().map(|part| lock(part)).collect();
        let mut engines: Vec<&mut Engine> = parts.iter_mut().map(|part| &mut part.engine).collect();
        exchange(&mut engines);
    }

    /// Takes what came out of each part.
    pub(super) fn take_outputs(&mut self) -> Vec<Outputs> {
        let take = |part: &Arc<Mutex<Part>>| {
            let mut part = lock(part);
            let emptied = core::mem::take(&mut part.emptied);
            part.engine.take_outputs(emptied)
        };
        self.parts.iter().map(take).collect()
    }

    /// Takes back what was written.
    pub(super) fn give_back(&mut self, spent: Vec<Outputs>) {
        self.spent = spent;
    }

    /// The input is over at `at`.
    pub(super) fn finish(&mut self, at: Timestamp) {
        let mut parts: Vec<_> = self.parts.iter().map(|part| lock(part)).collect();
        let mut engines: Vec<&mut Engine> = parts.iter_mut().map(|part| &mut part.engine).collect();
        finish(&mut engines, at);
    }

    /// The sum of what the parts counted.
    pub(super) fn counters(&self) -> EngineCounters {
        let mut sum = EngineCounters::default();
        self.parts.iter().for_each(|part| sum.merge(&lock(part).engine.counters()));
        sum
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        for Worker { jobs, thread, .. } in self.workers.drain(..) {
            drop(jobs);
            if let Err(panic) = thread.join()
                && !std::thread::panicking()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Worker {
    fn start(part: Arc<Mutex<Part>>) -> Self {
        let (jobs, to_do) = channel::<Job>();
        let (tell_done, done) = channel();
        let thread = std::thread::spawn(move || {
            for Job { batch, span, spent } in to_do {
                lock(&part).handle(&batch, &span, spent);
                // The batch is given back once nobody has it.
                drop(batch);
                if tell_done.send(()).is_err() {
                    return;
                }
            }
        });
        Self { jobs, done, thread }
    }
}

/// A part is locked by one thread at a time, by turns; a worker that panicked is found out when it is joined.
fn lock(part: &Mutex<Part>) -> MutexGuard<'_, Part> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
