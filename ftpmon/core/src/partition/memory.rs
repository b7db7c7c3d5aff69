//! The budget of memory: what all sessions and connections together may take (`Limits::memory_bytes`).
//!
//! Half of the budget is split among the partitions, and no other partition can take that from one. The other half is a pool that all
//! draw on. A partition whose own half is used up and that finds the pool empty gives up connections of its own, until what
//! it has fits: those that ended first, then those that are no sessions, then the sessions that were idle longest. A session that
//! holds more than an eighth of a partition's half is given up before any other.

use super::Partition;
use crate::event::EndReason;
use crate::flow::{Class, Control, Flow, FlowId, Role};
use crate::time::Timestamp;

/// Memory of a connection in the table: itself, its places in the indexes, and the room that tables keep to grow, bytes.
const FLOW_BYTES: usize = size_of::<Flow>() * 4 / 3 + 192;
/// Additional memory of a session in which nothing waits, bytes: addresses, names, and what is kept to compare copies with.
const SESSION_BYTES: usize = size_of::<Control>() + 1_024;

impl Partition {
    /// Bytes that this partition's connections and sessions take, and its part of the budget.
    pub(super) fn memory_fill(&self) -> (usize, usize) {
        let sessions = self.flows.len_of(Class::Control) + self.unanswered_sessions;
        let held = self.held.probe.used() + self.held.early.used() + self.held.reorder.used();
        let tables = self.flows.len() * FLOW_BYTES + sessions * SESSION_BYTES;
        (tables + held + self.memory.waiting, self.memory.share)
    }

    /// Gives up connections until what is left fits into the budget. `latest`: the connection that took more.
    pub(super) fn keep_within_memory(&mut self, at: Timestamp, latest: Option<FlowId>) {
        let mut latest = latest;
        loop {
            let (used, _) = self.memory_fill();
            if self.memory.has_room_for(used) {
                return;
            }
            let greedy = latest.take().filter(|id| {
                let held = self.flows.get(*id).map_or(0, |flow| flow.held as usize);
                held > self.memory.own / 8
            });
            match greedy {
                Some(id) => {
                    self.counters.lose("memory_full", 1);
                    self.remove(at, id, EndReason::Evicted);
                }
                None if self.evict(at, "memory_full") => {}
                None => return,
            }
        }
    }

    /// Gives up the connection that is missed least. False where there is none.
    pub(super) fn evict(&mut self, at: Timestamp, counter: &'static str) -> bool {
        let victim = [Class::Ended, Class::Unclaimed, Class::Other, Class::Control]
            .into_iter()
            .find_map(|class| self.flows.longest_idle(class));
        let Some((victim, _)) = victim else { return false };
        if !matches!(self.role(victim), Some(Role::Ended)) {
            self.counters.lose(counter, 1);
        }
        self.remove(at, victim, EndReason::Evicted);
        true
    }

    /// Notes what waits in a session.
    pub(super) fn note_waiting(&mut self, at: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let Role::Control(control) = &flow.role else { return };
        let held = u32::try_from(control.session.held() + flow.connection.held_bytes()).unwrap_or(u32::MAX);
        if held == flow.held {
            return;
        }
        let grew = held > flow.held;
        self.memory.waiting = (self.memory.waiting + held as usize).saturating_sub(flow.held as usize);
        flow.held = held;
        if grew {
            self.keep_within_memory(at, Some(id));
        }
    }

    /// The session of a connection is over: nothing waits in it any longer.
    pub(super) fn forget_waiting(&mut self, id: FlowId) {
        if let Some(flow) = self.flows.get_mut(id)
            && matches!(flow.role, Role::Control(_))
        {
            self.memory.waiting = self.memory.waiting.saturating_sub(flow.held as usize);
            flow.held = 0;
        }
    }
}
