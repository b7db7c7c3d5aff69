//! Finished lines on their way to the outputs.

use std::sync::Arc;

use super::spool_position::Behind;

/// Encoded events, shared by all outputs of a route.
#[derive(Clone, Debug)]
pub(super) struct LineBatch {
    body: Arc<Body>,
    first_seq: u64,
    /// Its place in the spool.
    behind: Option<Behind>,
}

#[derive(Debug)]
struct Body {
    lines: Vec<u8>,
    /// The end of each event in `lines`. An event that its format cannot say ends where it begins.
    ends: Vec<u32>,
    /// The owner of each event; empty where there are none.
    owners: Vec<ClientNumber>,
}

/// The client that made an event, as one of 255 numbers. 0 stands for the sensor itself.
pub(super) type ClientNumber = u8;

/// Consecutive events of a route by their `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeqRange {
    /// `seq` of the first event.
    pub(super) first: u64,
    /// The number of events, at least 1.
    pub(super) count: u64,
}

impl SeqRange {
    /// `seq` of the last event.
    pub(super) const fn last(&self) -> u64 {
        self.first.saturating_add(self.count).saturating_sub(1)
    }
}

impl LineBatch {
    /// `lines` hold the events from `first_seq` on, each of which ends at its position in `ends`. What follows the last
    /// event belongs to none.
    pub(super) fn new(lines: Vec<u8>, ends: Vec<u32>, first_seq: u64) -> Self {
        Self::owned(lines, ends, Vec::new(), first_seq)
    }

    /// The same with the owner of each event.
    pub(super) fn owned(lines: Vec<u8>, ends: Vec<u32>, owners: Vec<ClientNumber>, first_seq: u64) -> Self {
        Self { body: Arc::new(Body { lines, ends, owners }), first_seq, behind: None }
    }

    /// The owner and the length of each event, where its owner is known.
    pub(super) fn owned_lengths(&self) -> impl Iterator<Item = (ClientNumber, u32)> + '_ {
        let Body { ends, owners, .. } = &*self.body;
        let starts = core::iter::once(0).chain(ends.iter().copied());
        owners.iter().zip(ends).zip(starts).map(|((owner, end), start)| (*owner, end.saturating_sub(start)))
    }

    /// The events from one place to another, as a batch of their own.
    pub(super) fn part(&self, from: usize, to: usize) -> Self {
        let Body { lines, ends, owners } = &*self.body;
        let end_of =
            |count: usize| count.checked_sub(1).and_then(|last| ends.get(last)).map_or(0, |&end| end);
        let start = end_of(from);
        let lines = lines.get(start as usize..end_of(to) as usize).unwrap_or_default().to_vec();
        let ends = ends.get(from..to).unwrap_or_default().iter().map(|end| end - start).collect();
        let owners = owners.get(from..to).unwrap_or_default().to_vec();
        Self::owned(lines, ends, owners, self.first_seq + from as u64)
    }

    /// This batch with the events of `next`, where those follow it and both together have `most` bytes at most.
    pub(super) fn joined(&self, next: &Self, most: usize) -> Option<Self> {
        let follows = self.first_seq + self.events() == next.first_seq
            && self.behind.map(|behind| behind.run) == next.behind.map(|behind| behind.run);
        let (own, other) = (&*self.body, &*next.body);
        if !follows || own.lines.len() + other.lines.len() > most {
            return None;
        }
        let begin = own.lines.len() as u32;
        let lines = [&own.lines[..], &other.lines[..]].concat();
        let ends = own.ends.iter().copied().chain(other.ends.iter().map(|end| begin + end)).collect();
        // Who made them mattered for their place in the queue only.
        let joined = Self::new(lines, ends, self.first_seq);
        Some(Self { behind: next.behind, ..joined })
    }

    /// The same batch, read from the spool.
    pub(super) const fn with_place(mut self, behind: Behind) -> Self {
        self.behind = Some(behind);
        self
    }

    /// The position after it in the spool.
    pub(super) const fn behind(&self) -> Option<Behind> {
        self.behind
    }

    /// `seq` of its first event.
    pub(super) const fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// The end of each event in the lines.
    pub(super) fn ends(&self) -> &[u32] {
        &self.body.ends
    }

    /// Its size in memory, bytes.
    pub(super) fn capacity(&self) -> usize {
        self.body.lines.capacity()
            + self.body.ends.capacity() * size_of::<u32>()
            + self.body.owners.capacity()
    }

    /// The lines.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.body.lines
    }

    /// The number of events in it.
    pub(super) fn events(&self) -> u64 {
        self.body.ends.len() as u64
    }

    /// `other` holds the same events.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.body, &other.body)
    }

    /// The events that are incomplete when only the first `written` bytes are written; none if all are complete.
    pub(super) fn rest(&self, written: usize) -> Option<SeqRange> {
        let complete = self.complete(written) as u64;
        let count = self.events() - complete;
        (count > 0).then(|| SeqRange { first: self.first_seq + complete, count })
    }

    /// The events that end after byte `from`, and at byte `to` or before.
    pub(super) fn between(&self, from: usize, to: usize) -> Option<SeqRange> {
        let (first, end) = (self.complete(from) as u64, self.complete(to) as u64);
        (first < end).then(|| SeqRange { first: self.first_seq + first, count: end - first })
    }

    /// The start of the event that byte `at` belongs to.
    pub(super) fn event_start(&self, at: usize) -> usize {
        let before = self.complete(at).checked_sub(1).and_then(|last| self.body.ends.get(last));
        before.map_or(0, |&end| end as usize)
    }

    /// The end of the event that byte `at` belongs to.
    pub(super) fn event_end(&self, at: usize) -> usize {
        self.body.ends.get(self.complete(at)).map_or(self.body.lines.len(), |&end| end as usize)
    }

    /// The number of events that end within the first `written` bytes.
    fn complete(&self, written: usize) -> usize {
        self.body.ends.partition_point(|&end| end as usize <= written)
    }
}

#[cfg(test)]
impl LineBatch {
    /// A batch in which each line is an event.
    pub(super) fn of_lines(lines: &[u8], first_seq: u64) -> Self {
        let ends = lines.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').map(|(at, _)| at as u32 + 1);
        Self::new(lines.to_vec(), ends.collect(), first_seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_back_to_its_event() {
        let batch = LineBatch::of_lines(b"one\ntwo\nthree\n", 7);
        for (at, start, end) in [(0, 0, 4), (2, 0, 4), (4, 4, 8), (9, 8, 14)] {
            assert_eq!((batch.event_start(at), batch.event_end(at)), (start, end), "{at}");
        }
        assert_eq!(batch.rest(0), Some(SeqRange { first: 7, count: 3 }));
        assert_eq!(batch.rest(4), Some(SeqRange { first: 8, count: 2 }));
        assert_eq!(batch.rest(9), Some(SeqRange { first: 9, count: 1 }));
        assert_eq!(batch.rest(14), None);
    }

    #[test]
    fn batches_that_follow_each_other_are_joined() {
        let batch = |seq| LineBatch::of_lines(b"one\ntwo\n", seq);
        let joined = batch(7).joined(&batch(9), 100).unwrap();
        assert_eq!((joined.bytes(), joined.ends()), (&b"one\ntwo\none\ntwo\n"[..], &[4, 8, 12, 16][..]));
        assert_eq!(joined.rest(4), Some(SeqRange { first: 8, count: 3 }));
        assert!(batch(7).joined(&batch(10), 100).is_none(), "events between them are missing");
        assert!(batch(7).joined(&batch(9), 15).is_none(), "they are too large");
    }

    #[test]
    fn events_of_no_or_several_lines_are_counted_as_events() {
        let batch = LineBatch::new(b"a\nb\nc\nfoot\n".to_vec(), vec![0, 4, 4, 6], 0);
        assert_eq!(batch.rest(0), Some(SeqRange { first: 1, count: 3 }), "the first says nothing");
        assert_eq!((batch.event_start(2), batch.event_end(2)), (0, 4));
        assert_eq!(batch.rest(4), Some(SeqRange { first: 3, count: 1 }));
        assert_eq!(batch.rest(6), None, "the foot belongs to no event");
        assert_eq!((batch.event_start(8), batch.event_end(8)), (6, 11));
    }
}
