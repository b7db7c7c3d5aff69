//! The batches that an output took and its reader may not have: what is sent again when it goes away.

use std::collections::VecDeque;

use super::batch::{LineBatch, SeqRange};
use super::destination::Unread;
use super::spool_position::Behind;

/// A batch, and how much of it is written.
pub(super) type Partial = (LineBatch, usize);

/// The batches written since the output was opened, the latest ones of them.
pub(super) struct HandedOver {
    /// Bytes of batches that are kept at most.
    cap: usize,
    kept: VecDeque<Written>,
    bytes: usize,
    /// Bytes written since the output was opened.
    position: u64,
}

struct Written {
    batch: LineBatch,
    /// The bytes of it that were written before the output was opened.
    from: usize,
    /// The position of its first byte written since.
    start: u64,
    /// The position after its last byte written since.
    end: u64,
}

impl HandedOver {
    /// Keeps `cap` bytes at most.
    pub(super) const fn new(cap: usize) -> Self {
        Self { cap, kept: VecDeque::new(), bytes: 0, position: 0 }
    }

    /// The output was opened: what its last reader had is not this one's.
    pub(super) fn restart(&mut self) {
        self.kept.clear();
        self.bytes = 0;
        self.position = 0;
    }

    /// Bytes were written that belong to no batch.
    pub(super) const fn skip(&mut self, written: usize) {
        self.position += written as u64;
    }

    /// Of `batch` the bytes between `from` and `to` were written.
    pub(super) fn add(&mut self, batch: LineBatch, from: usize, to: usize) {
        let start = self.position;
        self.position += to.saturating_sub(from) as u64;
        if batch.events() == 0 {
            return;
        }
        self.bytes += batch.capacity();
        self.kept.push_back(Written { batch, from, start, end: self.position });
        while self.bytes > self.cap && self.kept.len() > 1 {
            self.forget_oldest();
        }
    }

    /// The position in the spool after the last batch that has left this host's kernel, which holds `in_kernel` bytes.
    pub(super) fn passed_on(&self, in_kernel: u64) -> Option<Behind> {
        let passed = self.position.saturating_sub(in_kernel);
        let whole = |written: &&Written| {
            written.from as u64 + (written.end - written.start) == written.batch.bytes().len() as u64
        };
        self.kept.iter().rev().filter(whole).find(|written| written.end <= passed)?.batch.behind()
    }

    /// Forgets what the reader has.
    pub(super) fn forget_read(&mut self, unread: Unread) {
        let Unread::Bytes(unread) = unread else { return };
        let read = self.position.saturating_sub(unread);
        while self.kept.front().is_some_and(|written| written.end <= read) {
            self.forget_oldest();
        }
    }

    /// Takes what the reader may not have, each batch from the start of the first event in question.
    pub(super) fn take_unread(&mut self, unread: Unread) -> Vec<Partial> {
        self.forget_read(unread);
        let read = match unread {
            Unread::Bytes(unread) => self.position.saturating_sub(unread),
            Unread::Unknown => 0,
        };
        self.bytes = 0;
        let again = |Written { batch, from, start, .. }: Written| {
            let had = from + usize::try_from(read.saturating_sub(start)).unwrap_or(0);
            let resume = batch.event_start(had.min(batch.bytes().len()));
            (batch, resume)
        };
        self.kept.drain(..).map(again).collect()
    }

    /// The whole events that were written and that the reader may not have.
    pub(super) fn unread_events(&mut self, unread: u64) -> Vec<SeqRange> {
        self.forget_read(Unread::Bytes(unread));
        let read = self.position.saturating_sub(unread);
        let events = |Written { batch, from, start, end }: &Written| {
            let bytes = |length: u64| from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
            batch.between(bytes(read.saturating_sub(*start)), bytes(end - start))
        };
        self.kept.iter().filter_map(events).collect()
    }

    /// Everything that was written is known to be with the reader.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.kept.pop_front() {
            self.bytes = self.bytes.saturating_sub(oldest.batch.capacity());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(seq: u64) -> LineBatch {
        LineBatch::of_lines(b"one\ntwo\nsix\n", seq)
    }

    fn rest(partials: &[Partial]) -> Vec<(u64, u64)> {
        let range = |(batch, at): &Partial| batch.rest(*at).map(|range| (range.first, range.count));
        partials.iter().filter_map(range).collect()
    }

    fn three() -> HandedOver {
        let mut handed_over = HandedOver::new(1 << 20);
        handed_over.skip(100);
        (0..3).for_each(|at| handed_over.add(batch(at * 3), 0, 12));
        handed_over
    }

    #[test]
    fn what_was_not_read_is_sent_again_from_the_start_of_an_event() {
        assert_eq!(rest(&three().take_unread(Unread::Bytes(0))), []);
        assert_eq!(rest(&three().take_unread(Unread::Bytes(1))), [(8, 1)]);
        assert_eq!(rest(&three().take_unread(Unread::Bytes(4))), [(8, 1)]);
        assert_eq!(rest(&three().take_unread(Unread::Bytes(5))), [(7, 2)]);
        assert_eq!(rest(&three().take_unread(Unread::Bytes(13))), [(5, 1), (6, 3)]);
        assert_eq!(rest(&three().take_unread(Unread::Bytes(500))), [(0, 3), (3, 3), (6, 3)]);
        assert_eq!(rest(&three().take_unread(Unread::Unknown)), [(0, 3), (3, 3), (6, 3)]);
    }

    #[test]
    fn what_was_read_is_forgotten() {
        let mut handed_over = three();
        handed_over.forget_read(Unread::Unknown);
        handed_over.forget_read(Unread::Bytes(13));
        assert_eq!(rest(&handed_over.take_unread(Unread::Unknown)), [(3, 3), (6, 3)]);
        assert!(handed_over.is_empty());
    }

    #[test]
    fn a_batch_that_was_continued_counts_from_where_it_was() {
        let mut handed_over = HandedOver::new(1 << 20);
        handed_over.add(batch(0), 4, 12);
        assert_eq!(rest(&handed_over.take_unread(Unread::Bytes(8))), [(1, 2)]);
        handed_over.restart();
        handed_over.add(batch(0), 4, 12);
        assert_eq!(rest(&handed_over.take_unread(Unread::Bytes(3))), [(2, 1)]);
    }

    #[test]
    fn the_events_in_question_are_whole_ones_that_were_written() {
        let unread = |bytes| {
            let mut handed_over = three();
            handed_over.add(batch(9), 0, 9);
            handed_over.unread_events(bytes)
        };
        assert_eq!(unread(0), []);
        assert_eq!(unread(1), [], "of the last one only a part was written");
        assert_eq!(unread(2), [SeqRange { first: 10, count: 1 }]);
        assert_eq!(unread(14), [SeqRange { first: 7, count: 2 }, SeqRange { first: 9, count: 2 }]);
    }

    #[test]
    fn it_keeps_no_more_than_its_cap() {
        let mut handed_over = HandedOver::new(10_000);
        (0..10_000).for_each(|at| handed_over.add(batch(at), 0, 12));
        assert!(handed_over.bytes <= 10_000);
        assert!(handed_over.take_unread(Unread::Unknown).len() > 100);
    }
}
