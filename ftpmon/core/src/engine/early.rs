//! Connections that may turn out to be data connections whose announcement is still to come: with `--files` their first
//! bytes are held, so that such a file is hashed from its first byte all the same.
//!
//! Only connections between the two hosts of a session are held, and for no longer than an announcement may be behind.

use std::net::IpAddr;

use super::data::EARLY_NS;
use super::flow::{DataFlow, Role};
use super::pieces::Pieces;
use super::table::FlowId;
use super::{Engine, FilesMode, PortUpdate};
use crate::account::Side;
use crate::addr::Endpoint;
use crate::event::GapCause;
use crate::tcp::{Closing, Conflict, Receiver};
use crate::time::Timestamp;

/// Bytes of one connection that are held. More than a fast sender moves while an announcement is a few milliseconds behind.
const HELD_MAX: usize = 4 << 20;
/// What a piece costs beside its bytes: two ends that send single bytes by turns pay for what they make the engine hold.
const PIECE_COST: usize = 64;

/// The first bytes of a connection, both directions.
#[derive(Debug, Default)]
pub(super) struct Early {
    pieces: Vec<(Side, Vec<u8>)>,
    /// Bytes are missing of what the initiator sent, and of what the listener sent: what follows is not held.
    broken: (bool, bool),
    cost: usize,
}

impl Early {
    /// Takes over what was held of a connection for another purpose.
    pub(super) fn from_pieces(pieces: impl IntoIterator<Item = (Side, Vec<u8>)>) -> Self {
        let mut early = Self::default();
        for (from, bytes) in pieces {
            early.push(from, &bytes);
        }
        early
    }

    /// Memory that it takes, bytes.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// Hands all that is held to the reader of the data connection that this turned out to be.
    pub(super) fn replay(self, data: &mut DataFlow, pieces: &mut Pieces) {
        for (from, bytes) in &self.pieces {
            data.take(*from, bytes, pieces);
        }
        if self.broken.0 {
            data.miss(Side::Initiator);
        }
        if self.broken.1 {
            data.miss(Side::Listener);
        }
    }

    fn broken(&mut self, from: Side) -> &mut bool {
        match from {
            Side::Initiator => &mut self.broken.0,
            Side::Listener => &mut self.broken.1,
        }
    }

    fn push(&mut self, from: Side, bytes: &[u8]) {
        match self.pieces.last_mut() {
            Some((side, held)) if *side == from => held.extend_from_slice(bytes),
            _ => {
                self.pieces.push((from, bytes.to_vec()));
                self.cost += PIECE_COST;
            }
        }
        self.cost += bytes.len();
    }
}

impl Receiver for Early {
    fn data(&mut self, _at: Timestamp, from: Side, bytes: &[u8]) {
        if !*self.broken(from) {
            self.push(from, bytes);
        }
    }

    fn gap(&mut self, _at: Timestamp, from: Side, _bytes: u64, _cause: GapCause) {
        *self.broken(from) = true;
    }

    fn conflict(&mut self, _at: Timestamp, _from: Side, _conflict: &Conflict<'_>) {}
    fn end_revoked(&mut self, _at: Timestamp, _from: Side) {}
    fn closed(&mut self, _at: Timestamp, _from: Side, _how: Closing) {}
}

impl Engine {
    /// Whether the bytes of an undecided connection are to be held: files are wanted, and its two hosts have a session.
    pub(super) fn holds_early(&self, one: Endpoint, other: Endpoint) -> bool {
        self.config.files != FilesMode::Off
            && (self.hosts.contains_key(&(one.ip, other.ip)) || self.hosts.contains_key(&(other.ip, one.ip)))
    }

    /// Two hosts have a session more.
    pub(super) fn hosts_meet(&mut self, client: IpAddr, server: IpAddr) {
        if self.config.files != FilesMode::Off {
            *self.hosts.entry((client, server)).or_default() += 1;
        }
    }

    /// Two hosts have a session less.
    pub(super) fn hosts_part(&mut self, client: IpAddr, server: IpAddr) {
        if let Some(sessions) = self.hosts.get_mut(&(client, server)) {
            *sessions -= 1;
            if *sessions == 0 {
                self.hosts.remove(&(client, server));
            }
        }
    }

    /// Bytes of a connection were added to those that are held: beyond a cap they are dropped, all of the connection's.
    pub(super) fn held_early(&mut self, id: FlowId, before: usize) {
        let Some(flow) = self.flows.get(id) else { return };
        let Role::Early(early) = &flow.role else { return };
        let (initiator, listener, cost) = (flow.initiator, flow.listener, early.cost());
        self.early_bytes = (self.early_bytes + cost).saturating_sub(before);
        if cost > HELD_MAX || self.early_bytes > self.config.limits.early_bytes {
            self.counters.lose("early_bytes_full", 1);
            self.drop_early(id);
            self.update(PortUpdate::Adopt { initiator, listener, payload: false });
        }
    }

    /// Nobody will announce the connection any more, or what it held is too much.
    pub(super) fn drop_early(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if let Role::Early(early) = &flow.role {
            self.early_bytes = self.early_bytes.saturating_sub(early.cost());
            flow.role = Role::Plain;
        }
    }

    /// An announcement of the connection would come too late by now.
    pub(super) fn expire_early(&mut self, now: Timestamp, id: FlowId) {
        if self.flows.get(id).is_some_and(|flow| now.nanos_since(flow.first) >= EARLY_NS) {
            self.drop_early(id);
        }
    }
}
