//! The bounded queue before each output.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ftpmon_event::{DropReason, RunId};

use super::batch::{LineBatch, SeqRange};
use super::losses::{Loss, Losses};

/// The memory that a waiting batch takes beside its lines, bytes: many tiny batches count as the memory they are.
const BATCH_OVERHEAD: usize = 96;
/// Bytes of `drop` events that find room in a full queue: what a reader missed has to reach it.
const REPORT_BYTES_MAX: usize = 64 << 10;

/// A queue of batches with one writer and one reader.
pub(super) struct Queue {
    /// Bytes that may wait.
    cap: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    batches: VecDeque<LineBatch>,
    bytes: usize,
    losses: Losses,
    /// Nothing more comes; what is there may be written until then.
    closed: Option<Instant>,
    /// The reader gave up for good.
    abandoned: bool,
    /// Somebody wants the reader's attention.
    nudged: bool,
}

/// The next work for a queue's reader.
#[derive(Debug)]
pub(super) enum Next {
    /// A batch to write.
    Batch(LineBatch),
    /// Nothing came.
    Idle,
    /// The queue is closed and empty.
    End,
}

impl Queue {
    /// A queue for `cap` bytes.
    pub(super) fn new(cap: usize) -> Self {
        Self { cap, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes `batch`, or counts its events as lost where it does not fit.
    pub(super) fn push(&self, batch: &LineBatch) {
        self.push_within(batch, self.cap);
    }

    /// Takes `batch`, which reports losses, though the queue is full.
    pub(super) fn push_report(&self, batch: &LineBatch) {
        self.push_within(batch, self.cap + REPORT_BYTES_MAX);
    }

    fn push_within(&self, batch: &LineBatch, cap: usize) {
        let mut state = self.state();
        let cost = cost(batch);
        if state.abandoned || state.bytes + cost > cap {
            let reason = if state.abandoned { DropReason::WriteFailed } else { DropReason::QueueFull };
            if let Some(missing) = batch.rest(0) {
                state.losses.add(missing, reason);
            }
            return;
        }
        state.losses.close();
        state.bytes += cost;
        state.batches.push_back(batch.clone());
        drop(state);
        self.changed.notify_all();
    }

    /// The next batch; waits `idle` for one.
    pub(super) fn next(&self, idle: Duration) -> Next {
        let until = Instant::now() + idle;
        let mut state = self.state();
        loop {
            if let Some(batch) = state.batches.pop_front() {
                state.bytes -= cost(&batch);
                return Next::Batch(batch);
            }
            if state.closed.is_some() {
                return Next::End;
            }
            let left = until.saturating_duration_since(Instant::now());
            if core::mem::take(&mut state.nudged) || left.is_zero() {
                return Next::Idle;
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Has the reader look up from waiting for a batch.
    pub(super) fn nudge(&self) {
        self.state().nudged = true;
        self.changed.notify_all();
    }

    /// Events that were taken will not be delivered.
    pub(super) fn lose(&self, missing: SeqRange, reason: DropReason) {
        self.state().losses.add(missing, reason);
    }

    /// Waits for `pause`, or until there is no more time. Tells whether there is time left.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut state = self.state();
        loop {
            let now = Instant::now();
            if state.closed.is_some_and(|deadline| deadline <= now) {
                return false;
            }
            if until <= now {
                return true;
            }
            let until = state.closed.map_or(until, |deadline| deadline.min(until));
            (state, _) = self
                .changed
                .wait_timeout(state, until.saturating_duration_since(now))
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing more comes; what waits may be written until `deadline`.
    pub(super) fn close(&self, deadline: Instant) {
        self.state().closed = Some(deadline);
        self.changed.notify_all();
    }

    /// The output is gone for good: what waits, and whatever still comes, is lost.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.abandoned = true;
        state.drain(DropReason::WriteFailed);
    }

    /// Nothing more comes.
    pub(super) fn is_closed(&self) -> bool {
        self.state().closed.is_some()
    }

    /// Events that never came to this queue will not be delivered: those of this run, or of the given earlier one.
    pub(super) fn lose_elsewhere(&self, run: Option<RunId>, missing: SeqRange, reason: DropReason) {
        let mut state = self.state();
        state.losses.add_of_run(run, missing, reason);
        state.losses.close();
    }

    /// The output is gone for good.
    pub(super) fn is_abandoned(&self) -> bool {
        self.state().abandoned
    }

    /// Takes the losses that are to be reported now, at the end of the run all of them. While no report would find room,
    /// they wait.
    pub(super) fn take_losses(&self, end: bool) -> Vec<Loss> {
        let mut state = self.state();
        if state.abandoned || state.bytes >= self.cap + REPORT_BYTES_MAX / 2 {
            return Vec::new();
        }
        if end { state.losses.take_all() } else { state.losses.take_reportable() }
    }

    /// The end: everything that still waits is lost. Takes all losses that were not reported.
    pub(super) fn final_losses(&self) -> Vec<Loss> {
        let mut state = self.state();
        state.drain(DropReason::WriteFailed);
        state.losses.take_all()
    }

    /// Events that were not written and will not be.
    pub(super) fn lost(&self) -> u64 {
        self.state().losses.total()
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Bytes that may wait.
    pub(super) const fn cap(&self) -> usize {
        self.cap
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the counts stay true if one did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drain(&mut self, reason: DropReason) {
        for missing in self.batches.drain(..).filter_map(|batch| batch.rest(0)) {
            self.losses.add(missing, reason);
        }
        self.bytes = 0;
    }
}

fn cost(batch: &LineBatch) -> usize {
    batch.capacity() + BATCH_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: usize = 1 << 20;

    fn line(seq: u64) -> LineBatch {
        LineBatch::of_lines(b"a\n", seq)
    }

    fn is_batch(next: Next) -> bool {
        matches!(next, Next::Batch(_))
    }

    #[test]
    fn what_does_not_fit_is_a_loss_with_its_range() {
        let queue = Queue::new(CAP);
        let half = |seq| LineBatch::new(vec![b'\n'; CAP / 2 - 200], vec![1, 2, 3, 4, 5], seq);
        (0..4).for_each(|at| queue.push(&half(at * 5)));
        assert_eq!(queue.lost(), 10);
        assert_eq!(queue.take_losses(false), [], "it may still grow");
        assert!(is_batch(queue.next(Duration::ZERO)));
        queue.push(&half(20));
        let loss = Loss { from_seq: 10, to_seq: 19, count: 10, reason: DropReason::QueueFull, run: None };
        assert_eq!(queue.take_losses(false), [loss]);
        assert!(queue.bytes() <= CAP);
    }

    #[test]
    fn tiny_batches_are_bounded_too_and_a_report_finds_room() {
        let queue = Queue::new(CAP);
        let fit = (CAP / cost(&line(0))) as u64;
        (0..fit + 7).for_each(|seq| queue.push(&line(seq)));
        assert_eq!(queue.lost(), 7);
        queue.push_report(&line(fit + 7));
        assert_eq!(queue.lost(), 7);
        (0..CAP as u64).for_each(|seq| queue.push_report(&line(seq)));
        assert!(queue.bytes() <= CAP + REPORT_BYTES_MAX);
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_ends() {
        let queue = Queue::new(CAP);
        assert!(matches!(queue.next(Duration::ZERO), Next::Idle));
        queue.push(&line(0));
        queue.close(Instant::now());
        assert!(is_batch(queue.next(Duration::ZERO)));
        assert!(matches!(queue.next(Duration::from_secs(60)), Next::End));
        assert!(!queue.pause(Duration::from_secs(60)), "no time is left");
    }

    #[test]
    fn an_abandoned_queue_counts_everything() {
        let queue = Queue::new(CAP);
        queue.push(&line(0));
        queue.abandon();
        queue.push(&LineBatch::of_lines(b"b\nc\n", 1));
        assert_eq!(queue.lost(), 3);
        let loss = Loss { from_seq: 0, to_seq: 2, count: 3, reason: DropReason::WriteFailed, run: None };
        assert_eq!(queue.final_losses(), [loss]);
    }
}
