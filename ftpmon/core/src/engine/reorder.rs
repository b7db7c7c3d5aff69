//! Bytes of files that came ahead of others are held until it is their turn: a cap over all connections.
//!
//! A connection's own cap is that of [`crate::tcp::Limits`]; a thousand connections with a hole each would make it a thousandfold.

use super::flow::{Flow, Role};
use super::table::FlowId;
use super::{Engine, EngineConfig, FilesMode};
use crate::tcp::Limits;

/// What a flow's connection may hold: less than its own cap where others hold much, `held` bytes in all.
pub(super) fn with_room(config: &EngineConfig, held: usize, flow: &Flow) -> Limits {
    let mut limits = flow.tcp_limits(config.limits.late_ms);
    if config.files != FilesMode::Off && held > 0 {
        let room = config.limits.reorder_bytes.saturating_sub(held) + flow.held as usize;
        limits.held_bytes = limits.held_bytes.min(u32::try_from(room).unwrap_or(u32::MAX));
    }
    limits
}

impl Engine {
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
