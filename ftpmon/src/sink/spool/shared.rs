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

/// Losses of an output that are remembered until it has read what follows them. With more than these the oldest are joined, and their range then
/// holds events that were delivered.
const UNREAD_MAX: usize = 64;

/// Notes events that an output will not get: of this run, or of the given earlier one. The number is that of the first event from which on all
/// are missing and none of the reports about them is known to have been read.
pub(in crate::sink) type Lose = Box<dyn Fn(Option<RunId>, SeqRange, u64, DropReason) + Send>;

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
    pub(super) kind: BatchKind,
}

/// The content of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink) enum BatchKind {
    /// Events.
    Events,
    /// Events that are to be on the disk soon.
    Urgent,
    /// Reports of losses: urgent as well, and made again where they are lost.
    Report,
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
    /// The last losses whose reports its output may not have read: a full spool drops reports too.
    pub(super) unread: Vec<Unread>,
}

/// Events in a row that an output will not get.
#[derive(Clone, Copy)]
pub(super) struct Unread {
    run: RunId,
    reason: DropReason,
    from_seq: u64,
    to_seq: u64,
    /// `seq` of the last event of the report, once that is in the spool.
    told: Option<u64>,
}

impl Unread {
    /// Reports it; those of `missing` were not counted before.
    fn report(&self, own: RunId, missing: SeqRange, lose: &Lose) {
        lose((self.run != own).then_some(self.run), missing, self.from_seq, self.reason);
    }
}

impl ReaderState {
    /// Events of `run` are missing.
    pub(super) fn lose(&mut self, own: RunId, run: RunId, missing: SeqRange, reason: DropReason) {
        let is_missing = |told: &u64| run == own && (missing.first..=missing.last()).contains(told);
        self.report_again(own, |loss| loss.told.as_ref().is_some_and(is_missing));
        let goes_on = |last: &&mut Unread| {
            (last.run, last.reason) == (run, reason) && last.to_seq.checked_add(1) == Some(missing.first)
        };
        let loss = match self.unread.last_mut().filter(goes_on) {
            Some(last) => {
                (last.to_seq, last.told) = (missing.last(), None);
                *last
            }
            None => {
                let (from_seq, to_seq) = (missing.first, missing.last());
                let loss = Unread { run, reason, from_seq, to_seq, told: None };
                self.remember(loss);
                loss
            }
        };
        loss.report(own, missing, &self.lose);
    }

    fn remember(&mut self, loss: Unread) {
        if self.unread.len() >= UNREAD_MAX {
            let oldest = self.unread.remove(0);
            if let Some(next) = self.unread.first_mut().filter(|next| next.run == oldest.run) {
                next.from_seq = oldest.from_seq;
            }
        }
        self.unread.push(loss);
    }

    /// Reports of losses were lost: those are reported again.
    fn report_again(&mut self, own: RunId, is_lost: impl Fn(&Unread) -> bool) {
        for loss in self.unread.iter_mut().filter(|loss| is_lost(loss)) {
            loss.told = None;
            // None of these is missing newly.
            let behind = SeqRange { first: loss.to_seq.saturating_add(1), count: 0 };
            loss.report(own, behind, &self.lose);
        }
    }

    /// Its output has the events of this run up to `next_seq`, and the reports among them.
    pub(super) fn has(&mut self, next_seq: u64) {
        self.unread.retain(|loss| loss.told.is_none_or(|told| told >= next_seq));
    }

    /// Events up to `next_seq` of `run` were passed over.
    pub(super) fn pass_over(&mut self, own: RunId, run: RunId, next_seq: u64, reason: DropReason) {
        if self.run == Some(run) {
            if let Some(count) = next_seq.checked_sub(self.next_seq).filter(|&count| count > 0) {
                let missing = SeqRange { first: self.next_seq, count };
                self.lose(own, run, missing, reason);
            }
        } else if next_seq > 0 {
            self.lose(own, run, SeqRange { first: 0, count: next_seq }, reason);
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
    pub(in crate::sink) fn append(&self, route: u64, batch: LineBatch, kind: BatchKind) {
        let mut state = self.state();
        let cost = batch.capacity();
        // With the policy to stop reading, what was read already finds room.
        let cap = match self.options.full {
            SpoolFull::Block => 2 * QUEUE_BYTES_MAX,
            SpoolFull::DropOldest | SpoolFull::DropNewest => QUEUE_BYTES_MAX,
        };
        if state.queue_bytes + cost > cap {
            let reason = if state.failing { DropReason::WriteFailed } else { DropReason::QueueFull };
            state.lose(self.run, &WaitingBatch { route, batch, kind }, reason);
            return;
        }
        if let Some(issued) = &mut state.issued {
            issued.given(route, batch.first_seq(), batch.first_seq() + batch.events());
        }
        state.queue_bytes += cost;
        state.pending += 1;
        state.queue.push_back(WaitingBatch { route, batch, kind });
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

    /// A report of losses was written, whose last event has this number.
    pub(super) fn told(&mut self, route: u64, seq: u64) {
        let readers = self.readers.iter_mut().filter(|reader| reader.route == route);
        for loss in readers.flat_map(|reader| &mut reader.unread) {
            loss.told.get_or_insert(seq);
        }
    }

    /// Reports to the outputs of a route the loss of a batch of this run.
    pub(super) fn lose(&mut self, own: RunId, lost: &WaitingBatch, reason: DropReason) {
        let Some(missing) = lost.batch.rest(0) else { return };
        // A reader that reaches what follows has a report of what is missing.
        for reader in self.readers.iter_mut().filter(|reader| reader.route == lost.route && !reader.gone) {
            if lost.kind == BatchKind::Report {
                reader.report_again(own, |_| true);
            }
            reader.lose(own, own, missing, reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn losses_are_reported_again_until_their_report_was_read() {
        let own = RunId(1);
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&calls);
        let lose: Lose = Box::new(move |_, missing, since, _| {
            seen.lock().unwrap().push((missing.first, missing.count, since));
        });
        let mut state = SpoolState {
            readers: vec![ReaderState {
                output: "unix:/x".to_owned(),
                route: 7,
                place: SpoolPosition { segment: 1, offset: 0 },
                run: Some(own),
                next_seq: 0,
                saved: SpoolPosition { segment: 1, offset: 0 },
                gone: false,
                replaced: false,
                lose,
                unread: Vec::new(),
            }],
            ..SpoolState::default()
        };
        let lost = |state: &mut SpoolState, first, count| {
            state.readers[0].lose(own, own, SeqRange { first, count }, DropReason::SpoolFull);
            core::mem::take(&mut *calls.lock().unwrap())
        };
        assert_eq!(lost(&mut state, 10, 5), [(10, 5, 10)]);
        // What follows directly is one loss with it.
        assert_eq!(lost(&mut state, 15, 1), [(15, 1, 10)]);
        state.told(7, 20);
        // The report of the first is missing too.
        assert_eq!(lost(&mut state, 18, 4), [(16, 0, 10), (18, 4, 18)]);
        state.told(7, 30);
        state.readers[0].has(30);
        assert_eq!(state.readers[0].unread.len(), 2, "the report is the next event");
        state.readers[0].has(31);
        assert_eq!(lost(&mut state, 22, 1), [(22, 1, 22)]);
    }
}
