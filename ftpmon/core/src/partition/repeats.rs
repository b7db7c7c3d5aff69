//! Sessions of equal ends and equal first times, as a capture has them that holds the same packets twice.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hashbrown::HashMap;

use crate::addr::Endpoint;
use crate::fill::Fills;
use crate::time::Timestamp;

/// The latest sessions that a partition remembers, by a hash of 64 bits each. Stops captures of many short sessions from
/// filling the memory. A copy that begins more sessions later begins a new round.
const REMEMBERED_MAX: usize = 4_096;
/// Numbers of a round.
const ROUND: u32 = 1 << 16;

/// Numbers sessions that nothing else distinguishes.
#[derive(Default)]
pub(super) struct Repeats {
    counts: HashMap<u64, u32>,
    /// The keys of `counts`, the oldest first.
    order: VecDeque<(u64, Timestamp)>,
    /// The latest first time of a session that is remembered no more.
    forgotten: Option<Timestamp>,
    /// The number of times that the clock stepped back behind what is forgotten, as it does where an appended copy begins.
    round: u32,
}

impl Repeats {
    /// A number that no session of these ends and this first time had before.
    pub(super) fn nth(&mut self, client: Endpoint, server: Endpoint, first: Timestamp) -> u32 {
        // With fixed keys: the same capture has the same hashes in every run.
        if self.forgotten.is_some_and(|forgotten| first <= forgotten) {
            *self = Self { round: self.round.wrapping_add(ROUND), ..Self::default() };
        }
        let mut hasher = DefaultHasher::new();
        (client, server, first).hash(&mut hasher);
        let key = hasher.finish();
        if let Some(count) = self.counts.get_mut(&key) {
            *count = count.saturating_add(1);
            return self.round.wrapping_add(*count);
        }
        if self.order.len() >= REMEMBERED_MAX
            && let Some((oldest, began)) = self.order.pop_front()
        {
            self.counts.remove(&oldest);
            self.forgotten = self.forgotten.max(Some(began));
        }
        self.counts.insert(key, 0);
        self.order.push_back((key, first));
        self.round
    }

    /// Notes the fill.
    pub(super) fn note_fill(&self, fills: &mut Fills) {
        fills.note("repeats", self.counts.len().max(self.order.len()), REMEMBERED_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

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
    fn an_appended_copy_of_more_than_are_remembered_repeats_no_number() {
        let end = Endpoint::new([192, 0, 2, 1].into(), 1);
        let mut repeats = Repeats::default();
        let sessions = 3 * REMEMBERED_MAX as i64;
        let mut numbers = HashSet::new();
        for _ in 0..4 {
            for nanos in 0..sessions {
                assert!(
                    numbers.insert((nanos, repeats.nth(end, end, Timestamp::from_nanos(nanos)))),
                    "{nanos}"
                );
            }
        }
        // The first copy's ids are what they were without the others.
        assert!((0..sessions).all(|nanos| numbers.contains(&(nanos, 0))));
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
