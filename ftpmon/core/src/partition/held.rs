//! The account of the bytes that a partition holds for decisions.

use super::Partition;
use crate::config::FilesMode;
use crate::flow::{FlowId, Role};
use crate::tcp::StreamLimits;

impl Partition {
    /// Takes account of what the connection of `id` holds now.
    pub(super) fn note_held(&mut self, id: FlowId) {
        if self.config.files == FilesMode::Off {
            return;
        }
        let Some(flow) = self.flows.get_mut(id) else { return };
        // What a session holds is part of the budget of memory.
        if matches!(flow.role, Role::Control(_)) {
            return;
        }
        let counts = flow.role.may_be_a_file();
        let held = if counts { u32::try_from(flow.connection.held_bytes()).unwrap_or(u32::MAX) } else { 0 };
        self.held.reorder.change(flow.held as usize, held as usize);
        flow.held = held;
    }

    /// A connection gave bytes up: it may have been because all together held so much.
    pub(super) fn count_gap(&mut self, limits: &StreamLimits) {
        if limits.held_bytes < StreamLimits::BULK.held_bytes {
            self.counters.lose("reorder_bytes_full", 1);
        }
    }
}
