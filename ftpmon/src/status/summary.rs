//! The state as JSON, and for people.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::board::Published;
use crate::telemetry::{Kind, Snapshot};
use ftpmon_event::{EventType, InterfaceFacts, Stats};

/// The answer to `/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Summary {
    pub(super) version: String,
    pub(super) pid: u32,
    pub(super) sensor: String,
    pub(super) kernel: String,
    pub(super) ready: bool,
    /// The reasons why it is not ready.
    pub(super) unready: Vec<String>,
    pub(super) interfaces: Vec<InterfaceFacts>,
    pub(super) outputs: Vec<OutputSummary>,
    /// Events by type; types that did not occur are left out.
    pub(super) events: BTreeMap<String, u64>,
    pub(super) stats: Stats,
}

/// An output.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OutputSummary {
    pub(super) output: String,
    pub(super) up: bool,
    pub(super) queue_bytes: u64,
    pub(super) queue_bytes_max: u64,
    pub(super) lost: u64,
}

impl Summary {
    pub(super) fn new(state: &Published) -> Self {
        let unready = state.unready();
        let count = |kind: EventType| (kind.name().to_owned(), state.tally.of(kind));
        let events = EventType::ALL.iter().map(|kind| count(*kind)).filter(|(_, count)| *count > 0);
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            sensor: state.sensor.clone(),
            kernel: state.kernel.clone(),
            ready: unready.is_empty(),
            unready,
            interfaces: state.interfaces.clone(),
            outputs: outputs(&state.snapshot),
            events: events.collect(),
            stats: Stats { emitted: state.tally.total(), ..state.snapshot.stats(state.uptime_ms) },
        }
    }

    /// The same for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let stats = &self.stats;
        let _ = writeln!(
            text,
            "ftpmon {}, process {}, sensor {}, running for {}",
            self.version,
            self.pid,
            self.sensor,
            age(stats.uptime_ms / 1_000)
        );
        for reason in &self.unready {
            let _ = writeln!(text, "not ready   {reason}");
        }
        for interface in &self.interfaces {
            let InterfaceFacts { name, ingress, egress, reason, .. } = interface;
            let _ = writeln!(text, "watches     {name}: {ingress} in, {egress} out ({reason})");
        }
        let _ = writeln!(text, "packets     {} seen, {} matched", stats.seen, stats.matched);
        let types: Vec<String> = self.events.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let _ = writeln!(text, "events      {}: {}", stats.emitted, types.join(", "));
        for output in &self.outputs {
            let state = if output.up { "takes events" } else { "takes nothing" };
            let OutputSummary { output, queue_bytes, queue_bytes_max, lost, .. } = output;
            let _ = writeln!(
                text,
                "output      {output}: {state}, {queue_bytes} of {queue_bytes_max} bytes wait, {lost} events lost"
            );
        }
        for (table, fill) in stats.tables.iter().filter(|(_, fill)| fill.used > 0) {
            let _ = writeln!(text, "table       {table}: {} of {}", fill.used, fill.cap);
        }
        if stats.lost.is_empty() {
            text.push_str("lost        nothing\n");
        }
        for (reason, count) in &stats.lost {
            let _ = writeln!(text, "lost        {reason}: {count}");
        }
        text
    }
}

fn outputs(snapshot: &Snapshot) -> Vec<OutputSummary> {
    let of = |kind: fn(&Kind) -> bool, name: &str, output: &str| {
        let mut samples = snapshot.samples().iter();
        samples.find(|sample| {
            kind(&sample.kind)
                && sample.name == name
                && sample.labels.iter().any(|(_, value)| value == output)
        })
    };
    let ups = snapshot.samples().iter().filter(|sample| sample.name == "output_up");
    let summary = |up: &crate::telemetry::Sample| {
        let output = up.labels.first()?.1.clone();
        let queue = of(|kind| matches!(kind, Kind::Table { .. }), "output_queue", &output);
        let cap = queue.map_or(0, |queue| if let Kind::Table { cap } = queue.kind { cap } else { 0 });
        Some(OutputSummary {
            up: up.value > 0,
            queue_bytes: queue.map_or(0, |queue| queue.value),
            queue_bytes_max: cap,
            lost: of(|kind| *kind == Kind::Lost, "output", &output).map_or(0, |lost| lost.value),
            output,
        })
    };
    ups.filter_map(summary).collect()
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}
