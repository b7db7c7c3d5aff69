//! The exchange between partitions, at the border of a batch of packets: messages are delivered to the partitions that they
//! concern, until there are none; then flows end whose end waited for that.

use super::{Mail, Partition, Posted, Saying, Stamp};
use crate::addr::Endpoint;
use crate::endpoints::{Gone, SharedEndpoints};
use crate::event::EndReason;
use crate::flow::{Candidate, ControlReceiver, Flow, FlowId, Role};
use crate::tcp::Keep;
use crate::time::Timestamp;

impl Partition {
    /// Sends a message at the next exchange.
    pub(super) fn post(&mut self, mail: Mail) {
        self.posted.push(Posted { stamp: self.stamp, mail });
    }

    /// A claim was removed. Notifies other partitions if they know it.
    pub(super) fn post_retracted(&mut self, gone: &Gone) {
        if gone.claim.epoch != self.epoch {
            self.post(Mail::Retracted { listener: gone.listener, claim: gone.claim });
        }
    }

    /// Hands over the listeners of connections that nobody had announced, since the last call.
    pub(crate) fn take_newcomers(&mut self, into: &mut Vec<Endpoint>) {
        into.append(&mut self.newcomers);
    }

    /// Posts the announcements since the last exchange that still hold, and those to whose port one of the `newcomers`, which are in
    /// order, connected.
    pub(crate) fn post_announced(&mut self, newcomers: &[Endpoint]) {
        let mut announced = core::mem::take(&mut self.announced);
        for Saying { stamp, said, listener, claim } in announced.drain(..) {
            let contacted = self.endpoints.is_contacted(listener, &claim);
            if contacted || self.endpoints.waits(listener, &claim) {
                self.posted.push(Posted { stamp, mail: Mail::Announced { said, listener, claim } });
            } else if newcomers.binary_search(&listener).is_ok() {
                self.posted.push(Posted { stamp, mail: Mail::Passed { listener, claim } });
            }
            if contacted {
                self.posted.push(Posted { stamp, mail: Mail::Contacted { listener, claim } });
            }
        }
        self.announced = announced;
        self.post_confirmed();
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Takes what is to be sent.
    pub(crate) fn take_posted(&mut self, into: &mut Vec<Posted>) {
        into.append(&mut self.posted);
    }

    /// Nothing is to be sent, and nothing waits for an exchange.
    pub(crate) fn needs_no_exchange(&self) -> bool {
        self.posted.is_empty()
            && self.announced.is_empty()
            && self.ending.is_empty()
            && self.has_confirmed_nothing()
    }

    /// A message is for this partition.
    pub(crate) fn is_told(&self, mail: &Mail) -> bool {
        match mail {
            Mail::Announced { .. } | Mail::Passed { .. } | Mail::Confirmed { .. } => true,
            Mail::Contacted { .. } | Mail::Retracted { .. } => false,
            Mail::DataOpened { session, .. } | Mail::DataEnded { session, .. } => {
                session.partition == self.number
            }
            Mail::Refused { connection, .. } => connection.partition == self.number,
        }
    }

    /// A message came. Announcements are in the shared table already.
    pub(crate) fn deliver(&mut self, stamp: Stamp, now: Timestamp, mail: &Mail, shared: &SharedEndpoints) {
        self.begin(stamp, now);
        match mail {
            Mail::Announced { said, listener, claim } => {
                self.adopt_foreign(now, *said, *listener, claim, shared);
            }
            Mail::Passed { listener, claim } => self.tell_newcomers(*listener, claim),
            &Mail::Confirmed { session, endpoint, .. } => self.confirm_foreign(session, endpoint),
            Mail::Contacted { .. } | Mail::Retracted { .. } => {}
            &Mail::DataOpened { session, endpoint, at, contact } => {
                if session.partition == self.number && !self.data_opened(at, session.flow, endpoint, contact)
                {
                    self.post(Mail::Refused { connection: contact.connection, session, endpoint });
                }
            }
            &Mail::Refused { connection, session, endpoint } => {
                if connection.partition == self.number {
                    self.refuse_claim(FlowId::from_bits(connection.flow), session, endpoint);
                }
            }
            Mail::DataEnded { session, endpoint, at, connection, summary } => {
                if session.partition == self.number {
                    self.data_ended(*at, session.flow, *endpoint, *connection, summary.clone());
                }
            }
        }
    }

    /// The end of a flow waits for the next exchange.
    pub(super) fn end_at_exchange(&mut self, id: FlowId) {
        if !self.ending.contains(&id) {
            self.ending.push(id);
        }
    }

    /// Ends data connections of sessions of other hosts whose end waited: all sessions that announced them are known now.
    pub(crate) fn end_waiting_data(&mut self, stamp: Stamp, now: Timestamp) {
        for id in self.ending_flows(|role| matches!(role, Role::Data(_))) {
            let Some(birth) = self.flows.get(id).map(|flow| flow.birth) else { continue };
            self.begin(Stamp { minor: birth, ..stamp }, now);
            self.report_data(id);
        }
    }

    /// Ends sessions whose end waited.
    pub(crate) fn end_waiting_sessions(&mut self, stamp: Stamp, now: Timestamp) {
        for id in self.ending_flows(|role| matches!(role, Role::Control(_))) {
            let Some(flow) = self.flows.get(id) else { continue };
            let (birth, last) = (flow.birth, flow.last_packet());
            let Role::Control(control) = &flow.role else { continue };
            let ending = control.ending.as_deref().copied();
            if let Some(ending) = ending {
                self.begin(Stamp { minor: birth, ..stamp }, now);
                self.end_session(ending.at.max(last), id, ending.reason, false);
            }
        }
        self.ending.clear();
    }

    /// Flows whose end waits, in the order of their births.
    fn ending_flows(&self, some: impl Fn(&Role) -> bool) -> Vec<FlowId> {
        let mut flows: Vec<(u64, FlowId)> = self
            .ending
            .iter()
            .filter_map(|&id| self.flows.get(id).filter(|flow| some(&flow.role)).map(|flow| (flow.birth, id)))
            .collect();
        flows.sort_unstable();
        flows.into_iter().map(|(_, id)| id).collect()
    }
}

/// The end of the input, step by step: what one partition ends may concern another, so that an exchange follows each.
impl Partition {
    /// Ends data connections and inference candidates.
    pub(crate) fn finish_data(&mut self, stamp: Stamp, at: Timestamp) {
        let is_data = |role: &Role| matches!(role, Role::Data(_) | Role::Candidate(Candidate::Inference(_)));
        for (birth, id) in self.flows_by_birth(is_data) {
            self.begin(Stamp { minor: birth, ..stamp }, at);
            self.end(at, id, Some(EndReason::EndOfInput));
        }
    }

    /// Ends connections that were not announced, and delivers what control connections hold: then all is known that sessions
    /// lost.
    pub(crate) fn finish_streams(&mut self, stamp: Stamp, at: Timestamp) {
        for (birth, id) in self.flows_by_birth(|role| matches!(role, Role::Candidate(_))) {
            self.begin(Stamp { major: stamp.major, minor: birth, ..stamp }, at);
            self.end(at, id, None);
        }
        for (birth, id) in self.flows_by_birth(|role| matches!(role, Role::Control(_))) {
            self.begin(Stamp { major: stamp.major + 1, minor: birth, ..stamp }, at);
            self.hand_on_held(at, id);
        }
    }

    /// Takes all flows out of the table: sessions first, which may find out that a connection is theirs.
    pub(crate) fn finish_flows(&mut self, stamp: Stamp, at: Timestamp) {
        let is_candidate = |role: &Role| matches!(role, Role::Candidate(_));
        for (birth, id) in self.flows_by_birth(|role| !is_candidate(role)) {
            self.begin(Stamp { minor: birth, ..stamp }, at);
            self.remove(at, id, EndReason::EndOfInput);
        }
        for (birth, id) in self.flows_by_birth(|_| true) {
            self.begin(Stamp { major: stamp.major + 1, minor: birth, ..stamp }, at);
            self.remove(at, id, EndReason::EndOfInput);
        }
    }

    fn flows_by_birth(&self, some: impl Fn(&Role) -> bool) -> Vec<(u64, FlowId)> {
        let birth = |id| self.flows.get(id).filter(|flow| some(&flow.role)).map(|flow| (flow.birth, id));
        let mut flows: Vec<_> = self.flows.ids().filter_map(birth).collect();
        flows.sort_unstable();
        flows
    }

    /// Hands on what a control connection holds, where its session may have announced a connection unseen.
    fn hand_on_held(&mut self, at: Timestamp, id: FlowId) {
        let Some(Role::Control(control)) = self.role(id) else { return };
        if self.pairs.unclaimed(control.pair()).is_empty() {
            return;
        }
        let loss = self.cause_of_gaps(at, id);
        let Self { flows, config, out, .. } = self;
        let Some(Flow { connection, role: Role::Control(control), .. }) = flows.get_mut(id) else { return };
        connection.finish(at, Keep::Bytes, &mut ControlReceiver { control, config, out, loss });
        self.apply_effects(at, id);
    }
}
