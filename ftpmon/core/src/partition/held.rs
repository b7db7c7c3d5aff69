//! The account of the bytes that a partition holds for decisions.

use super::Partition;
use crate::config::FilesMode;
use crate::flow::{EarlyBytes, FlowId, Role};
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
        let mut held = if counts { flow.connection.held_bytes() } else { 0 };
        if let Role::Data(data) = &mut flow.role
            && let Some(withheld) = data.withheld.as_deref_mut()
        {
            if self.held.reorder.total() > self.config.limits.reorder_bytes && !withheld.is_broken() {
                self.counters.lose("reorder_bytes_full", 1);
                withheld.drop_all();
            }
            held += EarlyBytes::cost(withheld);
        }
        let held = u32::try_from(held).unwrap_or(u32::MAX);
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
