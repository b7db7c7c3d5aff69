//! Events to standard output, on a thread of their own: understanding packets and writing lines do not wait for each other.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::output::{Output, OutputError};
use crate::format::Encoder;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind};

/// Events that are handed over together: so many that waking a thread for them costs little.
pub(super) const BATCH_EVENTS: usize = 4096;
/// Batches that may wait to be written. A slow reader of the output holds the packets up here.
const BATCHES_WAITING: usize = 4;
/// Bytes of finished lines after which they are written.
const BLOCK_BYTES: usize = 256 << 10;

enum Job {
    Header(Timestamp),
    Events(VecDeque<Event>),
    Flush,
    Footer(Timestamp),
}

/// Takes events in order; a thread writes them.
///
/// Events that were written come back, and are freed where they were made: an allocator has its memory at hand there, and
/// the threads do not wait for each other's counts of references. They go as fast as new ones come, so that what one
/// gives back the next one takes.
pub(super) struct Writer {
    jobs: SyncSender<Job>,
    /// Batches that were written.
    done: Receiver<VecDeque<Event>>,
    /// What is left of one of them.
    spent: VecDeque<Event>,
    thread: JoinHandle<Result<(), OutputError>>,
}

/// The writing thread has ended: [`Writer::finish`] says why.
pub(super) struct Stopped;

impl Writer {
    /// A writer to standard output.
    pub(super) fn start(encoder: Encoder) -> Self {
        let (jobs, to_do) = sync_channel(BATCHES_WAITING);
        let (give_back, done) = channel();
        let thread = std::thread::spawn(move || {
            let mut desk =
                Desk { encoder, lines: Vec::with_capacity(2 * BLOCK_BYTES), output: Output::standard() };
            for job in to_do {
                if let Some(batch) = desk.carry_out(job)? {
                    // Nobody takes it when the run is over.
                    let _ = give_back.send(batch);
                }
            }
            desk.write_out()
        });
        Self { jobs, done, spent: VecDeque::new(), thread }
    }

    /// What stands before the first event.
    pub(super) fn header(&mut self, at: Timestamp) -> Result<(), Stopped> {
        self.hand_over(Job::Header(at))
    }

    /// The next events. `emitted` of `stats` is filled in when it is written.
    pub(super) fn events(&mut self, events: VecDeque<Event>) -> Result<(), Stopped> {
        self.hand_over(Job::Events(events))
    }

    /// Tells how many events wait to become the next batch.
    #[inline]
    pub(super) fn waiting(&mut self, events: usize) {
        self.spent.truncate(BATCH_EVENTS.saturating_sub(events));
    }

    /// An empty queue for events, with room in it where one was written already.
    pub(super) fn queue(&mut self) -> VecDeque<Event> {
        let mut queue = core::mem::replace(&mut self.spent, self.done.try_recv().unwrap_or_default());
        queue.clear();
        queue
    }

    /// Writes all that was said so far, since nothing may follow for a while.
    pub(super) fn flush(&mut self) -> Result<(), Stopped> {
        self.hand_over(Job::Flush)
    }

    /// What stands at the end, and the end: waits until everything is written.
    pub(super) fn finish(mut self, at: Timestamp) -> Result<(), OutputError> {
        // Where the thread has stopped, its result says why.
        let _ = self.hand_over(Job::Footer(at));
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
    /// Does one job; gives a batch back that was written.
    fn carry_out(&mut self, job: Job) -> Result<Option<VecDeque<Event>>, OutputError> {
        match job {
            Job::Header(at) => self.encoder.header(at, &mut self.lines),
            Job::Footer(at) => self.encoder.footer(at, &mut self.lines),
            Job::Flush => self.write_out()?,
            Job::Events(mut batch) => {
                for event in &mut batch {
                    if let EventKind::Stats(stats) = &mut event.kind {
                        stats.emitted = self.encoder.written();
                    }
                    self.encoder.event(event, &mut self.lines);
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
