//! Control connections.

use std::net::IpAddr;

use crate::account::Side;
use crate::event::{Direction, EndReason, Mode};
use crate::pair::HostPair;
use crate::segment::Segment;
use crate::session::Session;
use crate::time::Timestamp;

/// A control connection.
pub(crate) struct Control {
    pub(crate) session: Session,
    /// The end that sends commands.
    pub(crate) client: Side,
    /// Nothing of the server was seen, not even its part of the handshake: anybody could have sent the client's part.
    pub(crate) unanswered: bool,
    pub(crate) missed: MissedDirections,
    /// The state of a session whose dialogue cannot be read. Boxed, since few of a million idle sessions need it.
    pub(crate) unread: Option<Box<Unread>>,
    /// The control connection ended; the session ends at the next exchange, since connections of other hosts may be its data
    /// connections.
    pub(crate) ending: Option<Box<Ending>>,
}

impl Control {
    /// A control connection whose commands come from `client`.
    pub(crate) fn new(session: Session, client: Side) -> Self {
        Self {
            session,
            client,
            unanswered: false,
            missed: MissedDirections::default(),
            unread: None,
            ending: None,
        }
    }

    /// The hosts of its two ends, the client's first.
    pub(crate) fn hosts(&self) -> (IpAddr, IpAddr) {
        let identity = self.session.identity();
        (identity.client.ip, identity.server.ip)
    }

    /// The hosts of its two ends, in no order.
    pub(crate) fn pair(&self) -> HostPair {
        let (client, server) = self.hosts();
        HostPair::new(client, server)
    }

    /// The mode in which a connection from `initiator` to `listener` would be a data connection of this session, if it can be.
    pub(crate) fn mode_of(&self, initiator: IpAddr, listener: IpAddr) -> Option<Mode> {
        let (client, server) = self.hosts();
        if (initiator, listener) == (client, server) {
            Some(Mode::Passive)
        } else {
            ((initiator, listener) == (server, client)).then_some(Mode::Active)
        }
    }

    /// Notes payload of a session that cannot be read. True if the server sent it; none if there is nothing to note.
    pub(crate) fn note_unreadable(
        &mut self,
        at: Timestamp,
        from: Side,
        segment: &Segment<'_>,
    ) -> Option<bool> {
        if segment.wire_payload_len == 0 || !self.session.is_unreadable() {
            return None;
        }
        let answers = from != self.client;
        let unread = self.unread.get_or_insert_default();
        let last = if answers { &mut unread.last_reply } else { &mut unread.last_request };
        *last = at.max(*last);
        Some(answers)
    }
}

/// The end of a control connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) at: Timestamp,
    pub(crate) reason: Option<EndReason>,
}

/// The state of a session that cannot be read.
pub(crate) struct Unread {
    /// When the client sent payload last.
    pub(crate) last_request: Timestamp,
    /// When the server did.
    pub(crate) last_reply: Timestamp,
    /// The data connection that was inferred last.
    pub(crate) last_data: Option<InferredData>,
}

impl Default for Unread {
    fn default() -> Self {
        Self { last_request: Timestamp::EARLIEST, last_reply: Timestamp::EARLIEST, last_data: None }
    }
}

/// The data connection that was inferred last for a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InferredData {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) mode: Mode,
    pub(crate) tls: bool,
}

/// The directions of a dialogue in which bytes are missing, with nothing received behind them yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MissedDirections {
    commands: bool,
    replies: bool,
}

impl MissedDirections {
    fn direction(&mut self, direction: Direction) -> &mut bool {
        match direction {
            Direction::Command => &mut self.commands,
            Direction::Reply => &mut self.replies,
        }
    }

    /// Bytes of a direction are missing.
    pub(crate) fn miss(&mut self, direction: Direction) {
        *self.direction(direction) = true;
    }

    /// Bytes of a direction came. True if they are the first after missing ones.
    #[inline]
    pub(crate) fn resume(&mut self, direction: Direction) -> bool {
        core::mem::take(self.direction(direction))
    }
}
