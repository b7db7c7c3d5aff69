//! What was not seen of two hosts: connections between them that nobody announced readably so far, and the times in which a
//! session of theirs said what is missing. Nothing here decides; it is kept for when one and the other are known.

use std::net::IpAddr;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::encrypted::key;
use super::table::FlowId;
use crate::event::Direction;
use crate::time::Timestamp;

/// Connections of two hosts that are kept. Stops two hosts that open connections without end: the oldest is let go.
const FLOWS_OF_PAIR_MAX: usize = 64;
/// Connections of all hosts that are kept. Stops a flood of connections: beyond it new ones are followed as before, and not kept.
const FLOWS_MAX: usize = 16_384;
/// Times that are kept of two hosts. Stops sessions that lose something without end: the oldest is forgotten.
const WINDOWS_OF_PAIR_MAX: usize = 64;
/// Times that are kept of all hosts. Stops many such hosts: all are forgotten, for those who come later.
const WINDOWS_MAX: usize = 16_384;

/// A data connection is opened so soon after the command that it is for, nanoseconds.
const OPENED_NS: i64 = 2_000_000_000;
/// Packets of two connections may come out of order by so much, nanoseconds.
const DISORDER_NS: i64 = 5_000_000;

/// A time in which a session said what was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The control connection.
    pub(super) session: FlowId,
    /// Which way the missing bytes went.
    pub(super) direction: Direction,
    /// The last thing that was heard before.
    pub(super) since: Timestamp,
    /// When they were known to be missing; or, before that, when the first thing that way was heard behind them.
    pub(super) until: Timestamp,
    /// When that was known last.
    pub(super) told: Timestamp,
    /// Nothing was heard behind them yet.
    pub(super) open: bool,
}

impl Window {
    /// What was said in it may have announced a connection opened at `at`.
    pub(super) fn covers(&self, at: Timestamp) -> bool {
        self.since <= at && at <= self.until.plus_nanos(DISORDER_NS)
    }

    /// The later one goes on where this one is.
    fn is_continued_by(&self, later: &Self) -> bool {
        (self.session, self.direction) == (later.session, later.direction) && later.since <= self.until
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Unclaimed {
    pairs: HashMap<(IpAddr, IpAddr), Between>,
    flows: usize,
    windows: usize,
}

#[derive(Debug, Default)]
struct Between {
    /// In the order in which they were opened.
    flows: SmallVec<[FlowId; 2]>,
    windows: Vec<Window>,
    /// A connection had to be let go.
    crowded: bool,
}

impl Between {
    fn is_empty(&self) -> bool {
        self.flows.is_empty() && self.windows.is_empty()
    }
}

/// What had to be left out when something was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Times that were forgotten.
    pub(super) windows: u64,
    /// Connections of these hosts may be unknown.
    pub(super) flows: bool,
}

impl Unclaimed {
    /// Nothing is missing anywhere.
    pub(super) const fn nothing_missed(&self) -> bool {
        self.windows == 0
    }

    /// Connections that are kept, and how many may be.
    pub(super) const fn fill(&self) -> (usize, usize) {
        (self.flows, FLOWS_MAX)
    }

    /// A connection was opened; the one that has to give way at the cap.
    pub(super) fn add(&mut self, one: IpAddr, other: IpAddr, id: FlowId) -> Option<FlowId> {
        if self.flows >= FLOWS_MAX {
            return None;
        }
        let between = self.pairs.entry(key(one, other)).or_default();
        between.flows.push(id);
        if between.flows.len() > FLOWS_OF_PAIR_MAX {
            between.crowded = true;
            return Some(between.flows.remove(0));
        }
        self.flows += 1;
        None
    }

    /// A connection is claimed, or gone.
    pub(super) fn forget(&mut self, one: IpAddr, other: IpAddr, id: FlowId) {
        let key = key(one, other);
        let Some(between) = self.pairs.get_mut(&key) else { return };
        let before = between.flows.len();
        between.flows.retain(|known| *known != id);
        self.flows -= before - between.flows.len();
        if between.is_empty() {
            self.pairs.remove(&key);
        }
    }

    /// The connections of these hosts, the oldest first.
    pub(super) fn flows(&self, one: IpAddr, other: IpAddr) -> &[FlowId] {
        self.pairs.get(&key(one, other)).map(|between| between.flows.as_slice()).unwrap_or_default()
    }

    /// A session said what was not seen.
    pub(super) fn miss(&mut self, one: IpAddr, other: IpAddr, window: Window) -> LeftOut {
        let mut left_out = LeftOut { windows: 0, flows: self.flows >= FLOWS_MAX };
        if self.windows >= WINDOWS_MAX {
            left_out.windows = self.windows as u64;
            self.forget_windows();
        }
        let between = self.pairs.entry(key(one, other)).or_default();
        left_out.flows |= between.crowded;
        if let Some(known) = between.windows.iter_mut().rev().find(|known| known.is_continued_by(&window)) {
            known.until = known.until.max(window.until);
            known.told = known.told.max(window.told);
            known.open = window.open;
            return left_out;
        }
        if between.windows.len() >= WINDOWS_OF_PAIR_MAX {
            between.windows.remove(0);
            self.windows -= 1;
            left_out.windows += 1;
        }
        between.windows.push(window);
        self.windows += 1;
        left_out
    }

    /// Something was heard of a session behind what was missing.
    pub(super) fn heard_again(
        &mut self,
        one: IpAddr,
        other: IpAddr,
        session: FlowId,
        direction: Direction,
        at: Timestamp,
    ) {
        let Some(between) = self.pairs.get_mut(&key(one, other)) else { return };
        for window in between.windows.iter_mut().filter(|window| window.open) {
            if (window.session, window.direction) == (session, direction) {
                window.until = window.until.min(at);
                window.open = false;
            }
        }
    }

    /// At `at` a transfer began whose endpoint was announced unseen: its connection may come only then.
    pub(super) fn began(&mut self, one: IpAddr, other: IpAddr, session: FlowId, at: Timestamp) {
        let Some(between) = self.pairs.get_mut(&key(one, other)) else { return };
        let recent =
            |window: &&mut Window| window.session == session && at <= window.until.plus_nanos(OPENED_NS);
        for window in between.windows.iter_mut().filter(recent) {
            window.until = window.until.max(at.plus_nanos(OPENED_NS));
        }
    }

    /// The times in which a session of these hosts said what was not seen.
    pub(super) fn windows(&self, one: IpAddr, other: IpAddr) -> &[Window] {
        self.pairs.get(&key(one, other)).map(|between| between.windows.as_slice()).unwrap_or_default()
    }

    /// A session is over.
    pub(super) fn session_over(&mut self, one: IpAddr, other: IpAddr, session: FlowId) {
        let key = key(one, other);
        let Some(between) = self.pairs.get_mut(&key) else { return };
        let before = between.windows.len();
        between.windows.retain(|window| window.session != session);
        self.windows -= before - between.windows.len();
        if between.is_empty() {
            self.pairs.remove(&key);
        }
    }

    fn forget_windows(&mut self) {
        self.windows = 0;
        self.pairs.retain(|_, between| {
            between.windows = Vec::new();
            !between.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{FLOWS_MAX, FLOWS_OF_PAIR_MAX, Unclaimed, WINDOWS_MAX, WINDOWS_OF_PAIR_MAX, Window};
    use crate::addr::Endpoint;
    use crate::engine::table::{Class, FlowId, FlowKey, FlowTable};
    use crate::event::Direction;
    use crate::time::Timestamp;

    fn host(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(n).into()
    }

    fn ids(n: usize) -> Vec<FlowId> {
        let mut table = FlowTable::new(|_| 1);
        let key = |n: usize| FlowKey::new(Endpoint::new(host(n as u32), 1), Endpoint::new(host(0), 1));
        (0..n).map(|n| table.insert(key(n), Class::Other, Timestamp::default(), ())).collect()
    }

    fn window(session: FlowId, since: i64, until: i64) -> Window {
        let (since, until) = (Timestamp::from_nanos(since), Timestamp::from_nanos(until));
        Window { session, direction: Direction::Reply, since, until, told: until, open: false }
    }

    #[test]
    fn the_caps_hold_and_nothing_stays_behind() {
        let ids = ids(FLOWS_MAX + 200);
        let mut unclaimed = Unclaimed::default();
        for (n, id) in ids.iter().enumerate().take(100) {
            let gone = unclaimed.add(host(1), host(2), *id);
            assert_eq!(gone, n.checked_sub(FLOWS_OF_PAIR_MAX).map(|n| ids[n]));
        }
        assert_eq!((unclaimed.flows(host(2), host(1)).len(), unclaimed.flows), (64, 64));
        assert!(unclaimed.miss(host(1), host(2), window(ids[0], 1, 2)).flows, "some are unknown");
        for (n, id) in ids.iter().enumerate().skip(100) {
            unclaimed.add(host(n as u32), host(2), *id);
        }
        assert_eq!(unclaimed.flows, FLOWS_MAX);
        for (n, id) in ids.iter().enumerate() {
            unclaimed.forget(host(if n < 100 { 1 } else { n as u32 }), host(2), *id);
        }
        unclaimed.session_over(host(1), host(2), ids[0]);
        assert_eq!((unclaimed.flows, unclaimed.windows, unclaimed.pairs.len()), (0, 0, 0));
    }

    #[test]
    fn times_that_meet_are_one_and_too_many_are_forgotten() {
        let ids = ids(2);
        let mut unclaimed = Unclaimed::default();
        unclaimed.miss(host(1), host(2), window(ids[0], 1, 5));
        unclaimed.miss(host(1), host(2), window(ids[0], 5, 9));
        unclaimed.miss(host(1), host(2), window(ids[1], 6, 7));
        let known = [window(ids[0], 1, 9), window(ids[1], 6, 7)];
        assert_eq!(unclaimed.windows(host(2), host(1)), known);
        for n in 0..WINDOWS_MAX as i64 {
            let pair = n / (WINDOWS_OF_PAIR_MAX as i64 + 1);
            unclaimed.miss(host(10), host(11 + pair as u32), window(ids[0], n * 10, n * 10 + 1));
        }
        assert!(unclaimed.windows <= WINDOWS_MAX);
        let last = unclaimed.miss(host(1), host(2), window(ids[0], 90, 99));
        assert!(unclaimed.windows < WINDOWS_MAX || last.windows > 0);
    }
}
