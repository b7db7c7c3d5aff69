//! Data connections: found by announcement or inference, counted by their segments or by the kernel.

use smallvec::SmallVec;

use super::{Mail, Partition};
use crate::account::{FlowRecord, FlowReport};
use crate::addr::Endpoint;
use crate::config::FilesMode;
use crate::endpoints::SharedEndpoints;
use crate::event::EndReason;
use crate::flow::{
    Candidate, ClaimRef, Class, DataFlow, Files, FirstBytes, Flow, FlowId, FlowKey, Role, SessionRef,
};
use crate::selector::SelectorUpdate;
use crate::session::{ConnectionId, Contact, EndpointId};
use crate::time::Timestamp;

impl Partition {
    /// The kernel gave its account of a connection.
    pub(crate) fn handle_flow(&mut self, record: &FlowRecord, shared: &SharedEndpoints) {
        let (at, key) = (record.at, FlowKey::new(record.initiator, record.listener));
        let known = self.flows.find(&key).filter(|&id| !self.is_outdated_by(record, id));
        let id = match known {
            Some(id) => id,
            None => {
                let opened = record.syn.map(|_| record.first);
                let role = self.role_of_new(record.initiator, record.listener, false, opened, shared);
                let id = self.insert(at, key, Flow::from_record(self.now.index, record, role));
                self.watch_announcement(id);
                self.leave_uncopied(id);
                id
            }
        };
        let Some(flow) = self.flows.get_mut(id) else { return };
        if matches!(flow.role, Role::Ended) {
            return;
        }
        flow.note_record(record);
        self.flows.touch(id, self.now);
        self.note_established(at, id);
        if record.report == FlowReport::Close {
            self.end(at, id, None);
        }
    }

    /// The account is of a later connection between the same ports than the flow known by them.
    fn is_outdated_by(&mut self, record: &FlowRecord, id: FlowId) -> bool {
        let outdated = self.flows.get(id).is_none_or(|flow| match (flow.incarnation, &flow.role) {
            (0, Role::Ended) => record.report == FlowReport::Open,
            (0, _) => false,
            (known, _) => known != record.incarnation,
        });
        if outdated {
            self.remove(record.at, id, EndReason::Replaced);
        }
        outdated
    }

    /// The role of a connection of which nothing was seen before. `opened`: when, where its opening was seen.
    pub(super) fn role_of_new(
        &mut self,
        initiator: Endpoint,
        listener: Endpoint,
        has_segments: bool,
        opened: Option<Timestamp>,
        shared: &SharedEndpoints,
    ) -> Role {
        let followed = has_segments && self.config.networks.admit(initiator.ip, listener.ip);
        if has_segments && self.is_control(listener.port) {
            if !followed {
                self.counters.denied_connections += 1;
                return Role::PLAIN;
            }
            let implicit_tls = self.config.tls_ports.contains(&listener.port);
            return Role::Nascent { implicit_tls, unproven: None };
        }
        let claims = self.claims_on(initiator, listener, shared);
        if !claims.is_empty() {
            return Role::Data(Box::new(self.data_flow(claims)));
        }
        if let Some(candidate) = opened.and_then(|at| self.inference_candidate(at, initiator, listener)) {
            return Role::Candidate(Candidate::Inference(Box::new(candidate)));
        }
        if followed && self.config.detect_by_content {
            if self.held.probe.total() < self.config.limits.probe_bytes {
                return Role::Candidate(Candidate::Probe(Box::default()));
            }
            self.counters.lose("probe_bytes_full", 1);
        }
        if opened.is_some_and(|at| self.holds_early_bytes(at, initiator.ip, listener)) {
            return Role::Candidate(Candidate::Early(Box::default()));
        }
        Role::PLAIN
    }

    /// The announcements that a new connection fulfils: those of sessions between its own hosts before others.
    fn claims_on(
        &self,
        initiator: Endpoint,
        listener: Endpoint,
        shared: &SharedEndpoints,
    ) -> SmallVec<[ClaimRef; 1]> {
        let own = self.endpoints.fulfilled(initiator.ip, listener);
        if !own.is_empty() {
            return own.iter().map(|claim| ClaimRef::own(claim.session, claim.endpoint)).collect();
        }
        self.foreign_claims(initiator, listener, shared)
    }

    /// The announcements of sessions between other hosts that a connection fulfils.
    pub(super) fn foreign_claims(
        &self,
        initiator: Endpoint,
        listener: Endpoint,
        shared: &SharedEndpoints,
    ) -> SmallVec<[ClaimRef; 1]> {
        let allowed = |host| self.config.data_hosts.iter().any(|network| network.contains(host));
        let claims = shared.fulfilled(initiator.ip, listener);
        claims.iter().map(|claim| claim.foreign(initiator.ip, listener, allowed)).collect()
    }

    fn data_flow(&mut self, claims: SmallVec<[ClaimRef; 1]>) -> DataFlow {
        self.counters.data_connections += 1;
        let data = self.new_data();
        let withheld = data.files.is_some().then(Box::default);
        DataFlow { claims, withheld, ..data }
    }

    /// A data connection of which nothing was seen yet.
    pub(super) fn new_data(&self) -> DataFlow {
        let hashes = self.config.hashes;
        let keep = (self.config.files == FilesMode::Extract).then_some(self.config.file_bytes_max);
        let files = (self.config.files != FilesMode::Off).then(|| Box::new(Files::new(hashes, keep)));
        DataFlow { files, ..DataFlow::default() }
    }

    /// Puts a new flow into the table; at the cap the longest idle one is evicted.
    pub(super) fn insert(&mut self, at: Timestamp, key: FlowKey, flow: Flow) -> FlowId {
        while self.flows.len() >= self.flows_max && self.evict(at, "flows_evicted") {}
        self.keep_within_memory(at, None);
        if self.flows.len_of(Class::Ended) > self.ended_max
            && let Some((first, _)) = self.flows.longest_idle(Class::Ended)
        {
            self.remove(at, first, EndReason::Evicted);
        }
        let pair = flow.pair();
        let listeners = flow.possible_listeners();
        let is_candidate = matches!(flow.role, Role::Candidate(_));
        let is_inference = matches!(flow.role, Role::Candidate(Candidate::Inference(_)));
        let id = self.flows.insert(key, Class::Other, self.now, flow);
        if is_candidate {
            for listener in listeners {
                self.wait_for_announcement(listener, id);
                self.newcomers.push(listener);
            }
        }
        if is_inference {
            if let Some(oldest) = self.pairs.add_candidate(pair, id) {
                self.counters.lose("inference_candidates_full", 1);
                self.decide_candidate(at, oldest, true);
            }
        } else if is_candidate {
            self.keep_unclaimed(id);
        } else {
            self.tell_claimants(id);
        }
        id
    }

    /// Notifies the sessions that announced a new data connection.
    pub(super) fn tell_claimants(&mut self, id: FlowId) {
        self.judge_content(id);
        let Some(flow) = self.flows.get(id) else { return };
        let Role::Data(data) = &flow.role else { return };
        let (initiator, listener, first) = (flow.initiator, flow.listener, flow.first);
        let payload = data.wants_bytes();
        let claims = data.claims.clone();
        let (established, proven) = (flow.is_established(), flow.is_proven());
        if let Some(Flow { role: Role::Data(data), .. }) = self.flows.get_mut(id) {
            (data.established_told, data.proven_told) = (established, proven);
        }
        for claim in &claims {
            self.tell_claimant(first, id, claim);
        }
        if !matches!(self.role(id), Some(Role::Data(_))) {
            return;
        }
        if claims.iter().any(|claim| claim.foreign) {
            // A session of other hosts may announce it as well, which is known at the next exchange.
            self.wait_for_announcement(listener, id);
        }
        self.update(SelectorUpdate::Adopt { initiator, listener, payload });
    }

    fn tell_claimant(&mut self, at: Timestamp, id: FlowId, claim: &ClaimRef) {
        let &ClaimRef { session, endpoint, foreign, .. } = claim;
        let Some(flow) = self.flows.get(id) else { return };
        let Flow { initiator, listener, .. } = *flow;
        let (established, proven) = (flow.is_established(), flow.is_proven());
        let contact =
            Contact { connection: self.connection_id(id), initiator, listener, established, proven };
        if foreign {
            self.post(Mail::DataOpened { session, endpoint, at, contact });
        } else if !self.data_opened(at, session.flow, endpoint, contact) {
            self.refuse_claim(id, session, endpoint);
        }
    }

    pub(super) fn connection_id(&self, id: FlowId) -> ConnectionId {
        ConnectionId { partition: self.number, flow: id.to_bits() }
    }

    /// The sessions of a data connection learn that it is established; those of other hosts also that this was seen, as they may be told
    /// of a stranger.
    pub(super) fn note_established(&mut self, at: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (established, proven) = (flow.is_established(), flow.is_proven());
        let Role::Data(data) = &mut flow.role else { return };
        let first = established && !core::mem::replace(&mut data.established_told, established);
        let seen = proven && !core::mem::replace(&mut data.proven_told, proven);
        for claim in data.claims.clone().iter().filter(|claim| first || (seen && claim.foreign)) {
            self.tell_claimant(at, id, claim);
        }
    }

    /// Both ends closed a data connection, or one reset it: late packets are waited for, and its session goes on. Or that was forged.
    pub(super) fn note_closing(&mut self, id: FlowId, closing: bool) {
        let connection = self.connection_id(id);
        let moved = self.flows.get(id).is_some_and(Flow::has_moved);
        let Some(Flow { role: Role::Data(data), .. }) = self.flows.get_mut(id) else { return };
        if core::mem::replace(&mut data.closing_told, closing) == closing {
            return;
        }
        for ClaimRef { session, endpoint, .. } in data.claims.clone().iter().filter(|claim| !claim.foreign) {
            if let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(session.flow) {
                control.session.data_closing(*endpoint, connection, closing, moved);
            }
        }
    }

    /// A session has another connection for its announcement.
    pub(super) fn refuse_claim(&mut self, id: FlowId, session: SessionRef, endpoint: EndpointId) {
        let Some(Flow { role: Role::Data(data), .. }) = self.flows.get_mut(id) else { return };
        data.claims.retain(|claim| (claim.session, claim.endpoint) != (session, endpoint));
        if !data.claims.is_empty() {
            return;
        }
        // It is a connection like any other, and no other session's.
        let ended = data.ended.is_some();
        if let Some(files) = data.files.take() {
            files.discard(&mut self.out.outputs);
        }
        if let Some(flow) = self.flows.get_mut(id) {
            flow.role = Role::PLAIN;
            flow.turned_down_by = Some(session);
        }
        self.counters.data_connections -= 1;
        self.stop_waiting(id);
        if ended {
            self.retire(id);
        } else if let Some(listener) = self.flows.get(id).map(|flow| flow.listener) {
            self.wait_for_announcement(listener, id);
            self.watch_announcement(id);
        }
    }

    /// Another session turned out to have announced a data connection: in a transfer between two servers both do.
    pub(super) fn add_claims(&mut self, at: Timestamp, id: FlowId, claims: &[ClaimRef]) {
        for claim in claims {
            let Some(Flow { role: Role::Data(data), .. }) = self.flows.get_mut(id) else { return };
            if data.claims.len() < 2 && !data.claims.contains(claim) {
                data.claims.push(*claim);
                self.tell_claimant(at, id, claim);
            }
        }
        self.judge_content(id);
    }

    /// A connection turned out to be a data connection, whatever was known of it.
    pub(super) fn become_data(&mut self, id: FlowId, claims: SmallVec<[ClaimRef; 1]>, inferred: bool) {
        self.give_up_probe(id);
        self.stop_waiting(id);
        let candidate = self.take_candidate(id);
        let mut data = self.data_flow(claims);
        data.inferred = inferred;
        if let Some(flow) = self.flows.get_mut(id) {
            let moved = flow.has_moved_here();
            match core::mem::replace(&mut flow.role, Role::PLAIN) {
                Role::Candidate(Candidate::Early(early)) => {
                    self.held.early.change(early.cost(), 0);
                    data.replay(&early, &mut self.out.outputs);
                }
                _ => data.late = moved,
            }
            data.first_bytes = if moved { FirstBytes::unseen() } else { FirstBytes::default() };
            if let Some(candidate) = candidate {
                // It was followed from its first byte.
                data = DataFlow { claims: data.claims, inferred, ..candidate.data };
            }
            flow.role = Role::Data(Box::new(data));
        }
        self.flows.move_to(id, Class::Other, self.now);
        self.tell_claimants(id);
    }

    /// A data connection ended: its sessions are notified. If those of other hosts are among them, all are notified at the next
    /// exchange, when it is known which sessions announced it.
    pub(super) fn end_data(&mut self, at: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let mut summary = flow.summary();
        flow.finish_files(&mut summary, &mut self.out.outputs);
        let Role::Data(data) = &mut flow.role else { return };
        data.ended = Some((at, summary));
        if data.claims.iter().any(|claim| claim.foreign) {
            self.end_at_exchange(id);
        } else {
            self.report_data(id);
        }
    }

    /// Notifies the sessions of a data connection that ended.
    pub(super) fn report_data(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let packets = flow.packets();
        if !matches!(&flow.role, Role::Data(data) if data.ended.is_some()) {
            return;
        }
        let Role::Data(data) = &mut flow.role else { return };
        let Some((at, mut summary)) = data.ended.take() else { return };
        // Where it was permitted only after its end.
        flow.finish_files(&mut summary, &mut self.out.outputs);
        let Role::Data(mut data) = flow.end() else { return };
        if let Some(files) = data.files.take() {
            files.discard(&mut self.out.outputs);
        }
        self.forget_content(id);
        self.counters.matched += packets;
        self.timers.remove(id);
        self.stop_waiting(id);
        self.flows.move_to(id, Class::Ended, self.now);
        summary.shared = data.claims.len() > 1;
        let connection = self.connection_id(id);
        let summaries = core::iter::repeat_n(summary, data.claims.len());
        for (ClaimRef { session, endpoint, foreign, .. }, summary) in data.claims.into_iter().zip(summaries) {
            if foreign {
                self.post(Mail::DataEnded { session, endpoint, at, connection, summary });
            } else {
                self.data_ended(at, session.flow, endpoint, connection, summary);
            }
        }
    }
}
