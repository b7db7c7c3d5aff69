//! Bytes of files that came ahead of others are held until it is their turn: a cap over all connections.
//!
//! A connection's own cap is that of [`crate::tcp::Limits`]; a thousand connections with a hole each would make it a thousandfold.

use super::flow::Role;
use super::table::FlowId;
use super::{Engine, FilesMode};
use crate::tcp::Limits;

impl Engine {
    /// What the connection of `id` may hold: less than its own cap where others hold much.
    pub(super) fn with_room(&self, id: FlowId, limits: Limits) -> Limits {
        if self.config.files == FilesMode::Off || self.reorder_bytes == 0 {
            return limits;
        }
        let own = self.flows.get(id).map_or(0, |flow| flow.held as usize);
        let room = self.config.limits.reorder_bytes.saturating_sub(self.reorder_bytes) + own;
        Limits { held_bytes: limits.held_bytes.min(u32::try_from(room).unwrap_or(u32::MAX)), ..limits }
    }

    /// Takes account of what the connection of `id` holds now.
    pub(super) fn note_held(&mut self, id: FlowId) {
        if self.config.files == FilesMode::Off {
            return;
        }
        let Some(flow) = self.flows.get_mut(id) else { return };
        let held = match flow.role {
            Role::Data(_) | Role::Early(_) => u32::try_from(flow.connection.held_bytes()).unwrap_or(u32::MAX),
            _ => 0,
        };
        self.reorder_bytes = (self.reorder_bytes + held as usize).saturating_sub(flow.held as usize);
        flow.held = held;
    }

    /// The connection of `id` gave bytes up: it may have been because others held so much.
    pub(super) fn count_gap(&mut self, limits: &Limits) {
        if limits.held_bytes < Limits::BULK.held_bytes {
            self.counters.lose("reorder_bytes_full", 1);
        }
    }
}
