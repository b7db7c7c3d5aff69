//! The thread of each output: takes batches from its queue and writes them, with retries.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ftpmon_event::DropReason;
use tokio::sync::Notify;

use super::batch::LineBatch;
use super::destination::{Destination, Recovery, Rejection, Unit};
use super::handed_over::{HandedOver, Partial};
use super::queue::{Next, Queue};
use super::report::Report;
use super::spool::SpoolReader;
use crate::sandbox::{self, Role};

/// First pause before an output is opened again; it doubles with each attempt.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest pause before an output is opened again.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// The interval at which an output without events is checked.
const IDLE: Duration = Duration::from_secs(1);
/// The interval at which the end of a run asks whether the kernel has passed on everything.
const DRAIN_LOOK: Duration = Duration::from_millis(10);

/// The state that an output's thread and its owner share.
pub(super) struct Shared {
    /// The name of the output.
    pub(super) name: String,
    /// Its queue.
    pub(super) queue: Queue,
    /// The lines that stand first in it each time it is opened.
    pub(super) opening: Mutex<Arc<[u8]>>,
    /// The number of times that it was opened again.
    pub(super) reopened: AtomicU64,
    /// It takes events.
    pub(super) up: AtomicBool,
    /// The last time that it took some, seconds since 1970.
    pub(super) delivered_s: AtomicU64,
    /// The operator asks for its file to be opened again.
    pub(super) reopen: AtomicBool,
    /// It failed for good, or one of its route's did; a reader who had enough is no failure.
    pub(super) failed: Arc<AtomicBool>,
    /// Notified when the output failed for good.
    pub(super) gone: Arc<Notify>,
}

impl Shared {
    /// It took events just now.
    fn delivered(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.delivered_s.store(now.as_secs(), Ordering::Relaxed);
    }

    fn opening(&self) -> Arc<[u8]> {
        Arc::clone(&self.opening.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One output's thread.
pub(super) struct Worker {
    role: Role,
    shared: Arc<Shared>,
    /// The spool, which is read instead of the queue.
    spool: Option<SpoolReader>,
    destination: Box<dyn Destination>,
    state: State,
    /// The lines that stand first, and how many bytes of them are written since the output was opened.
    opening: Arc<[u8]>,
    opening_written: usize,
    /// The bytes to be written before the next batch of the queue.
    again: VecDeque<Partial>,
    handed_over: HandedOver,
    backoff: Duration,
    report: Report,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was never open.
    New,
    Open,
    Closed,
}

/// The reason why nothing more is written.
enum Stop {
    /// The time to write what is left has passed.
    OutOfTime,
    /// The output is gone for good.
    Gone,
}

impl Worker {
    /// A worker for an output, which may be open already. `resend_bytes` of what it took are kept to be sent again.
    pub(super) fn new(
        shared: Arc<Shared>,
        spool: Option<SpoolReader>,
        role: Role,
        destination: Box<dyn Destination>,
        open: bool,
        resend_bytes: usize,
    ) -> Self {
        Self {
            spool,
            role,
            report: Report::new(shared.name.clone()),
            shared,
            destination,
            state: if open { State::Open } else { State::New },
            opening: Arc::default(),
            opening_written: 0,
            again: VecDeque::new(),
            handed_over: HandedOver::new(resend_bytes),
            backoff: BACKOFF_MIN,
        }
    }

    /// Writes until the queue is closed and empty, or the output is gone.
    pub(super) fn run(mut self) {
        sandbox::enter_or_exit(self.role);
        self.opening = self.shared.opening();
        if self.spool.is_some() {
            // They come from the spool, after what is left of earlier runs.
            self.opening_written = self.opening.len();
        }
        // The opening lines do not wait for the first event.
        self.again.push_back((LineBatch::new(Vec::new(), Vec::new(), 0), 0));
        while let Some((batch, written)) = self.next_joined() {
            match self.deliver(batch, written) {
                Ok(()) => self.forget_confirmed(),
                Err(stop) => return self.stop(&stop),
            }
        }
        self.drain();
    }

    /// The bytes to be written next; nothing to write where nothing came for a while. None at the end.
    fn next(&mut self) -> Option<Partial> {
        if let Some(partial) = self.again.pop_front() {
            return Some(partial);
        }
        let nothing = || (LineBatch::new(Vec::new(), Vec::new(), 0), 0);
        if let Some(spool) = &mut self.spool {
            if let Some(batch) = spool.next() {
                return Some((batch, 0));
            }
            if self.shared.queue.is_closed() {
                return None;
            }
            spool.wait(IDLE);
            return Some(nothing());
        }
        match self.shared.queue.next(IDLE) {
            Next::Batch(batch) => Some((batch, 0)),
            Next::Idle => Some(nothing()),
            Next::End => None,
        }
    }

    /// The same with the batches after it, for an output that takes several at once.
    fn next_joined(&mut self) -> Option<Partial> {
        let (mut batch, written) = self.next()?;
        let most = self.destination.batch_bytes();
        while most > 0 && written == 0 && batch.events() > 0 && self.again.is_empty() {
            let waiting = match &mut self.spool {
                Some(spool) => spool.next(),
                None => match self.shared.queue.next(Duration::ZERO) {
                    Next::Batch(next) => Some(next),
                    Next::Idle | Next::End => None,
                },
            };
            let Some(next) = waiting else { break };
            match batch.joined(&next, most) {
                Some(joined) => batch = joined,
                None => self.again.push_back((next, 0)),
            }
        }
        Some((batch, written))
    }

    /// Writes the rest of `batch`, or puts it back after what has to be sent again first.
    fn deliver(&mut self, batch: LineBatch, begin: usize) -> Result<(), Stop> {
        let mut written = begin;
        loop {
            let Err(error) = self.attempt(&batch, &mut written) else {
                self.handed_over.add(batch, begin, written);
                return Ok(());
            };
            let open = self.state == State::Open;
            if open && matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
                if self.shared.queue.pause(Duration::ZERO) {
                    continue;
                }
                self.put_back(batch, begin, written);
                return Err(Stop::OutOfTime);
            }
            match self.failed(&error) {
                Recovery::Never => {
                    self.put_back(batch, begin, written);
                    self.rewind(&error);
                    return Err(Stop::Gone);
                }
                Recovery::SameByte => {
                    if !self.pause() {
                        self.put_back(batch, begin, written);
                        return Err(Stop::OutOfTime);
                    }
                }
                Recovery::WholeEvent => {
                    self.put_back(batch, begin, written);
                    if open {
                        self.rewind(&error);
                    }
                    return if self.pause() { Ok(()) } else { Err(Stop::OutOfTime) };
                }
            }
        }
    }

    fn attempt(&mut self, batch: &LineBatch, written: &mut usize) -> io::Result<()> {
        if self.state != State::Open {
            self.destination.open()?;
            self.opened();
        }
        let between_events = *written == batch.event_start(*written);
        if between_events && self.opening_written == self.opening.len() {
            let reopen = self.shared.reopen.swap(false, Ordering::Relaxed);
            if self.destination.turn(reopen)? {
                self.opening = self.shared.opening();
                self.opening_written = 0;
            }
        }
        while let Some(rest) = self.opening.get(self.opening_written..).filter(|rest| !rest.is_empty()) {
            let taken = self.destination.write(rest)?;
            self.opening_written += taken;
            self.handed_over.skip(taken);
        }
        let unit = self.destination.unit();
        loop {
            let end = if unit == Unit::Event { batch.event_end(*written) } else { batch.bytes().len() };
            let Some(rest) = batch.bytes().get(*written..end).filter(|rest| !rest.is_empty()) else { break };
            let taken = self.destination.write(rest)?;
            self.reject(batch, *written);
            *written += taken;
            self.backoff = BACKOFF_MIN;
            self.shared.delivered();
            self.report.works(self.shared.queue.lost());
        }
        Ok(())
    }

    /// Counts the events of the last write, which began at `from`, that the reader refused for good.
    fn reject(&mut self, batch: &LineBatch, from: usize) {
        for Rejection { bytes, reason } in self.destination.take_rejections() {
            let Some(missing) = batch.between(from + bytes.start, from + bytes.end) else { continue };
            self.report.rejects(&reason);
            let earlier = self.spool.as_ref().and_then(|spool| spool.earlier_run(batch.behind()?.run));
            self.shared.queue.lose_elsewhere(earlier, missing, missing.first, DropReason::Rejected);
        }
    }

    fn opened(&mut self) {
        if self.state == State::Closed {
            self.shared.reopened.fetch_add(1, Ordering::Relaxed);
        }
        self.state = State::Open;
        self.shared.up.store(true, Ordering::Relaxed);
        self.handed_over.restart();
        if self.opening_written == 0 {
            self.opening = self.shared.opening();
        }
        if self.opening.is_empty() {
            self.report.works(self.shared.queue.lost());
        }
    }

    fn failed(&mut self, error: &io::Error) -> Recovery {
        let recovery = self.destination.recovery();
        self.shared.up.store(false, Ordering::Relaxed);
        match recovery {
            // With `| head`, the rest is not wanted.
            Recovery::Never if error.kind() == io::ErrorKind::BrokenPipe => {}
            Recovery::Never => {
                self.shared.failed.store(true, Ordering::Relaxed);
                self.report.gone(error);
            }
            Recovery::SameByte => self.report.fails(error, self.shared.queue.cap()),
            Recovery::WholeEvent => {
                if self.state == State::Open {
                    self.opening_written = 0;
                }
                self.report.fails(error, self.shared.queue.cap());
            }
        }
        if self.state == State::Open {
            self.state = State::Closed;
        }
        recovery
    }

    /// `batch` was written between `begin` and `written`, and the rest of it is to be written next.
    fn put_back(&mut self, batch: LineBatch, begin: usize, written: usize) {
        let resume = batch.event_start(written);
        self.again.push_front((batch.clone(), resume.max(begin.min(written))));
        self.handed_over.add(batch, begin, written);
    }

    /// Has everything written again that the reader may not have, now that it is gone.
    fn rewind(&mut self, error: &io::Error) {
        let unread = self.destination.unread(Some(error));
        let mut unread = self.handed_over.take_unread(unread);
        // The batch that was being written is in both: what was written of it, and the rest.
        if let (Some((last, from)), Some((current, at))) = (unread.last(), self.again.front_mut())
            && last.is_same(current)
        {
            *at = (*at).min(*from);
            unread.pop();
        }
        unread.into_iter().rev().for_each(|partial| self.again.push_front(partial));
    }

    fn pause(&mut self) -> bool {
        let pause = self.backoff;
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        self.shared.queue.pause(pause)
    }

    /// Forgets what the reader has.
    fn forget_confirmed(&mut self) {
        if self.state != State::Open {
            return;
        }
        if let Some(spool) = &mut self.spool {
            let in_kernel = self.destination.in_kernel();
            if in_kernel == 0 && self.again.is_empty() {
                spool.accept_all();
            } else if let Some(behind) = self.handed_over.passed_on(in_kernel) {
                spool.accept(behind);
            }
        }
        if !self.handed_over.is_empty() {
            let unread = self.destination.unread(None);
            self.handed_over.forget_read(unread);
        }
    }

    fn stop(mut self, stop: &Stop) {
        // What the spool has comes with the next run.
        let lost = if self.spool.is_some() { VecDeque::new() } else { core::mem::take(&mut self.again) };
        for missing in lost.into_iter().filter_map(|(batch, written)| batch.rest(written)) {
            self.shared.queue.lose(missing, DropReason::WriteFailed);
        }
        match stop {
            Stop::Gone => {
                self.shared.queue.abandon();
                self.shared.gone.notify_one();
            }
            Stop::OutOfTime => self.drain(),
        }
    }

    /// Waits, as long as there is time, until the kernel has passed on everything, and says what it may not have.
    fn drain(mut self) {
        while self.state == State::Open && self.destination.in_kernel() > 0 {
            if !self.shared.queue.pause(DRAIN_LOOK) {
                let held = self.destination.in_kernel();
                if let Some(spool) = &mut self.spool {
                    if let Some(behind) = self.handed_over.passed_on(held) {
                        spool.accept(behind);
                    }
                    spool.save();
                    return;
                }
                for missing in self.handed_over.unread_events(held) {
                    self.shared.queue.lose(missing, DropReason::Unconfirmed);
                }
                return;
            }
        }
        self.forget_confirmed();
        if let Some(spool) = &mut self.spool {
            spool.save();
        }
    }
}
