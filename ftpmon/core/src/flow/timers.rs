//! Timers: what a flow waits for, and one queue of all flows by their earliest deadline.

use super::table::FlowId;
use crate::time::Timestamp;

/// The timers of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Timer {
    /// Its connection holds bytes after missing ones: they are given up.
    Streams,
    /// Its session asked to be called: a transfer waits for its connection or its reply.
    Session,
    /// Its end was seen in part (one FIN, or RST): it ends although the rest is missing.
    Close,
    /// It may be a data connection whose announcement is still to come: it is not waited for any longer.
    Announcement,
    /// It ended, and may be the data connection of a session that was not read: the evidence is in.
    Decision,
}

impl Timer {
    const COUNT: usize = 5;
    const ALL: [Self; Self::COUNT] =
        [Self::Streams, Self::Session, Self::Close, Self::Announcement, Self::Decision];
}

/// The deadlines of one flow; [`Timestamp::LATEST`] where a timer is not set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timers([Timestamp; Timer::COUNT]);

impl Default for Timers {
    fn default() -> Self {
        Self([Timestamp::LATEST; Timer::COUNT])
    }
}

impl Timers {
    /// The deadline of a timer.
    pub(crate) fn deadline(&self, timer: Timer) -> Timestamp {
        self.0.get(timer as usize).copied().unwrap_or(Timestamp::LATEST)
    }

    /// A timer is set.
    #[inline]
    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.deadline(timer) != Timestamp::LATEST
    }

    /// Sets a timer, or stops it ([`Timestamp::LATEST`]).
    pub(crate) fn set(&mut self, timer: Timer, at: Timestamp) {
        if let Some(deadline) = self.0.get_mut(timer as usize) {
            *deadline = at;
        }
    }

    /// The earliest deadline.
    pub(crate) fn earliest(&self) -> Timestamp {
        self.0.iter().copied().min().unwrap_or(Timestamp::LATEST)
    }

    /// Stops a timer that is due at `now`, and gives it. In the order of [`Timer`].
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<Timer> {
        let timer = Timer::ALL.into_iter().find(|&timer| self.deadline(timer) <= now)?;
        self.set(timer, Timestamp::LATEST);
        Some(timer)
    }
}

/// A flow's earliest deadline. Ordered by time, then by age of the flow, which does not depend on where the flow is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    pub(crate) at: Timestamp,
    /// Index of the packet that began the flow.
    pub(crate) birth: u64,
    pub(crate) flow: FlowId,
}

const ABSENT: u32 = u32::MAX;

/// The earliest deadline of each flow that has one: a binary heap that knows where each flow's entry is, so that the entry
/// of a flow that is gone goes with it.
#[derive(Debug, Default)]
pub(crate) struct TimerQueue {
    heap: Vec<Deadline>,
    /// The position in the heap of each slot of the flow table.
    places: Vec<u32>,
}

impl TimerQueue {
    /// Entries: at most one for each flow.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The earliest deadline of all.
    pub(crate) fn first(&self) -> Option<&Deadline> {
        self.heap.first()
    }

    /// Sets a flow's deadline; [`Timestamp::LATEST`] for none.
    pub(crate) fn set(&mut self, deadline: Deadline) {
        let known = self.place(deadline.flow);
        if deadline.at == Timestamp::LATEST {
            if let Some(place) = known {
                self.remove_at(place);
            }
            return;
        }
        let place = match known {
            Some(place) => {
                if self.heap.get(place) == Some(&deadline) {
                    return;
                }
                if let Some(entry) = self.heap.get_mut(place) {
                    *entry = deadline;
                }
                place
            }
            None => {
                self.heap.push(deadline);
                self.heap.len() - 1
            }
        };
        let place = self.sift_up(place);
        self.sift_down(place);
    }

    /// A flow is gone.
    pub(crate) fn remove(&mut self, flow: FlowId) {
        if let Some(place) = self.place(flow) {
            self.remove_at(place);
        }
    }

    fn place(&self, flow: FlowId) -> Option<usize> {
        let place = *self.places.get(flow.slot() as usize)?;
        (place != ABSENT).then_some(place as usize)
    }

    fn remove_at(&mut self, place: usize) {
        if place >= self.heap.len() {
            return;
        }
        let gone = self.heap.swap_remove(place);
        if let Some(slot) = self.places.get_mut(gone.flow.slot() as usize) {
            *slot = ABSENT;
        }
        if place < self.heap.len() {
            let place = self.sift_up(place);
            self.sift_down(place);
        }
    }

    /// Moves an entry up to its place, which it gives.
    fn sift_up(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap.get(parent) <= self.heap.get(place) {
                break;
            }
            self.heap.swap(parent, place);
            self.note_place(place);
            place = parent;
        }
        self.note_place(place);
        place
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let Some(mut least) = self.heap.get(left).map(|_| left) else { return };
            if self.heap.get(right).is_some_and(|right| Some(right) < self.heap.get(left)) {
                least = right;
            }
            if self.heap.get(place) <= self.heap.get(least) {
                return;
            }
            self.heap.swap(place, least);
            self.note_place(place);
            self.note_place(least);
            place = least;
        }
    }

    fn note_place(&mut self, place: usize) {
        let Some(entry) = self.heap.get(place) else { return };
        let slot = entry.flow.slot() as usize;
        if slot >= self.places.len() {
            self.places.resize(slot + 1, ABSENT);
        }
        if let Some(known) = self.places.get_mut(slot) {
            *known = place as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::flow::test_ids::flow_ids;

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn a_flow_has_several_timers_and_one_deadline() {
        let mut timers = Timers::default();
        assert_eq!((timers.earliest(), timers.take_due(at(9))), (Timestamp::LATEST, None));
        timers.set(Timer::Close, at(5));
        timers.set(Timer::Session, at(7));
        assert_eq!(timers.earliest(), at(5));
        assert_eq!(timers.take_due(at(4)), None);
        assert_eq!(timers.take_due(at(7)), Some(Timer::Session));
        assert_eq!(timers.take_due(at(7)), Some(Timer::Close));
        assert_eq!(timers.take_due(at(7)), None);
    }

    proptest! {
        #[test]
        fn the_queue_is_a_map_from_flow_to_deadline_whose_least_comes_first(
            steps in proptest::collection::vec((0..20usize, 0..30i64, any::<bool>()), 1..200)
        ) {
            let ids = flow_ids(20);
            let (mut queue, mut model) = (TimerQueue::default(), BTreeMap::new());
            for (n, time, gone) in steps {
                let flow = ids[n];
                let time = if time == 0 { Timestamp::LATEST } else { at(time) };
                if gone || time == Timestamp::LATEST {
                    model.remove(&n);
                } else {
                    model.insert(n, Deadline { at: time, birth: n as u64, flow });
                }
                match gone {
                    true => queue.remove(flow),
                    false => queue.set(Deadline { at: time, birth: n as u64, flow }),
                }
                prop_assert_eq!(queue.first(), model.values().min());
                prop_assert_eq!(queue.len(), model.len());
            }
        }
    }
}
