//! The events that an output lost, by their `seq`, until a `drop` event reports them.

use std::time::{Duration, Instant};

use ftpmon_event::{DropDetail, DropReason, RunId};

use super::batch::SeqRange;

/// A loss that continues is reported this often.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// Separate losses that wait to be reported. A reader that takes one batch and misses the next, again and again, makes one
/// loss each: beyond this many, a loss is joined with the one before, and its range then holds events that were delivered.
const WAITING_MAX: usize = 64;

/// Events that are missing at an output for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// `seq` of the first missing event.
    pub from_seq: u64,
    /// `seq` of the last missing event.
    pub to_seq: u64,
    /// The number of missing events between the two.
    pub count: u64,
    /// The reason why they are missing.
    pub reason: DropReason,
    /// The run of the events, where it is an earlier one.
    pub run: Option<RunId>,
}

impl Loss {
    /// The content of a `drop` event about a loss of `output`.
    pub fn detail(&self, output: &str) -> DropDetail {
        let &Self { from_seq, to_seq, count, reason, run } = self;
        DropDetail { output: output.to_owned(), from_seq, to_seq, count, reason, run }
    }
}

/// The losses of an output.
#[derive(Debug, Default)]
pub(super) struct Losses {
    total: u64,
    /// The last one may still grow while `open_since` is there.
    waiting: Vec<Loss>,
    open_since: Option<Instant>,
}

impl Losses {
    /// Adds missing events.
    pub(super) fn add(&mut self, missing: SeqRange, reason: DropReason) {
        self.add_of_run(None, missing, missing.first, reason);
    }

    /// Adds missing events of this run, or of the given earlier one. Those from `since` on, directly before them, were counted and reported
    /// before, and the reader may not have got the report.
    pub(super) fn add_of_run(
        &mut self,
        run: Option<RunId>,
        missing: SeqRange,
        since: u64,
        reason: DropReason,
    ) {
        self.total += missing.count;
        let full = self.waiting.len() >= WAITING_MAX;
        match self.waiting.last_mut() {
            Some(last)
                if full
                    || ((last.reason, last.run) == (reason, run)
                        && last.to_seq.checked_add(1) == Some(missing.first)) =>
            {
                last.from_seq = last.from_seq.min(missing.first);
                last.to_seq = last.to_seq.max(missing.last());
                last.count += missing.count;
            }
            _ => {
                let (from_seq, to_seq) = (since, missing.last());
                let count = missing.count + missing.first.saturating_sub(since);
                self.waiting.push(Loss { from_seq, to_seq, count, reason, run });
                self.open_since = Some(Instant::now());
            }
        }
    }

    /// The output takes events again: the loss ended.
    pub(super) fn close(&mut self) {
        self.open_since = None;
    }

    /// Takes the losses that are over, and one that has gone on for so long that it is reported in parts.
    pub(super) fn take_reportable(&mut self) -> Vec<Loss> {
        match self.open_since {
            Some(since) if since.elapsed() < REPORT_EVERY => {
                let over = self.waiting.len().saturating_sub(1);
                self.waiting.drain(..over).collect()
            }
            _ => self.take_all(),
        }
    }

    /// Takes all losses.
    pub(super) fn take_all(&mut self) -> Vec<Loss> {
        self.open_since = None;
        core::mem::take(&mut self.waiting)
    }

    /// The number of events lost since the start.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, count: u64) -> SeqRange {
        SeqRange { first, count }
    }

    #[test]
    fn consecutive_events_are_one_loss_and_reported_when_it_is_over() {
        let mut losses = Losses::default();
        losses.add(range(5, 2), DropReason::QueueFull);
        losses.add(range(7, 3), DropReason::QueueFull);
        assert_eq!(losses.take_reportable(), []);
        losses.close();
        let loss = Loss { from_seq: 5, to_seq: 9, count: 5, reason: DropReason::QueueFull, run: None };
        assert_eq!(losses.take_reportable(), [loss]);
        assert_eq!((losses.take_reportable(), losses.total()), (vec![], 5));
    }

    #[test]
    fn a_report_that_may_not_have_been_read_is_made_again_with_what_follows() {
        let mut losses = Losses::default();
        losses.add_of_run(None, range(10, 5), 3, DropReason::SpoolFull);
        losses.add_of_run(None, range(15, 1), 3, DropReason::SpoolFull);
        let loss = Loss { from_seq: 3, to_seq: 15, count: 13, reason: DropReason::SpoolFull, run: None };
        assert_eq!((losses.take_all(), losses.total()), (vec![loss], 6));
    }

    #[test]
    fn what_lies_apart_or_has_another_reason_is_a_loss_of_its_own() {
        let mut losses = Losses::default();
        losses.add(range(5, 2), DropReason::QueueFull);
        losses.add(range(8, 1), DropReason::QueueFull);
        losses.add(range(9, 1), DropReason::WriteFailed);
        assert_eq!(losses.take_reportable().len(), 2, "the last one may still grow");
        assert_eq!(losses.take_all().len(), 1);
    }

    #[test]
    fn losses_that_wait_are_bounded_and_keep_their_count() {
        let mut losses = Losses::default();
        (0..1_000).for_each(|at| losses.add(range(at * 2, 1), DropReason::QueueFull));
        let all = losses.take_all();
        assert_eq!(all.len(), WAITING_MAX);
        assert_eq!(all.iter().map(|loss| loss.count).sum::<u64>(), 1_000);
        assert_eq!(all.last().map(|loss| loss.to_seq), Some(1_998));
    }
}
