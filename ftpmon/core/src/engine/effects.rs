//! What sessions ask of the engine is done.

use std::net::IpAddr;

use super::expected::{Admitted, Claim};
use super::flow::Role;
use super::table::FlowId;
use super::unclaimed::Window;
use super::{Engine, PortUpdate};
use crate::session::{Effect, ExpectedEndpoints};
use crate::time::Timestamp;

impl Engine {
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
            for effect in effects.drain(..) {
                self.apply(at, id, effect);
            }
            if self.out.effects.is_empty() {
                // The next call finds room for its wishes.
                self.out.effects = effects;
            }
        }
    }

    fn apply(&mut self, at: Timestamp, id: FlowId, effect: Effect) {
        match effect {
            Effect::Announce { said, id: endpoint, endpoints, mode, peer, announcer } => {
                self.announce(at, said, Claim { control: id, endpoint, mode, peer, announcer }, &endpoints);
            }
            Effect::Retract { id: endpoint, endpoints } => {
                for listener in endpoints {
                    if self.expected.retract(listener, id, endpoint) {
                        self.update(PortUpdate::Forget { listener });
                    }
                }
            }
            Effect::Used { id: endpoint, endpoints } => {
                for listener in endpoints {
                    self.expected.retract(listener, id, endpoint);
                }
            }
            Effect::Missed { direction, since } => {
                self.missed(at, Window { session: id, direction, since, until: at, told: at, open: true });
            }
            Effect::HeardAgain { direction, at: heard } => self.heard_again(id, direction, heard),
            Effect::EndpointMissed { at: began } => self.endpoint_missed(at, id, began),
            Effect::Unreadable(unreadable) => self.set_unreadable(at, id, unreadable),
            Effect::Wake(wake) => self.schedule(id, wake.max(at.plus_nanos(1))),
        }
    }

    fn announce(&mut self, at: Timestamp, said: Timestamp, claim: Claim, endpoints: &ExpectedEndpoints) {
        for &listener in endpoints {
            for listener in self.expected.announce(at, listener, claim) {
                self.counters.lose("announcements_evicted", 1);
                self.update(PortUpdate::Forget { listener });
            }
            let Some(Admitted { peer, anyone }) = self.expected.admitted(listener) else { continue };
            let payload = self.config.files != super::FilesMode::Off;
            let ttl_s = self.config.limits.announcement_s;
            self.update(PortUpdate::Expect { listener, peer, anyone, ttl_s, payload });
        }
        for listener in endpoints {
            self.adopt_early(at, said, *listener);
        }
    }

    fn set_unreadable(&mut self, at: Timestamp, id: FlowId, unreadable: bool) {
        let Some(Role::Control(control)) = self.role(id) else { return };
        let identity = control.session.identity();
        let (client, server) = (identity.client, identity.server);
        if unreadable {
            self.encrypted.spoke(client.ip, server.ip, id);
        } else {
            self.forget_encrypted(at, client.ip, server.ip, id);
        }
        self.update(PortUpdate::ControlPayload { client, server, wanted: !unreadable });
    }

    pub(super) fn forget_encrypted(&mut self, at: Timestamp, client: IpAddr, server: IpAddr, id: FlowId) {
        for suspect in self.encrypted.forget(client, server, id) {
            self.decide(at, suspect, true);
        }
    }
}
