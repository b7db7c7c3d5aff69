//! Sessions of equal ends and equal first times, as a capture has them that holds the same packets twice.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hashbrown::HashMap;

use crate::addr::Endpoint;
use crate::fill::Fills;
use crate::time::Timestamp;

/// The latest sessions that a partition remembers, by a hash of 64 bits each. Stops captures of many short sessions from
/// filling the memory: a copy that begins more sessions later repeats the ids of the first.
const REMEMBERED_MAX: usize = 4_096;

/// Numbers sessions that nothing else distinguishes.
#[derive(Default)]
pub(super) struct Repeats {
    counts: HashMap<u64, u32>,
    /// The keys of `counts`, the oldest first.
    order: VecDeque<u64>,
}

impl Repeats {
    /// The number of sessions of these ends and this first time that were remembered before this one.
    pub(super) fn nth(&mut self, client: Endpoint, server: Endpoint, first: Timestamp) -> u32 {
        // With fixed keys: the same capture has the same hashes in every run.
        let mut hasher = DefaultHasher::new();
        (client, server, first).hash(&mut hasher);
        let key = hasher.finish();
        if let Some(count) = self.counts.get_mut(&key) {
            *count = count.saturating_add(1);
            return *count;
        }
        if self.order.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.remove(&oldest);
        }
        self.counts.insert(key, 0);
        self.order.push_back(key);
        0
    }

    /// Notes the fill.
    pub(super) fn note_fill(&self, fills: &mut Fills) {
        fills.note("repeats", self.counts.len().max(self.order.len()), REMEMBERED_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, REMEMBERED_MAX, Repeats, Timestamp};

    #[test]
    fn only_equal_ends_at_an_equal_time_are_repeats() {
        let end = |port| Endpoint::new([192, 0, 2, 1].into(), port);
        let at = Timestamp::from_nanos;
        let mut repeats = Repeats::default();
        let numbers = [(1, 2, 5), (1, 2, 6), (2, 1, 5), (1, 2, 5), (1, 2, 5), (1, 2, 6)]
            .map(|(client, server, first)| repeats.nth(end(client), end(server), at(first)));
        assert_eq!(numbers, [0, 0, 0, 1, 2, 1]);
    }

    #[test]
    fn no_more_are_remembered_than_the_cap() {
        let end = Endpoint::new([192, 0, 2, 1].into(), 1);
        let mut repeats = Repeats::default();
        for nanos in 0..REMEMBERED_MAX as i64 + 100 {
            assert_eq!(repeats.nth(end, end, Timestamp::from_nanos(nanos)), 0);
        }
        assert_eq!((repeats.counts.len(), repeats.order.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
    }
}
