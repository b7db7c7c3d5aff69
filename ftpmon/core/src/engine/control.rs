//! Control connections: their streams go to their sessions, and what the sessions ask for is done.

use std::sync::Arc;

use super::EngineConfig;
use super::flow::{Control, Flow, Role};
use crate::account::Side;
use crate::event::{ClosedBy, Direction, EndReason, GapCause, SessionIdentity};
use crate::session::{Beginning, Context, Effect, Outbox, Session};
use crate::tcp::{Closing, Conflict, Receiver};
use crate::time::Timestamp;

/// In which directions something was missing, and nothing was heard since.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missed {
    commands: bool,
    replies: bool,
}

impl Missed {
    fn of(&mut self, direction: Direction) -> &mut bool {
        match direction {
            Direction::Command => &mut self.commands,
            Direction::Reply => &mut self.replies,
        }
    }

    /// Something is missing.
    pub(super) fn miss(&mut self, direction: Direction) {
        *self.of(direction) = true;
    }

    /// Something was heard. Whether it is the first thing behind what is missing.
    #[inline]
    pub(super) fn heard(&mut self, direction: Direction) -> bool {
        core::mem::take(self.of(direction))
    }
}

/// Takes the streams of a control connection.
pub(super) struct Dialogue<'a> {
    pub(super) control: &'a mut Control,
    pub(super) config: &'a EngineConfig,
    pub(super) out: &'a mut Outbox,
    /// Records were lost lately: what is missing was lost with them.
    pub(super) ring_full: bool,
}

impl Dialogue<'_> {
    fn direction(&self, from: Side) -> Direction {
        if from == self.control.client { Direction::Command } else { Direction::Reply }
    }
}

impl Receiver for Dialogue<'_> {
    fn data(&mut self, at: Timestamp, from: Side, bytes: &[u8]) {
        let direction = self.direction(from);
        if self.control.missed.heard(direction) {
            self.out.effects.push(Effect::HeardAgain { direction, at });
        }
        self.control.session.data(at, direction, bytes, Context::from(self.config), self.out);
    }

    fn gap(&mut self, at: Timestamp, from: Side, bytes: u64, cause: GapCause) {
        let direction = self.direction(from);
        let cause = if self.ring_full { GapCause::RingFull } else { cause };
        self.control.missed.miss(direction);
        self.control.session.gap(at, direction, bytes, cause, Context::from(self.config), self.out);
    }

    fn conflict(&mut self, at: Timestamp, from: Side, conflict: &Conflict<'_>) {
        let direction = self.direction(from);
        self.control.session.conflict(at, direction, conflict, self.out);
    }

    fn end_revoked(&mut self, at: Timestamp, from: Side) {
        let direction = self.direction(from);
        self.control.session.end_revoked(at, direction, self.out);
    }

    fn closed(&mut self, at: Timestamp, from: Side, _how: Closing) {
        let direction = self.direction(from);
        self.control.session.half_closed(at, direction, Context::from(self.config), self.out);
    }
}

/// Begins the session of a control connection whose first segment after the handshake, or first with payload, is
/// about to be handed on. `handshake` includes that segment.
pub(super) fn begin_session(
    at: Timestamp,
    flow: &Flow,
    client: Side,
    beginning: Beginning,
    iface: Option<Arc<str>>,
    out: &mut Outbox,
) -> Control {
    let (client_end, server_end) = (flow.endpoint(client), flow.endpoint(client.other()));
    let mut identity = SessionIdentity::new(client_end, server_end, flow.first, flow.interface);
    (identity.iface, identity.vlan) = (iface, flow.vlan);
    let session = Session::begin(at, Arc::new(identity), beginning, out);
    Control { session, client, missed: Missed::default(), unread: None }
}

/// Ends the session of a control connection; what its streams held was handed on before.
pub(super) fn end_session(
    at: Timestamp,
    flow: &mut Flow,
    reason: Option<EndReason>,
    all: bool,
    config: &EngineConfig,
    out: &mut Outbox,
) {
    let rst = flow.connection.account(Side::Initiator).rst || flow.connection.account(Side::Listener).rst;
    let closed_by = flow.connection.closed_by();
    let Role::Control(control) = &mut flow.role else { return };
    let closed_by =
        closed_by.map(|side| if side == control.client { ClosedBy::Client } else { ClosedBy::Server });
    let reason = reason.unwrap_or(if rst { EndReason::Rst } else { EndReason::Fin });
    control.session.end(at, reason, closed_by, all, Context::from(config), out);
}
