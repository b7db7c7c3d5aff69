//! The engine in parts, each on a thread: each takes the segments of its partitions, and they meet where partitions exchange.

use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::batch::{Item, SegmentBatch};
use super::encoded::{Encoded, PartEncoder};
use ftpmon_core::engine::{Engine, EngineConfig, EngineCounters, Outputs, Pools, exchange, finish};
use ftpmon_event::time::Timestamp;

/// Packets that are worth the time that it takes to wake other threads for them.
const PARALLEL_MIN: usize = 256;

/// The outputs of all parts of the engine, of the same packets.
pub(super) enum PartOutputs {
    /// As events.
    Events(Vec<Outputs>),
    /// As lines.
    Lines(Vec<Encoded>),
}

/// A part of the engine, and what comes out of it.
struct Part {
    number: usize,
    engine: Engine,
    /// Turns events to lines, where that need not wait for those of other parts.
    encoder: Option<PartEncoder>,
    emptied: Outputs,
}

impl Part {
    /// Handles a span of a batch.
    fn handle(&mut self, batch: &SegmentBatch, span: &Range<usize>) {
        let mut next = span.start;
        for item in batch.items(self.number, span) {
            match item {
                Item::Segment { packet, partition, at, segment } => {
                    self.pass_time(batch, next, packet);
                    next = packet + 1;
                    if let Some(now) = batch.time(packet) {
                        self.engine.handle_time(now, batch.index(packet));
                    }
                    self.engine.handle_segment_of(partition, at, &segment);
                    self.encode();
                }
                Item::Interface { id, name } => self.engine.name_interface(id, name),
                Item::Fragment { at, fragment } => self.engine.handle_fragment(at, fragment),
            }
        }
        self.pass_time(batch, next, span.end);
        if let Some(last) = span.end.checked_sub(1).filter(|last| *last >= next)
            && let Some(now) = batch.time(last)
        {
            self.engine.handle_time(now, batch.index(last));
            self.encode();
        }
    }

    /// Does what is due by packets of other parts.
    #[inline]
    fn pass_time(&mut self, batch: &SegmentBatch, from: usize, to: usize) {
        let mut next = from;
        while let Some((packet, now)) = batch.first_since(self.engine.quiet_until(), next, to) {
            self.engine.handle_time(now, batch.index(packet));
            next = packet + 1;
        }
    }

    /// Turns the events that wait to lines.
    #[inline]
    fn encode(&mut self) {
        if let Some(encoder) = &mut self.encoder
            && self.engine.has_outputs()
        {
            encoder.encode(&mut self.engine);
        }
    }
}

struct Job {
    batch: Arc<SegmentBatch>,
    span: Range<usize>,
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
}

impl Parts {
    /// The engine in parts, one for each of `encoders`.
    pub(super) fn start(config: &EngineConfig, encoders: Vec<Option<PartEncoder>>) -> Self {
        let (pools, count) = (Pools::default(), encoders.len());
        let part = |(number, encoder)| Part {
            number,
            engine: Engine::part(config.clone(), number as u8, count as u8, &pools),
            encoder,
            emptied: Outputs::default(),
        };
        let part = |numbered| Arc::new(Mutex::new(part(numbered)));
        let parts: Vec<_> = encoders.into_iter().enumerate().map(part).collect();
        let workers = parts.iter().skip(1).map(|part| Worker::start(Arc::clone(part))).collect();
        Self { parts, workers }
    }

    /// Handles the packets of a batch. Gives it back.
    pub(super) fn handle_batch(&mut self, batch: SegmentBatch) -> SegmentBatch {
        let batch = Arc::new(batch);
        for (number, span) in batch.spans().enumerate() {
            if number > 0 {
                self.exchange();
            }
            self.handle_span(&batch, span);
        }
        // All workers are done with it.
        Arc::try_unwrap(batch).unwrap_or_default()
    }

    fn handle_span(&mut self, batch: &Arc<SegmentBatch>, span: Range<usize>) {
        let parallel = span.len() >= PARALLEL_MIN;
        if parallel {
            for worker in &self.workers {
                let job = Job { batch: Arc::clone(batch), span: span.clone() };
                // A worker that is gone panicked: waiting for it says so.
                let _ = worker.jobs.send(job);
            }
        }
        if let Some(first) = self.parts.first() {
            lock(first).handle(batch, &span);
        }
        if parallel {
            for worker in &self.workers {
                // One that is gone panicked, which is told when it is joined.
                let _ = worker.done.recv();
            }
        } else {
            self.parts.iter().skip(1).for_each(|part| lock(part).handle(batch, &span));
        }
    }

    fn exchange(&mut self) {
        let mut parts: Vec<_> = self.parts.iter().map(|part| lock(part)).collect();
        let mut engines: Vec<&mut Engine> = parts.iter_mut().map(|part| &mut part.engine).collect();
        exchange(&mut engines);
    }

    /// Takes what came out of each part.
    pub(super) fn take_outputs(&mut self) -> PartOutputs {
        let lines: Vec<_> = self.parts.iter().filter_map(|part| lock(part).take_lines()).collect();
        if !lines.is_empty() {
            return PartOutputs::Lines(lines);
        }
        let events = |part: &Arc<Mutex<Part>>| {
            let mut part = lock(part);
            let emptied = core::mem::take(&mut part.emptied);
            part.engine.take_outputs(emptied)
        };
        PartOutputs::Events(self.parts.iter().map(events).collect())
    }

    /// Takes back what was written.
    pub(super) fn give_back(&mut self, spent: PartOutputs) {
        let parts = self.parts.iter().map(|part| lock(part));
        match spent {
            PartOutputs::Events(spent) => {
                for (mut part, mut spent) in parts.zip(spent) {
                    spent.clear();
                    part.emptied = spent;
                }
            }
            PartOutputs::Lines(spent) => {
                for (mut part, spent) in parts.zip(spent) {
                    if let Some(encoder) = &mut part.encoder {
                        encoder.give_back(spent);
                    }
                }
            }
        }
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

impl Part {
    /// Takes the lines that it made; none where it makes none.
    fn take_lines(&mut self) -> Option<Encoded> {
        self.encode();
        self.encoder.as_mut().map(PartEncoder::take)
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
            for Job { batch, span } in to_do {
                lock(&part).handle(&batch, &span);
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
