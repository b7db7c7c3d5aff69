//! Connections that may be announced yet: kept by their listener, their first bytes held with `--files`, and adopted when
//! the announcement comes.

use core::ops::Range;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::{CONNECTIONS_OF_LISTENER_MAX, Mail, Partition, Stamp};
use crate::addr::Endpoint;
use crate::config::FilesMode;
use crate::endpoints::{Claim, SharedEndpoints};
use crate::event::EndReason;
use crate::flow::{Candidate, ClaimRef, EARLY_BYTES_MAX, Flow, FlowId, Role, Timer};
use crate::pair::decide::{EarlyConnection, Gathered, announced_connection, rivals};
use crate::pair::{HostPair, PairState};
use crate::selector::SelectorUpdate;
use crate::session::Contact;
use crate::time::Timestamp;
use crate::timing::{ANNOUNCEMENT_LATE_NS, ANNOUNCING_NS, BORDER_NS, DISORDER_NS};

impl Partition {
    /// A connection whose announcement may still come is in the table.
    pub(super) fn wait_for_announcement(&mut self, listener: Endpoint, id: FlowId) {
        let waiting = self.by_listener.entry(listener).or_default();
        if waiting.flows.len() >= CONNECTIONS_OF_LISTENER_MAX {
            waiting.flows.remove(0);
            waiting.crowded = true;
        }
        waiting.flows.push(id);
    }

    /// The role of a connection is known now, or it leaves the table.
    pub(super) fn stop_waiting(&mut self, id: FlowId) {
        self.stop_waiting_at_ends(id);
        if let Some(pair) = self.flows.get(id).map(Flow::pair) {
            self.pairs.forget_unclaimed(pair, id);
        }
    }

    /// It waits at none of its ends any longer.
    pub(super) fn stop_waiting_at_ends(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        for listener in flow.possible_listeners() {
            if let Some(waiting) = self.by_listener.get_mut(&listener) {
                waiting.flows.retain(|known| *known != id);
                if waiting.flows.is_empty() {
                    self.by_listener.remove(&listener);
                }
            }
        }
    }

    /// It waits for an announcement of this end.
    pub(super) fn is_waiting(&self, listener: Endpoint, id: FlowId) -> bool {
        self.by_listener.get(&listener).is_some_and(|waiting| waiting.flows.contains(&id))
    }

    /// An endpoint was announced: a connection between the hosts of its session may have been opened before that is known. `in_force`: from
    /// when until when it was the latest.
    pub(super) fn adopt_own(
        &mut self,
        at: Timestamp,
        in_force: Range<Timestamp>,
        listener: Endpoint,
        claim: &Claim,
    ) {
        // A busy listener that nobody announces is no loss.
        if self.by_listener.get(&listener).is_some_and(|waiting| waiting.crowded) {
            self.counters.lose("connections_of_listener_full", 1);
        }
        let own = |pair: HostPair| pair == claim.pair();
        let mut waiting = self.waiting_connections(in_force.start, listener, claim, own);
        waiting.retain(|it| it.opened < in_force.end);
        let Some(best) = announced_connection(&waiting) else { return };
        waiting.iter().for_each(|it| self.settle_listener(it.flow, listener));
        let Some(initiator) = self.flows.get(best).map(|flow| flow.initiator) else { return };
        let claims = self.endpoints.fulfilled(initiator.ip, listener);
        let claims: SmallVec<[ClaimRef; 1]> =
            claims.iter().map(|claim| ClaimRef::own(claim.session, claim.endpoint)).collect();
        // All of them come to the endpoint before any of them ends: a transfer that is told takes none any longer.
        let mut ended: Gathered<FlowId> = SmallVec::new();
        for id in rivals(&waiting, best, in_force.start).into_iter().chain([best]) {
            ended.extend(self.adopt(id, claims.clone()).then_some(id));
        }
        for id in ended {
            self.end(at, id, None);
        }
    }

    /// An endpoint was announced by a session of other hosts, `said` when: a connection to it may have been quicker.
    pub(super) fn adopt_foreign(
        &mut self,
        at: Timestamp,
        said: Timestamp,
        listener: Endpoint,
        claim: &Claim,
        shared: &SharedEndpoints,
    ) {
        if self.by_listener.is_empty() {
            return;
        }
        // Of each pair of hosts one: which of them the session takes is decided where it is kept.
        let Some(waiting) = self.by_listener.get(&listener) else { return };
        let mut pairs: SmallVec<[HostPair; CONNECTIONS_OF_LISTENER_MAX]> =
            waiting.flows.iter().filter_map(|id| self.flows.get(*id)).map(Flow::pair).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let chosen = pairs
            .into_iter()
            .filter(|pair| *pair != claim.pair())
            .filter_map(|pair| self.waiting_connection(said, listener, claim, |its| its == pair));
        let mut chosen: SmallVec<[(u64, FlowId); CONNECTIONS_OF_LISTENER_MAX]> =
            chosen.filter_map(|id| Some((self.flows.get(id)?.birth, id))).collect();
        chosen.sort_unstable();
        for (birth, id) in chosen {
            self.begin(Stamp { minor: birth, ..self.stamp }, self.now.at);
            self.adopt_foreign_connection(at, id, listener, shared);
        }
    }

    /// Connections of other hosts to an endpoint that its session has used by now: it is told of them.
    pub(super) fn tell_newcomers(&mut self, listener: Endpoint, claim: &Claim) {
        let Some(waiting) = self.by_listener.get(&listener) else { return };
        let contact = |&id: &FlowId| {
            let flow = self.flows.get(id)?;
            let lately = self.now.at.nanos_since(flow.first) <= BORDER_NS;
            let stranger = lately && flow.pair() != claim.pair() && flow.was_established();
            let (initiator, first) = (flow.opener_to(listener), flow.first);
            let connection = self.connection_id(id);
            let contact = Contact { connection, initiator, listener, established: true, proven: true };
            stranger.then_some((first, contact))
        };
        let contacts: SmallVec<[(Timestamp, Contact); CONNECTIONS_OF_LISTENER_MAX]> =
            waiting.flows.iter().filter_map(contact).collect();
        let &Claim { session, endpoint, .. } = claim;
        for (at, contact) in contacts {
            self.post(Mail::DataOpened { session, endpoint, at, contact });
        }
    }

    fn adopt_foreign_connection(
        &mut self,
        at: Timestamp,
        id: FlowId,
        listener: Endpoint,
        shared: &SharedEndpoints,
    ) {
        self.settle_listener(id, listener);
        let Some(flow) = self.flows.get(id) else { return };
        // The exchange comes late: where the connection ended, it did so with its last packet.
        let ended = flow.last_packet();
        let claims = self.foreign_claims(flow.initiator, listener, shared);
        match self.role(id) {
            Some(Role::Data(_)) => self.add_claims(at, id, &claims),
            _ => {
                if self.adopt(id, claims) {
                    self.end(ended, id, None);
                }
            }
        }
    }

    /// Of the connections to `listener` that wait for an announcement, the one that this claim is for.
    fn waiting_connection(
        &self,
        said: Timestamp,
        listener: Endpoint,
        claim: &Claim,
        among: impl Fn(HostPair) -> bool,
    ) -> Option<FlowId> {
        announced_connection(&self.waiting_connections(said, listener, claim, among))
    }

    /// The connections to `listener` that wait for an announcement, and that this claim may be for.
    fn waiting_connections(
        &self,
        said: Timestamp,
        listener: Endpoint,
        claim: &Claim,
        among: impl Fn(HostPair) -> bool,
    ) -> SmallVec<[EarlyConnection; CONNECTIONS_OF_LISTENER_MAX]> {
        let anyone = claim.announcer == listener.ip;
        let evidence = |&id: &FlowId| {
            let flow = self.flows.get(id).filter(|flow| among(flow.pair()))?;
            let expected_peer = flow.opener_to(listener).ip == claim.peer;
            // What was sent after a gap may become known much later.
            let in_time = said.nanos_since(flow.first) <= ANNOUNCEMENT_LATE_NS as u64;
            // A connection that had ended before and carried nothing was not made for it, nor one that came to an endpoint of
            // another session.
            let over = flow.ended_empty() && flow.last_packet().plus_nanos(DISORDER_NS) < said;
            let others =
                flow.turned_down_by.is_some_and(|session| session != claim.session || flow.ended_empty());
            let in_time = in_time && !over && !others;
            (in_time && (expected_peer || anyone)).then(|| EarlyConnection {
                flow: id,
                expected_peer,
                established: flow.was_established(),
                counted: flow.record.is_some(),
                moved: flow.has_moved(),
                open: !flow.is_counted_to_its_end() && !flow.connection.is_closed(),
                opened: flow.first,
            })
        };
        let waiting = self.by_listener.get(&listener);
        waiting.map(|waiting| waiting.flows.iter().filter_map(evidence).collect()).unwrap_or_default()
    }

    /// A connection was opened before its announcement. True where it has ended.
    fn adopt(&mut self, id: FlowId, claims: SmallVec<[ClaimRef; 1]>) -> bool {
        if claims.is_empty() {
            return false;
        }
        let Some(flow) = self.flows.get(id) else { return false };
        let ended = flow.is_counted_to_its_end()
            || (flow.record.is_none() && flow.connection.is_closed())
            || self.is_ended_unclaimed(id);
        self.become_data(id, claims, false);
        ended
    }

    /// Whether the bytes of an undecided connection are to be held: files are wanted, its hosts have a session that sent something just
    /// before it was opened, so that its announcement may be on the way, and its listener is not known to serve another protocol.
    pub(super) fn holds_early_bytes(&self, opened: Timestamp, initiator: IpAddr, listener: Endpoint) -> bool {
        let announcing =
            |pair: &PairState| pair.sessions > 0 && opened <= pair.spoke.plus_nanos(ANNOUNCING_NS);
        self.config.files != FilesMode::Off
            && self.pairs.get(HostPair::new(initiator, listener.ip)).is_some_and(announcing)
            && !self.pairs.is_service(initiator, listener)
    }

    /// A session sent something: what its hosts open next may be what it announces.
    pub(super) fn note_spoken(&mut self, at: Timestamp, id: FlowId) {
        if self.config.files == FilesMode::Off {
            return;
        }
        if let Some(Role::Control(control)) = self.role(id) {
            let pair = control.pair();
            self.pairs.note_spoken(pair, at);
        }
    }

    /// Bytes of a connection were added to those that are held: beyond a cap all of the connection's are dropped.
    pub(super) fn note_early_bytes(&mut self, id: FlowId, before: usize) {
        let Some(flow) = self.flows.get(id) else { return };
        let Role::Candidate(Candidate::Early(early)) = &flow.role else { return };
        let (initiator, listener, cost) = (flow.initiator, flow.listener, early.cost());
        self.held.early.change(before, cost);
        if cost > EARLY_BYTES_MAX || self.held.early.total() > self.config.limits.early_bytes {
            self.counters.lose("early_bytes_full", 1);
            self.drop_early_bytes(id);
            self.update(SelectorUpdate::Adopt { initiator, listener, payload: false });
        }
    }

    /// The bytes that are held of a connection are not wanted any longer.
    pub(super) fn drop_early_bytes(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if let Role::Candidate(Candidate::Early(early)) = &flow.role {
            self.held.early.change(early.cost(), 0);
            flow.role = Role::PLAIN;
        }
    }

    /// Looks at a connection again when its announcement would come too late.
    pub(super) fn watch_announcement(&mut self, id: FlowId) {
        if let Some(first) = self.flows.get(id).map(|flow| flow.first) {
            self.schedule(id, Timer::Announcement, first.plus_nanos(ANNOUNCEMENT_LATE_NS));
        }
    }

    /// An announcement of the connection would come too late by now: the kernel need not count it on, and no bytes of it are
    /// held.
    pub(super) fn give_up_announcement(&mut self, now: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        if now.nanos_since(flow.first) < ANNOUNCEMENT_LATE_NS as u64 {
            return;
        }
        self.drop_early_bytes(id);
        let Some(flow) = self.flows.get(id) else { return };
        let counted = matches!(flow.role, Role::Candidate(Candidate::Plain)) && flow.record.is_some();
        let (initiator, listener) = (flow.initiator, flow.listener);
        if !counted || self.is_ended_unclaimed(id) || self.may_be_told_by_a_gap(id) {
            return;
        }
        self.update(SelectorUpdate::Release { initiator, listener });
        self.remove(now, id, EndReason::Idle);
    }
}
