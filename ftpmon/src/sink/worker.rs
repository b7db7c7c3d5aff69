//! The thread behind each output: takes batches from its queue and writes them, whatever that takes.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::batch::LineBatch;
use super::destination::{Destination, Recovery};
use super::queue::Queue;
use super::spec::SinkSpec;
use crate::notice::notice;

/// First pause before an output is opened again; it doubles with each attempt.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest pause before an output is opened again.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// The state that an output's thread and its owner share.
pub(super) struct Shared {
    /// The name of the output.
    pub(super) spec: SinkSpec,
    /// Its queue.
    pub(super) queue: Queue,
    /// The lines that stand first in it each time it is opened.
    pub(super) opening: Mutex<Arc<[u8]>>,
    /// The number of times that it was opened again.
    pub(super) reopened: AtomicU64,
    /// Told when it is gone for good.
    pub(super) gone: Arc<Notify>,
}

impl Shared {
    fn opening(&self) -> Arc<[u8]> {
        Arc::clone(&self.opening.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One output's thread.
pub(super) struct Worker {
    shared: Arc<Shared>,
    destination: Box<dyn Destination>,
    open: bool,
    /// The lines that stand first, and how many bytes of them are written since the output was opened.
    opening: Arc<[u8]>,
    opening_written: usize,
    backoff: Duration,
}

/// The reason why a batch was not written.
enum Stop {
    /// The time to write what was left is over.
    OutOfTime,
    /// The output is gone for good.
    Gone,
}

impl Worker {
    /// A worker for an output that is open already.
    pub(super) fn new(shared: Arc<Shared>, destination: Box<dyn Destination>) -> Self {
        let opening = Arc::default();
        Self { shared, destination, open: true, opening, opening_written: 0, backoff: BACKOFF_MIN }
    }

    /// Writes until the queue is closed and empty, or the output is gone.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        self.opening = shared.opening();
        // The opening lines do not wait for the first event.
        let mut next = Some(LineBatch::new(Vec::new(), 0));
        while let Some(batch) = next {
            let mut written = 0;
            let result = self.deliver(&batch, &mut written);
            let lost = if result.is_ok() { 0 } else { batch.events_after(written) };
            shared.queue.done(batch.events(), lost);
            if let Err(Stop::Gone) = result {
                shared.queue.abandon();
                shared.gone.notify_one();
                return;
            }
            next = shared.queue.next();
        }
    }

    fn deliver(&mut self, batch: &LineBatch, written: &mut usize) -> Result<(), Stop> {
        loop {
            match self.attempt(batch, written) {
                Ok(()) => return Ok(()),
                Err(e)
                    if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
                        && self.open =>
                {
                    if !self.shared.queue.pause(Duration::ZERO) {
                        return Err(Stop::OutOfTime);
                    }
                }
                Err(e) => {
                    self.failed(&e, batch, written)?;
                    if !self.shared.queue.pause(self.backoff) {
                        return Err(Stop::OutOfTime);
                    }
                    self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    fn attempt(&mut self, batch: &LineBatch, written: &mut usize) -> io::Result<()> {
        if !self.open {
            self.destination.open()?;
            self.open = true;
            if self.opening_written == 0 {
                self.opening = self.shared.opening();
            }
            self.shared.reopened.fetch_add(1, Ordering::Relaxed);
            let lost = self.shared.queue.lost();
            notice(format_args!("output {}: reopened; {lost} events lost so far", self.shared.spec));
        }
        while let Some(rest) = self.opening.get(self.opening_written..).filter(|rest| !rest.is_empty()) {
            self.opening_written += self.destination.write(rest)?;
        }
        while let Some(rest) = batch.bytes().get(*written..).filter(|rest| !rest.is_empty()) {
            *written += self.destination.write(rest)?;
            self.backoff = BACKOFF_MIN;
        }
        Ok(())
    }

    fn failed(&mut self, error: &io::Error, batch: &LineBatch, written: &mut usize) -> Result<(), Stop> {
        let recovery = self.destination.recovery();
        if recovery == Recovery::Never {
            if error.kind() != io::ErrorKind::BrokenPipe {
                notice(format_args!("output {}: {error}; nothing more is written to it", self.shared.spec));
            }
            return Err(Stop::Gone);
        }
        if recovery == Recovery::WholeLine {
            *written = batch.line_start(*written);
            self.opening_written = 0;
        }
        if self.open {
            self.open = false;
            notice(format_args!(
                "output {}: {error}; trying again, up to {} MiB of events are kept meanwhile",
                self.shared.spec,
                super::QUEUE_BYTES_MAX >> 20
            ));
        }
        Ok(())
    }
}
