//! Whether the bytes of a data connection may be copied: hashed, handed out to be stored, written to a capture file.

use smallvec::SmallVec;

use super::unclaimed::senders;
use super::unconfirmed::Confirmed;
use super::{Mail, Partition, Posted};
use crate::account::Side;
use crate::addr::Endpoint;
use crate::config::FilesMode;
use crate::flow::{Candidate, ClaimRef, DIALOGUE_TURNS, Flow, FlowId, FlowKey, Role, SessionRef};
use crate::pair::decide::Senders;
use crate::session::{EndpointId, ExpectedEndpoints};

/// Data connections of a partition whose announcement is not confirmed yet, or whose hosts are not known to be of the session. Stops
/// a client that announces ports that its server never takes, and connects to them: the oldest are not looked at again.
const UNCONFIRMED_MAX: usize = 256;

impl Partition {
    /// Whether the bytes of a data connection may be copied is looked at again.
    pub(super) fn judge_content(&mut self, id: FlowId) {
        let Some(Flow { role: Role::Data(data), .. }) = self.flows.get(id) else { return };
        if data.permitted || data.another_protocol {
            return;
        }
        if !self.is_announced_by_its_hosts(&data.claims) {
            self.wait_for_permission(id);
        } else if self.carries_another_protocol(id) {
            self.note_foreign_listener(id);
            self.refuse_content(id);
        } else if self.serves_another_protocol(id) {
            self.refuse_content(id);
        } else {
            self.forget_content(id);
            if let Some(Flow { role: Role::Data(data), .. }) = self.flows.get_mut(id) {
                data.permit(&mut self.out.outputs);
            }
        }
        self.note_held(id);
    }

    /// The announcement was taken, and both hosts are those of the session, or each is the server of a session that announced the
    /// connection, or the operator allows them.
    fn is_announced_by_its_hosts(&self, claims: &[ClaimRef]) -> bool {
        let own = |claim: &ClaimRef| match self.role(claim.session.flow) {
            Some(Role::Control(control)) => control.session.is_confirmed(claim.endpoint),
            _ => false,
        };
        let serves = |side: Side| claims.iter().any(|claim| claim.confirmed && claim.server == Some(side));
        claims.iter().any(|claim| if claim.foreign { claim.confirmed && claim.allowed } else { own(claim) })
            || (serves(Side::Initiator) && serves(Side::Listener))
    }

    fn wait_for_permission(&mut self, id: FlowId) {
        if self.unconfirmed.waiting.contains(&id) {
            return;
        }
        if self.unconfirmed.waiting.len() >= UNCONFIRMED_MAX {
            self.unconfirmed.waiting.remove(0);
            self.counters.lose("unconfirmed_full", 1);
        }
        self.unconfirmed.waiting.push(id);
    }

    /// The listener of a connection was seen to serve another protocol: to this host before, or on a connection that is open now.
    fn serves_another_protocol(&self, id: FlowId) -> bool {
        let Some(flow) = self.flows.get(id) else { return false };
        let talks = |other: &FlowId| {
            *other != id
                && self.flows.get(*other).is_some_and(|other| {
                    let talks = match &other.role {
                        Role::Candidate(Candidate::Early(early)) => early.turns() >= DIALOGUE_TURNS,
                        Role::Candidate(_) => senders(other) == Senders::Both,
                        _ => false,
                    };
                    talks && other.initiator.ip == flow.initiator.ip
                })
        };
        self.pairs.is_service(flow.initiator.ip, flow.listener)
            || (self.pairs.unreadable(flow.pair()).next().is_none()
                && self
                    .by_listener
                    .get(&flow.listener)
                    .is_some_and(|waiting| waiting.flows.iter().any(talks)))
    }

    /// A data connection turned out to carry another protocol. It is counted on, and nothing of it is kept.
    pub(super) fn note_another_protocol(&mut self, id: FlowId) {
        if self.carries_another_protocol(id) {
            self.note_foreign_listener(id);
            self.refuse_content(id);
            self.note_held(id);
        }
    }

    /// A data connection carries another protocol, and that was not known yet.
    fn carries_another_protocol(&self, id: FlowId) -> bool {
        matches!(self.role(id), Some(Role::Data(data)) if data.is_another_protocol() && !data.another_protocol)
    }

    fn note_foreign_listener(&mut self, id: FlowId) {
        if let Some(flow) = self.flows.get(id) {
            self.pairs.note_foreign(flow.initiator.ip, flow.listener);
        }
    }

    /// A connection ends: its bytes are not wanted any longer.
    pub(super) fn forget_content(&mut self, id: FlowId) {
        self.unconfirmed.waiting.retain(|known| *known != id);
    }

    fn refuse_content(&mut self, id: FlowId) {
        self.forget_content(id);
        if let Some(Flow { role: Role::Data(data), .. }) = self.flows.get_mut(id) {
            data.refuse(&mut self.out.outputs);
            if self.config.files != FilesMode::Off {
                self.want_no_bytes(id);
            }
        }
    }

    /// The connection between two endpoints is a data connection whose bytes may be copied.
    pub(crate) fn permits_copy(&mut self, one: Endpoint, other: Endpoint) -> bool {
        let id = self.flows.find(&FlowKey::new(one, other));
        let flow = id.and_then(|id| self.flows.get(id));
        matches!(flow, Some(Flow { role: Role::Data(data), .. }) if data.permitted)
    }

    /// A client's announcement was taken by its server: the connections that came first are looked at again.
    pub(super) fn confirm(
        &mut self,
        session: SessionRef,
        endpoint: EndpointId,
        endpoints: &ExpectedEndpoints,
    ) {
        for &listener in endpoints {
            self.unconfirmed.confirmed.push(Confirmed { stamp: self.stamp, listener, session, endpoint });
        }
        self.judge_claimed(session, endpoint);
    }

    /// A server took what its client announced: connections between other hosts may be meant.
    pub(super) fn confirm_foreign(&mut self, session: SessionRef, endpoint: EndpointId) {
        for id in self.unconfirmed.waiting.clone() {
            if let Some(Flow { role: Role::Data(data), .. }) = self.flows.get_mut(id) {
                let its = |claim: &&mut ClaimRef| (claim.session, claim.endpoint) == (session, endpoint);
                data.claims.iter_mut().filter(its).for_each(|claim| claim.confirmed = true);
            }
        }
        self.judge_claimed(session, endpoint);
    }

    fn judge_claimed(&mut self, session: SessionRef, endpoint: EndpointId) {
        let its = |claim: &ClaimRef| (claim.session, claim.endpoint) == (session, endpoint);
        let waits =
            |id: &FlowId| matches!(self.role(*id), Some(Role::Data(data)) if data.claims.iter().any(its));
        let waiting: SmallVec<[FlowId; 4]> = self.unconfirmed.waiting.iter().copied().filter(waits).collect();
        waiting.into_iter().for_each(|id| self.judge_content(id));
    }

    /// Posts the announcements that were confirmed since the last exchange and that other partitions may know.
    pub(super) fn post_confirmed(&mut self) {
        let mut confirmed = core::mem::take(&mut self.unconfirmed.confirmed);
        for Confirmed { stamp, listener, session, endpoint } in confirmed.drain(..) {
            if self.endpoints.knows(listener, session, endpoint) {
                self.posted.push(Posted { stamp, mail: Mail::Confirmed { listener, session, endpoint } });
            }
        }
        self.unconfirmed.confirmed = confirmed;
    }

    /// Nothing was confirmed since the last exchange.
    pub(super) fn has_confirmed_nothing(&self) -> bool {
        self.unconfirmed.confirmed.is_empty()
    }

    /// A connection that was not announced, and whose bytes are not held: the kernel need not copy them.
    pub(super) fn leave_uncopied(&mut self, id: FlowId) {
        if self.config.files != FilesMode::Off
            && matches!(self.role(id), Some(Role::Candidate(Candidate::Plain)))
        {
            self.want_no_bytes(id);
        }
    }
}
