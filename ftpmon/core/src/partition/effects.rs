//! The effects that sessions ask for, and the messages to sessions.

use core::ops::Range;

use super::{Mail, Partition, Saying};
use crate::addr::Endpoint;
use crate::config::FilesMode;
use crate::endpoints::{Claim, Contacted, Gone};
use crate::event::Mode;
use crate::flow::{Flow, FlowId, Role, SessionRef, Timer};
use crate::pair::Window;
use crate::selector::SelectorUpdate;
use crate::session::{ConnectionId, Contact, DataSummary, Effect, EndpointId, ExpectedEndpoints};
use crate::time::Timestamp;

/// Effects behind an announcement among which the same endpoint is looked for. Stops thousands of announcements behind a gap from being
/// compared with each other.
const LOOKED_AT_MAX: usize = 16;

impl Partition {
    /// Does what the session of `id` asked for since the last call.
    #[inline]
    pub(super) fn apply_effects(&mut self, at: Timestamp, id: FlowId) {
        if !self.out.effects.is_empty() {
            self.apply_all(at, id);
        }
    }

    fn apply_all(&mut self, at: Timestamp, id: FlowId) {
        while !self.out.effects.is_empty() {
            let mut effects = core::mem::take(&mut self.out.effects);
            let mut rest = effects.drain(..);
            while let Some(effect) = rest.next() {
                let until = announced_again(&effect, rest.as_slice());
                self.apply(at, id, effect, until);
            }
            drop(rest);
            if self.out.effects.is_empty() {
                // The next call finds room for its effects.
                self.out.effects = effects;
            }
        }
    }

    /// `until`: when the session announced the same endpoint again.
    fn apply(&mut self, at: Timestamp, id: FlowId, effect: Effect, until: Timestamp) {
        let session = SessionRef { partition: self.number, flow: id };
        match effect {
            Effect::Announce { said, id: endpoint, endpoints, mode, peer, announcer } => {
                let confirmed = mode != Some(Mode::Active);
                let claim = Claim { session, endpoint, mode, peer, announcer, epoch: self.epoch, confirmed };
                self.announce(at, said..until, claim, &endpoints);
            }
            Effect::Confirmed { id: endpoint, endpoints } => self.confirm(session, endpoint, &endpoints),
            Effect::Retract { id: endpoint, endpoints } => {
                for listener in endpoints {
                    if let Some(gone) = self.retract(listener, session, endpoint).filter(|gone| gone.last) {
                        self.update(gone.forget());
                    }
                }
            }
            Effect::Contacted { id: endpoint, endpoints } => {
                for listener in endpoints {
                    self.note_contact(listener, session, endpoint);
                }
            }
            Effect::Used { id: endpoint, endpoints, turned_down } => {
                for listener in endpoints {
                    self.retract(listener, session, endpoint);
                }
                for connection in turned_down {
                    self.turn_down(connection, session, endpoint);
                }
            }
            Effect::Missed { direction, since } => {
                let window = Window { session: id, direction, since, until: at, told: at, open: true };
                self.add_window(at, window);
            }
            Effect::HeardAgain { direction, at: heard } => self.close_windows(id, direction, heard),
            Effect::EndpointMissed { at: began } => self.admit_transfer(at, id, began),
            Effect::Unreadable(unreadable) => self.set_unreadable(at, id, unreadable),
            Effect::Lost(reason) => self.counters.lose(reason, 1),
            Effect::Wake(wake) => self.schedule(id, Timer::Session, wake.max(at.plus_nanos(1))),
        }
    }

    fn announce(
        &mut self,
        at: Timestamp,
        in_force: Range<Timestamp>,
        claim: Claim,
        endpoints: &ExpectedEndpoints,
    ) {
        let said = in_force.start;
        for &listener in endpoints {
            let (gone, admitted) = self.endpoints.announce(at, listener, claim, &mut self.pairs);
            for gone in gone {
                self.counters.lose("announcements_evicted", 1);
                self.post_retracted(&gone);
                if gone.last {
                    self.update(gone.forget());
                }
            }
            self.announced.push(Saying { stamp: self.stamp, said, listener, claim });
            self.update(SelectorUpdate::Expect {
                listener,
                peer: admitted.peer,
                anyone: admitted.anyone,
                ttl_s: self.config.limits.announcement_s,
                payload: self.config.files != FilesMode::Off && self.may_carry_files(listener, &claim),
            });
        }
        for &listener in endpoints {
            self.adopt_own(at, in_force.clone(), listener, &claim);
        }
    }

    /// A connection to an endpoint may carry files of the session: it is a port of one of its hosts, or the operator allows
    /// that host.
    fn may_carry_files(&self, listener: Endpoint, claim: &Claim) -> bool {
        let host = listener.ip;
        host == claim.peer
            || host == claim.announcer
            || self.config.data_hosts.iter().any(|network| network.contains(host))
    }

    fn retract(&mut self, listener: Endpoint, session: SessionRef, endpoint: EndpointId) -> Option<Gone> {
        let gone = self.endpoints.retract(listener, session, endpoint, &mut self.pairs)?;
        self.post_retracted(&gone);
        Some(gone)
    }

    fn set_unreadable(&mut self, at: Timestamp, id: FlowId, unreadable: bool) {
        let Some(Role::Control(control)) = self.role(id) else { return };
        let identity = control.session.identity();
        let (client, server, pair) = (identity.client, identity.server, control.pair());
        if unreadable {
            self.note_unreadable(pair, id);
        } else {
            self.forget_unreadable(at, pair, id);
        }
        self.update(SelectorUpdate::ControlPayload { client, server, wanted: !unreadable });
    }

    /// A connection came to an announced endpoint.
    fn note_contact(&mut self, listener: Endpoint, session: SessionRef, endpoint: EndpointId) {
        let Some(Contacted { claim, evicted }) =
            self.endpoints.contacted(listener, session, endpoint, &mut self.pairs)
        else {
            return;
        };
        self.counters.lose("announcements_evicted", evicted.into());
        if claim.epoch != self.epoch {
            self.post(Mail::Contacted { listener, claim });
        }
    }

    /// A connection to an announced endpoint was not the one that was meant.
    fn turn_down(&mut self, connection: ConnectionId, session: SessionRef, endpoint: EndpointId) {
        let pair = |id| self.flows.get(id).map(Flow::pair);
        let id = FlowId::from_bits(connection.flow);
        // One of other hosts is told at the exchange, also where this partition has them: what it tells until then is heard.
        if connection.partition == self.number && pair(id) == pair(session.flow) {
            self.refuse_claim(id, session, endpoint);
        } else {
            self.post(Mail::Refused { connection, session, endpoint });
        }
    }

    /// A connection to an announced endpoint was opened, or established. False if the endpoint takes none any longer.
    pub(super) fn data_opened(
        &mut self,
        at: Timestamp,
        session: FlowId,
        endpoint: EndpointId,
        contact: Contact,
    ) -> bool {
        let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(session) else {
            return false;
        };
        let taken = control.session.data_opened(at, endpoint, contact, &mut self.out);
        self.apply_effects(at, session);
        taken
    }

    /// A connection to an announced endpoint ended.
    pub(super) fn data_ended(
        &mut self,
        at: Timestamp,
        session: FlowId,
        endpoint: EndpointId,
        connection: ConnectionId,
        summary: Box<DataSummary>,
    ) {
        if let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(session) {
            control.session.data_ended(at, endpoint, connection, summary, &mut self.out);
            self.apply_effects(at, session);
            self.retire_if_over(session);
        }
    }
}

/// When an endpoint of this announcement was announced again, of what was said behind it at once.
fn announced_again(effect: &Effect, behind: &[Effect]) -> Timestamp {
    let Effect::Announce { endpoints, .. } = effect else { return Timestamp::LATEST };
    let again = behind.iter().take(LOOKED_AT_MAX).find_map(|later| match later {
        Effect::Announce { said, endpoints: others, .. } => {
            endpoints.iter().any(|endpoint| others.contains(endpoint)).then_some(*said)
        }
        _ => None,
    });
    again.unwrap_or(Timestamp::LATEST)
}
