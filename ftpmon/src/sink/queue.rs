//! The bounded queue before each output.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ftpmon_event::{DropReason, RunId};

use super::batch::{ClientNumber, LineBatch, SeqRange};
use super::losses::{Loss, Losses};

/// The memory that a waiting batch takes beside its lines, bytes: many tiny batches count as the memory they are.
const BATCH_OVERHEAD: usize = 96;
/// Bytes of `drop` events that find room in a full queue: what a reader missed has to reach it.
const REPORT_BYTES_MAX: usize = 64 << 10;

/// An owner's events may take this many times the room that is left: one that floods leaves a fifth of the queue to others, and
/// loses its own events first.
const SHARE: usize = 4;
/// The numbers that owners have.
const OWNERS: usize = ClientNumber::MAX as usize + 1;

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
    by_owner: ByOwner,
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
        let room = cap.saturating_sub(state.bytes + cost(batch));
        if state.bytes + cost(batch) <= SHARE * room || state.abandoned {
            state.push(batch, cap);
        } else {
            state.push_shares(batch, cap);
        }
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
                state.by_owner.change(&batch, u32::saturating_sub);
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

    /// Waits for `pause`, or until the deadline. True if there is time left.
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

    /// The output failed for good: what waits, and what still comes, is lost.
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
    pub(super) fn lose_elsewhere(
        &self,
        run: Option<RunId>,
        missing: SeqRange,
        since: u64,
        reason: DropReason,
    ) {
        let mut state = self.state();
        state.losses.add_of_run(run, missing, since, reason);
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

/// Bytes of events that wait, by their owner.
struct ByOwner([u32; OWNERS]);

impl Default for ByOwner {
    fn default() -> Self {
        Self([0; OWNERS])
    }
}

impl ByOwner {
    fn of(&self, owner: ClientNumber) -> usize {
        self.0.get(usize::from(owner)).map_or(0, |&bytes| bytes as usize)
    }

    /// Changes the bytes of each owner by those that it has in a batch.
    fn change(&mut self, batch: &LineBatch, by: impl Fn(u32, u32) -> u32) {
        for (owner, len) in batch.owned_lengths() {
            if let Some(bytes) = self.0.get_mut(usize::from(owner)) {
                *bytes = by(*bytes, len);
            }
        }
    }
}

impl State {
    fn push(&mut self, batch: &LineBatch, cap: usize) {
        if self.abandoned || self.bytes + cost(batch) > cap {
            let reason = if self.abandoned { DropReason::WriteFailed } else { DropReason::QueueFull };
            if let Some(missing) = batch.rest(0) {
                self.losses.add(missing, reason);
            }
            return;
        }
        self.losses.close();
        self.bytes += cost(batch);
        self.by_owner.change(batch, u32::saturating_add);
        self.batches.push_back(batch.clone());
    }

    /// Takes the events of a batch whose owners have not more than their share.
    fn push_shares(&mut self, batch: &LineBatch, cap: usize) {
        let owned: Vec<_> = batch.owned_lengths().collect();
        if owned.len() as u64 != batch.events() {
            return self.push(batch, cap);
        }
        let mut from = 0;
        while let Some(first) = owned.get(from) {
            let room = cap.saturating_sub(self.bytes);
            let fits = |&(owner, len): &(ClientNumber, u32)| {
                owner == 0 || self.by_owner.of(owner) + len as usize <= SHARE * room
            };
            let first_fits = fits(first);
            let rest = owned.get(from..).unwrap_or_default();
            let len = rest.iter().position(|event| fits(event) != first_fits).unwrap_or(rest.len());
            let part = batch.part(from, from + len);
            if first_fits {
                self.push(&part, cap);
            } else if let Some(missing) = part.rest(0) {
                self.losses.add(missing, DropReason::QueueFull);
            }
            from += len;
        }
    }

    fn drain(&mut self, reason: DropReason) {
        for missing in self.batches.drain(..).filter_map(|batch| batch.rest(0)) {
            self.losses.add(missing, reason);
        }
        self.bytes = 0;
        self.by_owner = ByOwner::default();
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

    /// Ten events of an owner, 100 bytes each.
    fn of_owner(owner: ClientNumber, seq: u64) -> LineBatch {
        LineBatch::owned(vec![b'\n'; 1_000], (1..=10).map(|n| n * 100).collect(), vec![owner; 10], seq)
    }

    #[test]
    fn who_floods_loses_its_own_events_first() {
        let queue = Queue::new(CAP);
        let mut seq = 0;
        for _ in 0..2_000 {
            queue.push(&of_owner(7, seq));
            seq += 10;
        }
        let lost = queue.lost();
        assert!(lost > 0);
        assert!(queue.bytes() <= CAP / 10 * 9);
        let mixed = LineBatch::owned(vec![b'\n'; 400], vec![100, 200, 300, 400], vec![7, 9, 7, 0], seq);
        queue.push(&mixed);
        assert_eq!(queue.lost(), lost + 2, "the events of the others are taken");
        for round in 1..=20 {
            queue.push(&of_owner(9, seq + round * 10));
        }
        assert_eq!(queue.lost(), lost + 2);
        let losses = queue.take_losses(true);
        assert_eq!(losses.iter().map(|loss| loss.count).sum::<u64>(), lost + 2);
        while is_batch(queue.next(Duration::ZERO)) {}
        assert_eq!(queue.bytes(), 0);
        assert_eq!(queue.state().by_owner.0, [0; OWNERS]);
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
