//! The output of sessions: events, and requests to the engine.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::data::{ConnectionId, EndpointId};
use crate::addr::Endpoint;
use crate::event::{Direction, Event, EventKind, Mode, SessionIdentity};
use crate::output::OutputQueue;
use crate::text::Text;
use crate::time::Timestamp;

/// The endpoints at which one announced data connection may arrive: as advertised, and at the control peer's address.
pub type ExpectedEndpoints = SmallVec<[Endpoint; 2]>;

/// A request of a session to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A data connection is announced.
    Announce {
        /// The time of the announcement.
        said: Timestamp,
        /// Its name within the session.
        id: EndpointId,
        /// The endpoints at which it may arrive.
        endpoints: ExpectedEndpoints,
        /// The party that listens.
        mode: Option<Mode>,
        /// The host that is expected to connect.
        peer: IpAddr,
        /// The host that announced it.
        announcer: IpAddr,
    },
    /// The server took the client's announcement.
    Confirmed {
        /// Its name within the session.
        id: EndpointId,
        /// The endpoints at which it may arrive.
        endpoints: ExpectedEndpoints,
    },
    /// An announced endpoint that saw no connection is superseded.
    Retract {
        /// Its name within the session.
        id: EndpointId,
        /// The endpoint at which it was to arrive.
        endpoints: ExpectedEndpoints,
    },
    /// A connection to an announced endpoint came. Whether it is the one that was meant is not known yet.
    Contacted {
        /// Its name within the session.
        id: EndpointId,
        /// The endpoints at which it may arrive.
        endpoints: ExpectedEndpoints,
    },
    /// An announced endpoint to which connections came is not waited for any longer.
    Used {
        /// Its name within the session.
        id: EndpointId,
        /// The endpoints at which connections could arrive.
        endpoints: ExpectedEndpoints,
        /// Open connections to it that were not the one that was meant.
        turned_down: SmallVec<[ConnectionId; 1]>,
    },
    /// The bytes of a direction after a moment were not seen.
    Missed {
        /// Which way it went.
        direction: Direction,
        /// The time of the last bytes before it.
        since: Timestamp,
    },
    /// Bytes after the missing ones were received.
    HeardAgain {
        /// Which way it went.
        direction: Direction,
        /// When.
        at: Timestamp,
    },
    /// A transfer began whose endpoint was announced unseen.
    EndpointMissed {
        /// When.
        at: Timestamp,
    },
    /// The dialogue can be read no more (`true`), or again (`false`).
    Unreadable(bool),
    /// Something was left out at a cap, for this reason.
    Lost(&'static str),
    /// Call [`super::Session::report_due`] at this time.
    Wake(Timestamp),
}

/// Collects the events of all sessions in order, and the current session's requests.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The outputs of the engine, the oldest first.
    pub outputs: OutputQueue,
    /// Requests of the session that was called last; the engine takes them after each call.
    pub effects: Vec<Effect>,
    /// When connections last went by unseen, and the kernel counter that tells why.
    pub unseen: Option<(Timestamp, &'static str)>,
}

impl Outbox {
    /// The reason for which a connection may have gone by unseen since a moment.
    pub fn unseen_since(&self, since: Timestamp) -> Option<&'static str> {
        self.unseen.filter(|(at, _)| *at >= since).map(|(_, reason)| reason)
    }

    /// Adds an event of a session.
    #[inline]
    pub fn event(
        &mut self,
        ts: Timestamp,
        session: &Arc<SessionIdentity>,
        user: Option<&Arc<Text>>,
        kind: EventKind,
    ) {
        self.outputs.event(Event { ts, session: Some(Arc::clone(session)), user: user.cloned(), kind });
    }

    /// Counts something that was left out at a cap, if it was.
    #[inline]
    pub(super) fn lose_if(&mut self, left_out: bool, reason: &'static str) {
        if left_out {
            self.effects.push(Effect::Lost(reason));
        }
    }

    /// An endpoint was announced in the same call as bytes after a gap: its connection may have been seen, and was not looked
    /// for yet.
    pub(super) fn announces_behind_a_gap(&self, endpoint: EndpointId) -> bool {
        let missed = |effect: &Effect| matches!(effect, Effect::Missed { .. } | Effect::HeardAgain { .. });
        let announces = |effect: &Effect| matches!(effect, Effect::Announce { id, .. } if *id == endpoint);
        self.effects.iter().any(missed) && self.effects.iter().rev().any(announces)
    }
}
