//! Counters of the engine, the frame decoder and the kernel side as samples.

use ftpmon_common::{Counter, names};

use super::{Kind, Sampled, Snapshot};
use crate::kernel::{Changes, Counters, Flows, RecordCounters, Steering};
use ftpmon_core::engine::EngineCounters;
use ftpmon_core::frame::DecodeCounters;

impl Sampled for EngineCounters {
    fn sample(&self, into: &mut Snapshot) {
        into.extend(Kind::Lost, self.lost.iter().map(|(&reason, &count)| (reason, count)));
        for (&name, fill) in &self.tables {
            into.add(Kind::Table { cap: fill.cap }, name, fill.used);
        }
        let counters = [
            ("segments", self.segments),
            ("stray_segments", self.stray_segments),
            ("sessions", self.sessions),
            ("data_connections", self.data_connections),
            ("inferred", self.inferred),
            ("not_inferred", self.not_inferred),
        ];
        into.extend(Kind::Agent, counters);
        if self.tables.contains_key("networks") {
            into.add(Kind::Agent, "denied_connections", self.denied_connections);
        }
    }
}

impl Sampled for DecodeCounters {
    fn sample(&self, into: &mut Snapshot) {
        into.extend(Kind::Lost, self.lost());
        for (name, count) in self.by_name() {
            into.add(Kind::Agent, format!("decoder_{name}"), count);
        }
    }
}

impl Sampled for Counters {
    fn sample(&self, into: &mut Snapshot) {
        into.add(Kind::Packets, "seen", self.packets());
        into.add(Kind::Packets, "matched", self.value(Counter::Control) + self.value(Counter::Data));
        into.extend(Kind::Lost, self.lost());
        for (name, count) in self.by_name() {
            into.add(Kind::Kernel, name, count);
        }
    }
}

impl Sampled for RecordCounters {
    fn sample(&self, into: &mut Snapshot) {
        let lost = [
            ("records_short", self.short),
            ("records_unknown", self.unknown),
            ("records_unknown_report", self.unknown_report),
            ("records_unknown_link", self.unknown_link),
            ("frames_cut", self.cut),
            ("records_orphaned", self.orphans),
        ];
        into.extend(Kind::Lost, lost);
        into.extend(Kind::Agent, [("records", self.records), ("frames_joined", self.joined)]);
    }
}

impl Sampled for Steering {
    fn sample(&self, into: &mut Snapshot) {
        let (taken, refused) = self.counters();
        into.add(Kind::Agent, "port_updates", taken);
        into.add(Kind::Lost, "port_updates_refused", refused);
    }
}

impl Sampled for Flows {
    fn sample(&self, into: &mut Snapshot) {
        into.add(Kind::Table { cap: names::FLOWS_MAX as u64 }, "kernel_flows", self.entries());
        into.add(Kind::Agent, "kernel_flows_swept", self.swept());
    }
}

impl Sampled for Changes {
    fn sample(&self, into: &mut Snapshot) {
        let counters = [("interfaces_attached", self.attached), ("interfaces_detached", self.detached)];
        into.extend(Kind::Agent, counters);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_reason_is_documented() {
        let mut snapshot = Snapshot::default();
        RecordCounters::default().sample(&mut snapshot);
        DecodeCounters::default().sample(&mut snapshot);
        let lost = snapshot.samples().iter().filter(|sample| sample.kind == Kind::Lost);
        let kernel = Counter::ALL.iter().filter(|counter| counter.is_loss()).map(|counter| counter.name());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md");
        let document = std::fs::read_to_string(path).unwrap();
        for reason in lost.map(|sample| &*sample.name).chain(kernel) {
            assert!(document.contains(&format!("`{reason}`")), "{reason} is not in docs/events.md");
        }
    }
}
