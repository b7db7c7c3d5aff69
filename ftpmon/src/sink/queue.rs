//! The bounded queue before each output.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::LineBatch;

/// Bytes of finished lines that may wait for one output. A reader that stops reading costs this much memory and no
/// more; what comes while it is full is lost and counted.
pub const QUEUE_BYTES_MAX: usize = 8 << 20;

/// The memory that a waiting batch takes beside its lines, bytes: many tiny batches count as the memory they are.
const BATCH_OVERHEAD: usize = 64;

/// A queue of batches with one writer and one reader.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    batches: VecDeque<LineBatch>,
    bytes: usize,
    /// Events queued or being written.
    pending: u64,
    lost: u64,
    /// Nothing more comes; what is there may be written until then.
    closed: Option<Instant>,
    /// The reader gave up for good.
    abandoned: bool,
}

impl Queue {
    /// Takes `batch`, or counts its events as lost where it does not fit.
    pub(super) fn push(&self, batch: &LineBatch) {
        let mut state = self.state();
        let cost = cost(batch);
        if state.abandoned || state.bytes + cost > QUEUE_BYTES_MAX {
            state.lost += batch.events();
            return;
        }
        state.bytes += cost;
        state.pending += batch.events();
        state.batches.push_back(batch.clone());
        drop(state);
        self.changed.notify_all();
    }

    /// The next batch; waits for one. None when the queue is closed and empty. Whoever takes a batch says with
    /// [`Queue::done`] what became of it.
    pub(super) fn next(&self) -> Option<LineBatch> {
        let mut state = self.state();
        loop {
            if let Some(batch) = state.batches.pop_front() {
                state.bytes -= cost(&batch);
                return Some(batch);
            }
            if state.closed.is_some() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A batch of `events` events is dealt with, `lost` of them were not written.
    pub(super) fn done(&self, events: u64, lost: u64) {
        let mut state = self.state();
        state.pending = state.pending.saturating_sub(events);
        state.lost += lost;
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
        state.lost += state.batches.drain(..).map(|batch| batch.events()).sum::<u64>();
        state.bytes = 0;
        state.pending = 0;
    }

    /// The output is gone for good.
    pub(super) fn is_abandoned(&self) -> bool {
        self.state().abandoned
    }

    /// Events that were not written and will not be.
    pub(super) fn lost(&self) -> u64 {
        self.state().lost
    }

    /// Events that wait, or are being written.
    pub(super) fn pending(&self) -> u64 {
        self.state().pending
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.state().bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the counts stay true if one did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(batch: &LineBatch) -> usize {
    batch.capacity() + BATCH_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let queue = Queue::default();
        let batch = LineBatch::new(vec![b'\n'; QUEUE_BYTES_MAX / 2 - BATCH_OVERHEAD], 5);
        (0..3).for_each(|_| queue.push(&batch));
        assert_eq!((queue.lost(), queue.pending()), (5, 10));
        assert!(queue.next().is_some());
        queue.done(5, 0);
        queue.push(&batch);
        assert_eq!((queue.lost(), queue.pending(), queue.bytes()), (5, 10, QUEUE_BYTES_MAX));
    }

    #[test]
    fn tiny_batches_are_bounded_too() {
        let queue = Queue::default();
        let batch = LineBatch::new(b"\n".to_vec(), 1);
        let fit = (QUEUE_BYTES_MAX / (BATCH_OVERHEAD + 1)) as u64;
        (0..fit + 7).for_each(|_| queue.push(&batch));
        assert_eq!((queue.pending(), queue.lost()), (fit, 7));
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_ends() {
        let queue = Queue::default();
        queue.push(&LineBatch::new(b"a\n".to_vec(), 1));
        queue.close(Instant::now());
        assert!(queue.next().is_some());
        assert!(queue.next().is_none());
        assert!(!queue.pause(Duration::from_secs(60)), "no time is left");
    }

    #[test]
    fn an_abandoned_queue_counts_everything() {
        let queue = Queue::default();
        queue.push(&LineBatch::new(b"a\n".to_vec(), 1));
        queue.abandon();
        queue.push(&LineBatch::new(b"b\nc\n".to_vec(), 2));
        assert_eq!((queue.lost(), queue.pending()), (3, 0));
    }
}
