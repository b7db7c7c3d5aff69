//! The kernel's table of data connections, swept for what gave no record: accounts whose closing report found no room in
//! the ring, connections closed by RST, and connections that simply stopped.
//!
//! A sweep goes through the table a slice at a time, so that a full table holds up nothing else.

use std::collections::VecDeque;

use aya::maps::{HashMap, MapData};
use ftpmon_common::{FlowKey, FlowState};

use super::account::account;
use super::clock::Clock;
use ftpmon_core::account::{FlowRecord, FlowReport};

/// Entries looked at in one slice: two system calls each.
const SLICE: usize = 512;
/// Entries looked at a second for those who read the events of the agent: some milliseconds.
const RUNNING_LOOKS: usize = 2_048;
/// A connection whose end was seen stays this long for late packets, nanoseconds.
const LINGER_NS: u64 = 5_000_000_000;
/// A connection without a packet for this long has ended, nanoseconds: keep-alive would have shown it.
const IDLE_NS: u64 = 2 * 3_600 * 1_000_000_000;
/// A connection of which nothing but its SYN was seen is dropped after this long, nanoseconds.
const UNANSWERED_NS: u64 = 1_000_000_000;
/// A candidate that no session adopted is dropped after this long without a packet, nanoseconds.
const CANDIDATE_IDLE_NS: u64 = 300 * 1_000_000_000;

/// The table.
pub struct Flows {
    map: HashMap<MapData, FlowKey, FlowState>,
    /// Keys of the round under way that are still to be looked at.
    round: VecDeque<FlowKey>,
    /// Entries at the last round's beginning.
    entries: u64,
    swept: u64,
}

impl Flows {
    /// The table in this map.
    pub(super) fn new(map: HashMap<MapData, FlowKey, FlowState>) -> Self {
        Self { map, round: VecDeque::new(), entries: 0, swept: 0 }
    }

    /// Looks at the next slice of the table; hands every account that is over and was never reported so to `report`.
    /// True if the round is complete.
    pub fn sweep(&mut self, clock: &Clock, mut report: impl FnMut(FlowRecord)) -> bool {
        let now = clock.boot_now();
        for _ in 0..SLICE {
            let Some(key) = self.round.pop_front() else { return true };
            let Ok(state) = self.map.get(&key, 0) else { continue };
            match sweep_action(&state, now) {
                Sweep::Keep => continue,
                Sweep::Report => report(account(&key, &state, FlowReport::Close, clock.utc(now), clock)),
                Sweep::Drop => {}
            }
            self.swept += 1;
            self.remove(&key);
        }
        self.round.is_empty()
    }

    /// Passes the current account of every connection whose end was not reported to `report`: for the
    /// end of a run, which would otherwise know open connections only as they were at the last record.
    pub fn standing(&self, clock: &Clock, mut report: impl FnMut(FlowRecord)) {
        let now = clock.boot_now();
        for key in self.map.keys().flatten().take(ftpmon_common::names::FLOWS_MAX) {
            let Ok(state) = self.map.get(&key, 0) else { continue };
            let kind = match state.flags & (FlowState::CLOSED | FlowState::UNREPORTED) {
                _ if state.flags & FlowState::UNTOLD != 0 => continue,
                FlowState::CLOSED => continue,
                0 => FlowReport::Progress,
                _ => FlowReport::Close,
            };
            report(account(&key, &state, kind, clock.utc(now), clock));
        }
    }

    /// Passes the current account of connections that are open to `tell`, of so many entries of the table that it holds up
    /// nothing else.
    pub fn running(&self, clock: &Clock, mut tell: impl FnMut(FlowRecord)) {
        const OVER: u32 = FlowState::CLOSED | FlowState::UNREPORTED | FlowState::UNTOLD;
        let now = clock.boot_now();
        for key in self.map.keys().flatten().take(RUNNING_LOOKS) {
            if let Ok(state) = self.map.get(&key, 0)
                && state.flags & OVER == 0
            {
                tell(account(&key, &state, FlowReport::Progress, clock.utc(now), clock));
            }
        }
    }

    /// Begins a round: notes the keys that are there now.
    pub fn begin_round(&mut self) {
        if self.round.is_empty() {
            self.round.extend(self.map.keys().flatten().take(ftpmon_common::names::FLOWS_MAX));
            self.entries = self.round.len() as u64;
        }
    }

    /// Lets go of a connection. One that is not there is as good.
    pub(super) fn remove(&mut self, key: &FlowKey) {
        let _ = self.map.remove(key);
    }

    /// Entries at the last round's beginning.
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// Entries that sweeps removed.
    pub const fn swept(&self) -> u64 {
        self.swept
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sweep {
    Keep,
    /// Ended, and the end was not reported.
    Report,
    /// Over, and the agent knows.
    Drop,
}

fn sweep_action(state: &FlowState, now_ns: u64) -> Sweep {
    let has = |flag| state.flags & flag != 0;
    let idle = now_ns.saturating_sub(state.last_ns);
    if has(FlowState::UNTOLD) {
        return if idle >= UNANSWERED_NS { Sweep::Drop } else { Sweep::Keep };
    }
    if has(FlowState::UNREPORTED) {
        return Sweep::Report;
    }
    if has(FlowState::CLOSED) {
        return if idle >= LINGER_NS { Sweep::Drop } else { Sweep::Keep };
    }
    let patience =
        if has(FlowState::CANDIDATE) && !has(FlowState::EXPECTED) { CANDIDATE_IDLE_NS } else { IDLE_NS };
    if idle >= patience { Sweep::Report } else { Sweep::Keep }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(flags: u32) -> FlowState {
        FlowState { flags, last_ns: 1_000, ..FlowState::default() }
    }

    #[test]
    fn what_was_not_reported_is_reported_at_once() {
        assert_eq!(sweep_action(&state(FlowState::CLOSED | FlowState::UNREPORTED), 1_000), Sweep::Report);
    }

    #[test]
    fn what_was_reported_goes_without_a_word_after_late_packets() {
        assert_eq!(sweep_action(&state(FlowState::CLOSED), 1_000), Sweep::Keep);
        assert_eq!(sweep_action(&state(FlowState::CLOSED), 1_000 + LINGER_NS), Sweep::Drop);
    }

    #[test]
    fn a_syn_without_an_answer_goes_without_a_word() {
        let syn = state(FlowState::CANDIDATE | FlowState::SHARED | FlowState::UNTOLD);
        assert_eq!(sweep_action(&syn, 1_000), Sweep::Keep);
        assert_eq!(sweep_action(&syn, 1_000 + UNANSWERED_NS), Sweep::Drop);
    }

    #[test]
    fn what_stopped_is_over_in_the_end() {
        assert_eq!(sweep_action(&state(FlowState::EXPECTED), CANDIDATE_IDLE_NS * 2), Sweep::Keep);
        assert_eq!(sweep_action(&state(FlowState::EXPECTED), IDLE_NS + 1_000), Sweep::Report);
        assert_eq!(sweep_action(&state(FlowState::CANDIDATE), CANDIDATE_IDLE_NS * 2), Sweep::Report);
        let adopted = state(FlowState::CANDIDATE | FlowState::EXPECTED);
        assert_eq!(sweep_action(&adopted, CANDIDATE_IDLE_NS * 2), Sweep::Keep);
    }
}
