//! Events to standard output, on a thread of their own: reading packets and writing lines take about as long, and
//! neither waits for the other.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::output::{Output, OutputError};
use crate::event::{Event, EventKind};
use crate::format::Encoder;
use crate::time::Timestamp;

/// Events that are handed over together.
const BATCH_EVENTS: usize = 1024;
/// Batches that may wait to be written. A slow reader of the output stops the reading of packets here.
const BATCHES_WAITING: usize = 4;
/// Bytes of finished lines after which they are written.
const BLOCK_BYTES: usize = 256 << 10;

enum Job {
    Header(Timestamp),
    Events(Vec<Event>),
    Flush,
    Footer(Timestamp),
}

/// Takes events in order; a thread writes them.
pub(super) struct Writer {
    batch: Vec<Event>,
    jobs: SyncSender<Job>,
    /// Emptied batches, to be filled again.
    emptied: Receiver<Vec<Event>>,
    thread: JoinHandle<Result<(), OutputError>>,
}

/// The writing thread has ended: [`Writer::finish`] says why.
pub(super) struct Stopped;

impl Writer {
    /// A writer to standard output.
    pub(super) fn start(encoder: Encoder) -> Self {
        let (jobs, to_do) = sync_channel(BATCHES_WAITING);
        let (done, emptied) = channel();
        let thread = std::thread::spawn(move || {
            let mut desk =
                Desk { encoder, lines: Vec::with_capacity(2 * BLOCK_BYTES), output: Output::standard() };
            for job in to_do {
                if let Some(batch) = desk.carry_out(job)? {
                    // Nobody takes it back when the run is over.
                    let _ = done.send(batch);
                }
            }
            desk.write_out()
        });
        Self { batch: Vec::with_capacity(BATCH_EVENTS), jobs, emptied, thread }
    }

    /// What stands before the first event.
    pub(super) fn header(&mut self, at: Timestamp) -> Result<(), Stopped> {
        self.hand_over(Job::Header(at))
    }

    /// The next event. `emitted` of `stats` is filled in when it is written.
    pub(super) fn event(&mut self, event: Event) -> Result<(), Stopped> {
        self.batch.push(event);
        if self.batch.len() >= BATCH_EVENTS { self.hand_over_batch() } else { Ok(()) }
    }

    /// Writes all that was said so far, since nothing may follow for a while.
    pub(super) fn flush(&mut self) -> Result<(), Stopped> {
        self.hand_over_batch()?;
        self.hand_over(Job::Flush)
    }

    /// What stands at the end, and the end: waits until everything is written.
    pub(super) fn finish(mut self, at: Timestamp) -> Result<(), OutputError> {
        // Where the thread has stopped, its result says why.
        let _ = self.hand_over_batch().and_then(|()| self.hand_over(Job::Footer(at)));
        self.stopped()
    }

    /// Why the thread ended.
    pub(super) fn stopped(self) -> Result<(), OutputError> {
        drop(self.jobs);
        match self.thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn hand_over_batch(&mut self) -> Result<(), Stopped> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let empty = self.emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(BATCH_EVENTS));
        let full = core::mem::replace(&mut self.batch, empty);
        self.hand_over(Job::Events(full))
    }

    fn hand_over(&mut self, job: Job) -> Result<(), Stopped> {
        self.jobs.send(job).map_err(|_| Stopped)
    }
}

/// The writing thread's own.
struct Desk {
    encoder: Encoder,
    lines: Vec<u8>,
    output: Output,
}

impl Desk {
    /// Does one job; gives a batch back that it has emptied.
    fn carry_out(&mut self, job: Job) -> Result<Option<Vec<Event>>, OutputError> {
        match job {
            Job::Header(at) => self.encoder.header(at, &mut self.lines),
            Job::Footer(at) => self.encoder.footer(at, &mut self.lines),
            Job::Flush => self.write_out()?,
            Job::Events(mut batch) => {
                for mut event in batch.drain(..) {
                    if let EventKind::Stats(stats) = &mut event.kind {
                        stats.emitted = self.encoder.written();
                    }
                    self.encoder.event(&event, &mut self.lines);
                    if self.lines.len() >= BLOCK_BYTES {
                        self.write_out()?;
                    }
                }
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn write_out(&mut self) -> Result<(), OutputError> {
        self.output.write(&self.lines)?;
        self.lines.clear();
        Ok(())
    }
}
