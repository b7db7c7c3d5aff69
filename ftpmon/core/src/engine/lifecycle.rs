//! How flows end, and leave the table.

use super::Engine;
use super::control::{Dialogue, end_session};
use super::flow::{Flow, Nobody, Reading, Role};
use super::table::{Class, FlowId};
use crate::event::EndReason;
use crate::tcp::Keep;
use crate::time::Timestamp;

impl Engine {
    /// A connection ended: what its streams held is handed on, its session or the sessions that announced it are told.
    /// The flow stays for a while, so that its late packets start nothing new. `reason` stands for FIN or RST where none.
    pub(super) fn end(&mut self, at: Timestamp, id: FlowId, reason: Option<EndReason>) {
        let ring_full = self.lost_lately(at);
        let all = reason.is_some_and(|reason| reason != EndReason::Idle);
        if matches!(self.role(id), Some(Role::Control(control)) if control.session.is_unreadable()) {
            self.settle_suspects(at, id);
        }
        let Self { flows, config, out, pieces, .. } = self;
        let Some(flow) = flows.get_mut(id) else { return };
        flow.ends_at = Timestamp::LATEST;
        let Flow { connection, role, .. } = flow;
        match role {
            Role::Control(control) => {
                connection.finish(at, Keep::Bytes, &mut Dialogue { control, config, out, ring_full });
                // What it held may have been its own end.
                let reason = reason.filter(|_| !connection.is_closed());
                self.apply_effects(at, id);
                self.settle_missed(at, id, all);
                let Self { flows, config, out, .. } = self;
                let Some(flow) = flows.get_mut(id) else { return };
                end_session(at, flow, reason, all, config, out);
                self.apply_effects(at, id);
                self.retire_if_over(at, id);
            }
            Role::Data(data) => {
                connection.finish(at, data.keep(), &mut Reading { data, pieces });
                self.end_data(at, id);
                self.note_held(id);
            }
            Role::Suspect(suspect) => {
                if suspect.decide_by.is_none() {
                    let data = &mut suspect.data;
                    connection.finish(at, data.keep(), &mut Reading { data, pieces });
                }
                self.end_suspect(at, id, reason.is_some());
            }
            Role::Probed(_) => {
                connection.finish(at, Keep::Ranges, &mut Nobody);
                self.give_up_probe(id);
                self.end_unclaimed(at, id, reason.is_some());
            }
            // It may still be announced.
            Role::Early(early) => {
                let before = early.cost();
                connection.finish(at, Keep::Bytes, &mut **early);
                self.held_early(id, before);
                self.end_unclaimed(at, id, reason.is_some());
            }
            Role::Plain => self.end_unclaimed(at, id, reason.is_some()),
            Role::Nascent { .. } | Role::Ended => self.retire(at, id),
        }
    }

    /// Ends a flow and takes it out of the table.
    pub(super) fn remove(&mut self, at: Timestamp, id: FlowId, reason: EndReason) {
        self.end(at, id, Some(reason));
        // A session that idles out may wait for its data connections: they idle out as well.
        if let Some(Role::Control(_)) = self.role(id) {
            self.end(at, id, Some(EndReason::Evicted));
        }
        self.drop_early(id);
        self.note_held(id);
        self.forget_early(id);
        if let Some(Flow { role: Role::Control(control), .. }) = self.flows.remove(id) {
            let (client, server) = control.hosts();
            self.hosts_part(client, server);
        }
    }

    /// The flow has nothing more to tell.
    pub(super) fn retire(&mut self, at: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let packets = flow.packets();
        if let Role::Control(control) = flow.over() {
            self.counters.matched += packets;
            let (client, server) = control.hosts();
            self.forget_encrypted(at, client, server, id);
            self.hosts_part(client, server);
        }
        self.flows.move_to(id, Class::Ended, at);
    }

    fn retire_if_over(&mut self, at: Timestamp, id: FlowId) {
        if matches!(self.role(id), Some(Role::Control(control)) if control.session.is_over()) {
            self.retire(at, id);
        }
    }

    fn end_data(&mut self, at: Timestamp, id: FlowId) {
        let Self { flows, pieces, .. } = self;
        let Some(flow) = flows.get_mut(id) else { return };
        let summary = flow.summary(pieces);
        self.counters.matched += flow.packets();
        let Role::Data(data) = flow.over() else { return };
        self.flows.move_to(id, Class::Ended, at);
        // The last claimant gets the summary itself.
        let summaries = core::iter::repeat_n(summary, data.claims.len());
        for ((control, endpoint), summary) in data.claims.into_iter().zip(summaries) {
            if let Some(Flow { role: Role::Control(owner), .. }) = self.flows.get_mut(control) {
                owner.session.data_ended(at, endpoint, summary, &mut self.out);
                self.apply_effects(at, control);
                self.retire_if_over(at, control);
            }
        }
    }
}
