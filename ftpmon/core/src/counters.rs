//! The counters of the engine.

use std::collections::BTreeMap;

use crate::event::TableFill;

/// Counters since the start, by stable names: what `stats` gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineCounters {
    /// Segments handed in.
    pub segments: u64,
    /// Packets of the control and data connections that have ended.
    pub matched: u64,
    /// Segments without payload of connections that are not followed.
    pub stray_segments: u64,
    /// Sessions begun.
    pub sessions: u64,
    /// Data connections followed.
    pub data_connections: u64,
    /// Of those, taken for data connections of sessions that cannot be read, or of which something was not seen.
    pub inferred: u64,
    /// Connections between the hosts of such sessions that were not taken for theirs; of those of which something was not seen
    /// only what may have been several sessions'.
    pub not_inferred: u64,
    /// Connections to control ports that the networks of the operator leave out.
    pub denied_connections: u64,
    /// Events given out.
    pub events: u64,
    /// Losses and omissions by reason; a reason that never occurred is not there.
    pub lost: BTreeMap<&'static str, u64>,
    /// Fill and cap of every table.
    pub tables: BTreeMap<&'static str, TableFill>,
}

impl EngineCounters {
    /// Counts `n` things lost for `reason`.
    pub(crate) fn lose(&mut self, reason: &'static str, n: u64) {
        if n > 0 {
            *self.lost.entry(reason).or_default() += n;
        }
    }

    /// Adds what another part of the same engine counted.
    pub fn merge(&mut self, other: &Self) {
        self.segments += other.segments;
        self.stray_segments += other.stray_segments;
        self.events += other.events;
        self.add(other);
        for (&name, fill) in &other.tables {
            let table = self.tables.entry(name).or_default();
            // Every part has a copy of the shared endpoints and of the settings, and draws on the same pools of bytes.
            let shared = matches!(name, "shared_endpoints" | "networks");
            table.used = if shared { table.used.max(fill.used) } else { table.used + fill.used };
            let pooled = shared || name.ends_with("_bytes");
            table.cap = if pooled { table.cap.max(fill.cap) } else { table.cap + fill.cap };
        }
    }

    /// Adds what a partition counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.matched += other.matched;
        self.sessions += other.sessions;
        self.data_connections += other.data_connections;
        self.inferred += other.inferred;
        self.not_inferred += other.not_inferred;
        self.denied_connections += other.denied_connections;
        for (reason, n) in &other.lost {
            self.lose(reason, *n);
        }
    }
}
