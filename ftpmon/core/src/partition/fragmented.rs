//! Hosts between which IP packets are still to be put together from fragments: bytes that are missing between them were in those.

use hashbrown::HashMap;

use crate::fill::Fills;
use crate::pair::HostPair;
use crate::time::Timestamp;
use crate::timing::FRAGMENTS_ECHO_NS;

/// Pairs of hosts that are noted. Stops fragments of many hosts that nothing follows: gaps of further ones have another cause.
const PAIRS_MAX: usize = 256;

/// Such hosts.
#[derive(Debug, Default)]
pub(super) struct Fragmented(HashMap<HostPair, Timestamp>);

impl Fragmented {
    /// Notes whether fragments between two hosts wait for others.
    pub(super) fn note(&mut self, at: Timestamp, hosts: HostPair, waits: bool) {
        if !waits {
            self.0.remove(&hosts);
            return;
        }
        if self.0.len() >= PAIRS_MAX && !self.0.contains_key(&hosts) {
            self.0.retain(|_, since| is_fresh(at, *since));
            if self.0.len() >= PAIRS_MAX {
                return;
            }
        }
        self.0.insert(hosts, at);
    }

    /// There are none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fragments between two hosts wait for others.
    pub(super) fn waits(&self, at: Timestamp, hosts: HostPair) -> bool {
        self.0.get(&hosts).is_some_and(|since| is_fresh(at, *since))
    }

    /// Notes the fill.
    pub(super) fn note_fill(&self, fills: &mut Fills) {
        fills.note("fragmented_pairs", self.0.len(), PAIRS_MAX);
    }
}

fn is_fresh(at: Timestamp, since: Timestamp) -> bool {
    at.nanos_since(since) < FRAGMENTS_ECHO_NS
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn pair(n: u32) -> HostPair {
        HostPair::new(IpAddr::V4(n.into()), IpAddr::V4(u32::MAX.into()))
    }

    #[test]
    fn what_was_put_together_waits_no_more_and_nothing_waits_for_ever() {
        let at = |nanos| Timestamp::from_parts(100, 0).plus_nanos(nanos);
        let mut it = Fragmented::default();
        it.note(at(0), pair(1), true);
        it.note(at(0), pair(2), true);
        assert!(it.waits(at(1), pair(1)) && !it.waits(at(1), pair(3)));
        it.note(at(2), pair(1), false);
        assert!(!it.waits(at(3), pair(1)));
        assert!(it.waits(at(FRAGMENTS_ECHO_NS as i64 - 1), pair(2)));
        assert!(!it.waits(at(FRAGMENTS_ECHO_NS as i64), pair(2)));
    }

    #[test]
    fn hosts_are_bounded_and_old_ones_make_room() {
        let early = Timestamp::from_parts(100, 0);
        let mut it = Fragmented::default();
        (0..2 * PAIRS_MAX as u32).for_each(|n| it.note(early, pair(n), true));
        assert_eq!(it.0.len(), PAIRS_MAX);
        let late = early.plus_nanos(FRAGMENTS_ECHO_NS as i64);
        it.note(late, pair(9_999), true);
        assert!(it.waits(late, pair(9_999)));
        assert_eq!(it.0.len(), 1);
    }
}
