//! The pairs of hosts of a partition, and the caps over all of them.

use std::collections::VecDeque;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::host_pair::HostPair;
use super::services::SERVICES_OF_PAIR_MAX;
use super::state::{PairState, Rare};
use super::window::Window;
use crate::addr::Endpoint;
use crate::event::Direction;
use crate::fill::Fills;
use crate::flow::FlowId;
use crate::time::Timestamp;

/// Connections of one pair that may turn out to be data connections. Stops two hosts that open connections without end:
/// the oldest is no longer kept.
const UNCLAIMED_OF_PAIR_MAX: usize = 64;
/// Such connections of all pairs of a partition. Stops a flood of connections: further ones are followed, and not kept.
const UNCLAIMED_MAX: usize = 2_048;
/// Windows of one pair. Stops sessions that lose bytes without end: the oldest is forgotten.
const WINDOWS_OF_PAIR_MAX: usize = 64;
/// Windows of all pairs of a partition. Stops many such pairs: all are forgotten.
const WINDOWS_MAX: usize = 2_048;
/// Unreadable sessions of one pair that are considered for a connection: those that sent something last. Bounds the work for
/// each connection.
const UNREADABLE_OF_PAIR_MAX: usize = 64;
/// Inference candidates of one pair. Stops a peer that opens connections and sends nothing: the oldest is decided by the
/// evidence so far.
const CANDIDATES_OF_PAIR_MAX: usize = 256;
/// Pairs whose listeners of other protocols are remembered while nothing else is known of them. Stops a flood of hosts: the
/// oldest is forgotten, and counted.
const IDLE_PAIRS_MAX: usize = 1_024;

/// Entries that had to be left out when something was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Windows that were forgotten.
    pub(crate) windows: u64,
    /// Connections of these hosts may be unknown.
    pub(crate) flows: bool,
}

/// The pairs of hosts of a partition.
#[derive(Debug, Default)]
pub(crate) struct PairTable {
    pairs: HashMap<HostPair, PairState>,
    unclaimed: usize,
    windows: usize,
    unreadable: usize,
    /// Pairs of which listeners alone are known, the oldest first; some may have become more since.
    idle: VecDeque<HostPair>,
    services_forgotten: u64,
}

impl PairTable {
    /// Number of pairs of which anything is known.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The state of a pair.
    pub(crate) fn get(&self, pair: HostPair) -> Option<&PairState> {
        self.pairs.get(&pair)
    }

    /// The state of a pair, to be added to.
    pub(crate) fn entry(&mut self, pair: HostPair) -> &mut PairState {
        self.pairs.entry(pair).or_default()
    }

    /// A session of a pair sent something.
    pub(crate) fn note_spoken(&mut self, pair: HostPair, at: Timestamp) {
        if let Some(state) = self.pairs.get_mut(&pair) {
            state.spoke = state.spoke.max(at);
        }
    }

    /// Something was taken away from a pair: it goes where nothing is left.
    pub(crate) fn tidy(&mut self, pair: HostPair) {
        let Some(state) = self.pairs.get(&pair).filter(|state| state.is_idle()) else { return };
        if state.is_empty() {
            self.pairs.remove(&pair);
            return;
        }
        if self.idle.back() != Some(&pair) {
            self.idle.push_back(pair);
        }
        while self.idle.len() > IDLE_PAIRS_MAX {
            let Some(oldest) = self.idle.pop_front() else { return };
            if !self.idle.contains(&oldest) && self.pairs.get(&oldest).is_some_and(PairState::is_idle) {
                self.pairs.remove(&oldest);
                self.services_forgotten += 1;
            }
        }
    }

    /// Listeners of other protocols that were forgotten at a cap.
    pub(crate) const fn services_forgotten(&self) -> u64 {
        self.services_forgotten
    }

    /// Connections that are kept for a late announcement, and how many may be.
    pub(crate) const fn unclaimed_fill(&self) -> (usize, usize) {
        (self.unclaimed, UNCLAIMED_MAX)
    }

    /// Windows that are kept, and how many may be.
    pub(crate) const fn windows_fill(&self) -> (usize, usize) {
        (self.windows, WINDOWS_MAX)
    }

    /// No session has missing bytes.
    pub(crate) const fn nothing_missed(&self) -> bool {
        self.windows == 0
    }

    /// Every session can be read.
    pub(crate) const fn all_readable(&self) -> bool {
        self.unreadable == 0
    }

    fn rare(&self, pair: HostPair) -> Option<&Rare> {
        self.pairs.get(&pair)?.rare.as_deref()
    }

    fn rare_mut(&mut self, pair: HostPair) -> Option<&mut Rare> {
        self.pairs.get_mut(&pair)?.rare.as_deref_mut()
    }
}

/// Connections without a readable announcement so far.
impl PairTable {
    /// A connection was opened. Returns the one that is no longer kept at the cap.
    pub(crate) fn keep_unclaimed(&mut self, pair: HostPair, id: FlowId) -> Option<FlowId> {
        if self.unclaimed >= UNCLAIMED_MAX {
            return None;
        }
        let state = self.pairs.entry(pair).or_default();
        state.unclaimed.push(id);
        if state.unclaimed.len() > UNCLAIMED_OF_PAIR_MAX {
            state.crowded = true;
            return Some(state.unclaimed.remove(0));
        }
        self.unclaimed += 1;
        None
    }

    /// A connection is claimed, or gone.
    pub(crate) fn forget_unclaimed(&mut self, pair: HostPair, id: FlowId) {
        let Some(state) = self.pairs.get_mut(&pair) else { return };
        let before = state.unclaimed.len();
        state.unclaimed.retain(|known| *known != id);
        let gone = before - state.unclaimed.len();
        if gone > 0 {
            self.unclaimed -= gone;
            self.tidy(pair);
        }
    }

    /// The connections of a pair that are kept, the oldest first.
    pub(crate) fn unclaimed(&self, pair: HostPair) -> &[FlowId] {
        self.pairs.get(&pair).map(|state| state.unclaimed.as_slice()).unwrap_or_default()
    }
}

/// Times in which sessions may have sent something that was not seen.
impl PairTable {
    /// Bytes of a session are missing.
    pub(crate) fn add_window(&mut self, pair: HostPair, window: Window) -> LeftOut {
        let mut left_out = LeftOut { windows: 0, flows: self.unclaimed >= UNCLAIMED_MAX };
        if self.windows >= WINDOWS_MAX {
            left_out.windows = self.windows as u64;
            self.forget_windows();
        }
        let state = self.pairs.entry(pair).or_default();
        left_out.flows |= state.crowded;
        let windows = &mut state.rare().windows;
        if let Some(known) = windows.iter_mut().rev().find(|known| known.is_continued_by(&window)) {
            known.extend(&window);
            return left_out;
        }
        if windows.len() >= WINDOWS_OF_PAIR_MAX {
            windows.remove(0);
            self.windows -= 1;
            left_out.windows += 1;
        }
        windows.push(window);
        self.windows += 1;
        left_out
    }

    /// Bytes of a session were received after missing ones.
    pub(crate) fn close_windows(
        &mut self,
        pair: HostPair,
        session: FlowId,
        direction: Direction,
        at: Timestamp,
    ) {
        let windows = self.rare_mut(pair).into_iter().flat_map(|rare| &mut rare.windows);
        windows
            .filter(|window| window.open && (window.session, window.direction) == (session, direction))
            .for_each(|window| window.close(at));
    }

    /// A transfer of a session began whose endpoint was announced unseen.
    pub(crate) fn admit_transfer(&mut self, pair: HostPair, session: FlowId, at: Timestamp) {
        let windows = self.rare_mut(pair).into_iter().flat_map(|rare| &mut rare.windows);
        windows.filter(|window| window.session == session).for_each(|window| window.admit_transfer(at));
    }

    /// The windows of a pair.
    pub(crate) fn windows(&self, pair: HostPair) -> &[Window] {
        self.rare(pair).map(|rare| rare.windows.as_slice()).unwrap_or_default()
    }

    /// A session ended.
    pub(crate) fn forget_windows_of(&mut self, pair: HostPair, session: FlowId) {
        let Some(rare) = self.rare_mut(pair) else { return };
        let before = rare.windows.len();
        rare.windows.retain(|window| window.session != session);
        let gone = before - rare.windows.len();
        self.windows -= gone;
        self.tidy(pair);
    }

    fn forget_windows(&mut self) {
        self.windows = 0;
        self.pairs.retain(|_, state| {
            if let Some(rare) = &mut state.rare {
                rare.windows = Vec::new();
            }
            !state.is_empty()
        });
    }
}

/// Sessions that cannot be read, and connections that may be theirs.
impl PairTable {
    /// An unreadable session sent something, or became unreadable. True if another one is no longer considered, at the cap.
    pub(crate) fn note_unreadable(&mut self, pair: HostPair, session: FlowId) -> bool {
        let sessions = &mut self.pairs.entry(pair).or_default().rare().unreadable;
        if sessions.last() == Some(&session) {
            return false;
        }
        let known = sessions.iter().rposition(|known| *known == session);
        let full = known.is_none() && sessions.len() >= UNREADABLE_OF_PAIR_MAX;
        match known {
            Some(at) => drop(sessions.remove(at)),
            None if full => drop(sessions.remove(0)),
            None => self.unreadable += 1,
        }
        sessions.push(session);
        full
    }

    /// A session can be read again, or ended. Returns the inference candidates that are left without any session.
    pub(crate) fn forget_unreadable(&mut self, pair: HostPair, session: FlowId) -> Vec<FlowId> {
        let Some(rare) = self.rare_mut(pair) else { return Vec::new() };
        let before = rare.unreadable.len();
        rare.unreadable.retain(|known| *known != session);
        let gone = before - rare.unreadable.len();
        let orphans =
            if rare.unreadable.is_empty() { core::mem::take(&mut rare.candidates) } else { Vec::new() };
        self.unreadable -= gone;
        self.tidy(pair);
        orphans
    }

    /// The unreadable sessions of a pair, the one that sent something last first.
    pub(crate) fn unreadable(&self, pair: HostPair) -> impl Iterator<Item = FlowId> {
        self.rare(pair).into_iter().flat_map(|rare| rare.unreadable.iter().rev().copied())
    }

    /// The inference candidates of a pair, the oldest first.
    pub(crate) fn candidates(&self, pair: HostPair) -> &[FlowId] {
        self.rare(pair).map(|rare| rare.candidates.as_slice()).unwrap_or_default()
    }

    /// A connection was opened between the hosts of an unreadable session. Returns the candidate that is evicted at the cap.
    pub(crate) fn add_candidate(&mut self, pair: HostPair, id: FlowId) -> Option<FlowId> {
        let candidates = &mut self.rare_mut(pair)?.candidates;
        candidates.push(id);
        (candidates.len() > CANDIDATES_OF_PAIR_MAX).then(|| candidates.remove(0))
    }

    /// A candidate is decided, or gone.
    pub(crate) fn forget_candidate(&mut self, pair: HostPair, id: FlowId) {
        if let Some(rare) = self.rare_mut(pair) {
            rare.candidates.retain(|known| *known != id);
            self.tidy(pair);
        }
    }
}

/// Listeners of other protocols.
impl PairTable {
    /// A listener's first bytes are those of another protocol.
    pub(crate) fn note_foreign(&mut self, initiator: IpAddr, listener: Endpoint) {
        let state = self.pairs.entry(HostPair::new(initiator, listener.ip)).or_default();
        let forgotten = state.rare().foreign.insert(initiator, listener);
        self.services_forgotten += u64::from(forgotten);
    }

    /// A listener takes and sends bytes on one connection.
    pub(crate) fn note_answering(&mut self, initiator: IpAddr, listener: Endpoint) {
        let pair = HostPair::new(initiator, listener.ip);
        let forgotten = self.pairs.entry(pair).or_default().rare().answering.insert(initiator, listener);
        self.services_forgotten += u64::from(forgotten);
        self.tidy(pair);
    }

    /// A listener's first bytes were those of another protocol.
    pub(crate) fn is_foreign(&self, initiator: IpAddr, listener: Endpoint) -> bool {
        self.rare(HostPair::new(initiator, listener.ip))
            .is_some_and(|rare| rare.foreign.contains(initiator, listener))
    }

    /// A listener serves another protocol, as far as is known.
    pub(crate) fn is_service(&self, initiator: IpAddr, listener: Endpoint) -> bool {
        self.is_foreign(initiator, listener)
            || self
                .rare(HostPair::new(initiator, listener.ip))
                .is_some_and(|rare| rare.answering.contains(initiator, listener))
    }
}

impl PairTable {
    /// Notes the fill of each pair's lists.
    pub(crate) fn note_fill(&self, fills: &mut Fills) {
        fills.note("idle_pairs", self.idle.len(), IDLE_PAIRS_MAX);
        for state in self.pairs.values() {
            fills.note("unclaimed_of_pair", state.unclaimed.len(), UNCLAIMED_OF_PAIR_MAX);
            let Some(rare) = state.rare.as_deref() else { continue };
            fills.note("unreadable_of_pair", rare.unreadable.len(), UNREADABLE_OF_PAIR_MAX);
            fills.note("candidates_of_pair", rare.candidates.len(), CANDIDATES_OF_PAIR_MAX);
            fills.note("windows_of_pair", rare.windows.len(), WINDOWS_OF_PAIR_MAX);
            for services in [&rare.foreign, &rare.answering] {
                fills.note("services_of_pair", services.len(), SERVICES_OF_PAIR_MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests;
