//! The state shared by the spool's writer, its readers and the routes that append to it.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ftpmon_event::{DropReason, RunId};

use super::super::batch::{LineBatch, SeqRange};
use super::super::spool_position::SpoolPosition;
use super::issued::{Issued, Unwritten};
use super::options::{SpoolFull, SpoolOptions};

/// Bytes of events that wait to be written. A disk that hangs costs this much memory; what comes then is lost and reported.
pub(super) const QUEUE_BYTES_MAX: usize = 16 << 20;

/// Bytes of the newest records that are kept in memory, for the outputs that keep up.
const RECENT_BYTES_MAX: usize = 2 << 20;

/// Notes events that an output will not get: of this run, or of the given earlier one.
pub(in crate::sink) type Lose = Box<dyn Fn(Option<RunId>, SeqRange, DropReason) + Send>;

/// The spool of a running agent.
pub(in crate::sink) struct Shared {
    pub(super) options: SpoolOptions,
    pub(super) run: RunId,
    state: Mutex<SpoolState>,
    pub(super) changed: Condvar,
}

#[derive(Default)]
pub(super) struct SpoolState {
    /// The batches to be written.
    pub(super) queue: VecDeque<WaitingBatch>,
    pub(super) queue_bytes: usize,
    /// All segments and their bytes, oldest first; the last one is being written.
    pub(super) segments: BTreeMap<u64, u64>,
    /// The segment being written is damaged: the next one is to be begun.
    pub(super) begin_next: bool,
    pub(super) readers: Vec<ReaderState>,
    /// The next `seq` of each route.
    pub(super) next: BTreeMap<u64, u64>,
    /// The numbers that outlive a kill; none where the disk has no room for them.
    pub(super) issued: Option<Issued>,
    /// Events that the run before had in memory when it was killed.
    pub(super) unwritten: Vec<Unwritten>,
    /// The newest records, oldest first.
    recent: VecDeque<RecentRecord>,
    recent_bytes: usize,
    /// Batches that are not written yet.
    pub(super) pending: usize,
    /// Nothing more comes.
    pub(super) closed: bool,
    /// All outputs that need what is there are among the readers.
    pub(super) outputs_known: bool,
    /// The disk takes nothing.
    pub(super) failing: bool,
}

/// A record of this run that was written a moment ago.
#[derive(Clone)]
pub(super) struct RecentRecord {
    pub(super) begin: SpoolPosition,
    /// Its end in its segment.
    pub(super) end: u64,
    pub(super) route: u64,
    pub(super) batch: LineBatch,
}

/// A batch that is to be written.
pub(super) struct WaitingBatch {
    pub(super) route: u64,
    pub(super) batch: LineBatch,
    /// It is to be on the disk soon.
    pub(super) urgent: bool,
}

/// An output that reads the spool.
pub(super) struct ReaderState {
    pub(super) output: String,
    pub(super) route: u64,
    /// The next record to read.
    pub(super) place: SpoolPosition,
    /// The run of the events that it read last, and the next `seq` of it.
    pub(super) run: Option<RunId>,
    pub(super) next_seq: u64,
    /// The place before which nothing is needed any more.
    pub(super) saved: SpoolPosition,
    /// Its output reads nothing more; what it did not have is kept for the next run.
    pub(super) gone: bool,
    /// Another reader of the same output is in its place.
    pub(super) replaced: bool,
    pub(super) lose: Lose,
}

impl ReaderState {
    /// Events up to `next_seq` of `run` were passed over.
    pub(super) fn pass_over(&mut self, own: RunId, run: RunId, next_seq: u64, reason: DropReason) {
        if self.run == Some(run) {
            if let Some(count) = next_seq.checked_sub(self.next_seq).filter(|&count| count > 0) {
                let missing = SeqRange { first: self.next_seq, count };
                (self.lose)((run != own).then_some(run), missing, reason);
            }
        } else if next_seq > 0 {
            (self.lose)((run != own).then_some(run), SeqRange { first: 0, count: next_seq }, reason);
        }
        (self.run, self.next_seq) = (Some(run), next_seq);
    }
}

impl Shared {
    pub(super) fn new(options: SpoolOptions, run: RunId, state: SpoolState) -> Self {
        Self { options, run, state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn folder(&self) -> &PathBuf {
        &self.options.folder
    }

    /// Takes a batch to be written, or reports its loss to the route's outputs.
    pub(in crate::sink) fn append(&self, route: u64, batch: LineBatch, urgent: bool) {
        let mut state = self.state();
        let cost = batch.capacity();
        // With the policy to stop reading, what was read already finds room.
        let cap = match self.options.full {
            SpoolFull::Block => 2 * QUEUE_BYTES_MAX,
            SpoolFull::DropOldest | SpoolFull::DropNewest => QUEUE_BYTES_MAX,
        };
        if state.queue_bytes + cost > cap {
            let reason = if state.failing { DropReason::WriteFailed } else { DropReason::QueueFull };
            state.lose(route, &batch, reason);
            return;
        }
        if let Some(issued) = &mut state.issued {
            issued.given(route, batch.first_seq(), batch.first_seq() + batch.events());
        }
        state.queue_bytes += cost;
        state.pending += 1;
        state.queue.push_back(WaitingBatch { route, batch, urgent });
        drop(state);
        self.changed.notify_all();
    }

    /// There is room for more: with the policy to stop reading, packets are left in the kernel's ring while there is none.
    pub(in crate::sink) fn has_room(&self) -> bool {
        self.options.full != SpoolFull::Block || self.state().queue_bytes < QUEUE_BYTES_MAX / 2
    }

    /// Waits until something changes, for `pause` at most.
    pub(in crate::sink) fn wait(&self, pause: Duration) {
        let state = self.state();
        drop(self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner));
    }

    /// Bytes in all segments.
    pub(in crate::sink) fn bytes(&self) -> u64 {
        self.state().segments.values().sum()
    }

    /// The most that [`Self::bytes`] may be.
    pub(in crate::sink) const fn cap(&self) -> u64 {
        self.options.max_bytes
    }

    pub(super) fn state(&self) -> MutexGuard<'_, SpoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpoolState {
    /// A record was written.
    pub(super) fn remember(&mut self, record: RecentRecord) {
        self.recent_bytes += record.batch.capacity();
        self.recent.push_back(record);
        while self.recent_bytes > RECENT_BYTES_MAX
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_bytes = self.recent_bytes.saturating_sub(oldest.batch.capacity());
        }
    }

    /// The record that begins there, if it was written a moment ago.
    pub(super) fn recent(&self, begin: SpoolPosition) -> Option<RecentRecord> {
        let place = self.recent.binary_search_by_key(&begin, |record| record.begin).ok()?;
        self.recent.get(place).cloned()
    }

    /// Reports to the outputs of a route the loss of a batch of this run.
    pub(super) fn lose(&mut self, route: u64, batch: &LineBatch, reason: DropReason) {
        let Some(missing) = batch.rest(0) else { return };
        // A reader that reaches what follows has a report of what is missing.
        for reader in self.readers.iter_mut().filter(|reader| reader.route == route && !reader.gone) {
            (reader.lose)(None, missing, reason);
        }
    }
}
