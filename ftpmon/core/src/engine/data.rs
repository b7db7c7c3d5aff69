//! Data connections: found by announcement or inference, counted by their segments or by the kernel.

use smallvec::SmallVec;

use super::flow::{DataFlow, Files, Flow, Role};
use super::head::Heads;
use super::table::{Class, FlowId, FlowKey};
use super::{Engine, FilesMode, PortUpdate};
use crate::account::{FlowRecord, FlowReport, Side};
use crate::addr::Endpoint;
use crate::event::EndReason;
use crate::session::EndpointId;
use crate::time::Timestamp;

/// A connection that began longer ago than this before its announcement is another one, to a port used again.
pub(super) const EARLY_NS: u64 = 10_000_000_000;

impl Engine {
    /// The kernel gave its account of a connection.
    pub fn handle_flow(&mut self, record: &FlowRecord) {
        let (at, key) = (record.at, FlowKey::new(record.initiator, record.listener));
        let known = self.flows.find(&key).filter(|&id| !self.is_outdated_by(record, id));
        let id = match known {
            Some(id) => id,
            None => {
                let opened = record.syn.map(|_| record.first);
                let role = self.role_of_new(record.initiator, record.listener, false, opened);
                let id = self.insert(at, key, Flow::from_record(record, role));
                self.watch_candidate(id);
                id
            }
        };
        let Some(flow) = self.flows.get_mut(id) else { return };
        if matches!(flow.role, Role::Ended) {
            return;
        }
        flow.note_record(record);
        self.flows.touch(id, at);
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

    /// The role of a new connection to an endpoint that was announced.
    pub(super) fn data_role(&mut self, initiator: Endpoint, listener: Endpoint) -> Option<Role> {
        let claims = self.expected.matching(initiator.ip, listener);
        if claims.is_empty() {
            return None;
        }
        let claims = claims.iter().map(|claim| (claim.control, claim.endpoint)).collect();
        Some(Role::Data(Box::new(self.data_flow(claims))))
    }

    fn data_flow(&mut self, claims: SmallVec<[(FlowId, EndpointId); 1]>) -> DataFlow {
        self.counters.data_connections += 1;
        DataFlow { claims, ..self.new_data() }
    }

    /// A data connection of which nothing was seen yet.
    pub(super) fn new_data(&self) -> DataFlow {
        let hashes = self.config.hashes;
        let keep = (self.config.files == FilesMode::Extract).then_some(self.config.file_bytes_max);
        let files = (self.config.files != FilesMode::Off).then(|| Box::new(Files::new(hashes, keep)));
        DataFlow { files, ..DataFlow::default() }
    }

    /// Tells the sessions that announced a new data connection that it came.
    pub(super) fn tell_claimants(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let Role::Data(data) = &flow.role else { return };
        let (initiator, listener, first) = (flow.initiator, flow.listener, flow.first);
        let payload = data.wants_bytes();
        for (control, endpoint) in data.claims.clone() {
            if let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(control) {
                control.session.data_opened(endpoint, &mut self.out);
            }
            self.apply_effects(first, control);
        }
        self.update(PortUpdate::Adopt { initiator, listener, payload });
    }

    /// An endpoint was announced to which a connection exists already: it was quicker than its announcement.
    pub(super) fn adopt_early(&mut self, at: Timestamp, said: Timestamp, listener: Endpoint) {
        let Some(&id) = self.early.get(&listener) else { return };
        let Some(flow) = self.flows.get(id) else { return };
        // What was said behind a gap may come to be known much later.
        if said.nanos_since(flow.first) > EARLY_NS {
            return;
        }
        let ended = matches!(&flow.record, Some(record) if record.report == FlowReport::Close)
            || (flow.record.is_none() && flow.connection.is_closed())
            || self.is_over_unclaimed(id);
        let claims = self.expected.matching(flow.initiator.ip, listener);
        if claims.is_empty() {
            return;
        }
        let claims = claims.iter().map(|claim| (claim.control, claim.endpoint)).collect();
        self.become_data(at, id, claims, false);
        if ended {
            self.end(at, id, None);
        }
    }

    /// A connection turned out to be a data connection, whatever was known of it.
    pub(super) fn become_data(
        &mut self,
        at: Timestamp,
        id: FlowId,
        claims: SmallVec<[(FlowId, EndpointId); 1]>,
        inferred: bool,
    ) {
        self.give_up_probe(id);
        self.forget_early(id);
        let suspect = self.take_suspect(id);
        let mut data = self.data_flow(claims);
        data.inferred = inferred;
        if let Some(flow) = self.flows.get_mut(id) {
            let moved =
                [Side::Initiator, Side::Listener].iter().any(|&side| flow.connection.account(side).bytes > 0);
            match core::mem::replace(&mut flow.role, Role::Plain) {
                Role::Early(early) => {
                    self.early_bytes = self.early_bytes.saturating_sub(early.cost());
                    early.replay(&mut data, &mut self.pieces);
                }
                _ => data.late = moved,
            }
            data.heads = if moved { Heads::unseen() } else { Heads::default() };
            if let Some(suspect) = suspect {
                // It was followed from its first byte.
                data = DataFlow { claims: data.claims, inferred, ..suspect.data };
            }
            flow.role = Role::Data(Box::new(data));
        }
        self.flows.move_to(id, Class::Other, at);
        self.tell_claimants(id);
    }

    /// Whether a connection is a data connection is known now, or it leaves the table.
    pub(super) fn forget_early(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let (initiator, listener) = (flow.initiator, flow.listener);
        if self.early.get(&listener) == Some(&id) {
            self.early.remove(&listener);
        }
        self.unclaimed.forget(initiator.ip, listener.ip, id);
    }
}
