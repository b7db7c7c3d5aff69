//! What a run says of itself: `sensor_start` and `stats`.

use std::collections::BTreeMap;
use std::time::Duration;

use ftpmon_common::{Counter, names};

use super::attribution::{Attribution, CONNECTIONS_MAX, HELD_EVENTS_MAX, SESSIONS_MAX};
use super::kept::Kept;
use crate::config::Config;
use crate::dump::Dump;
use crate::kernel::{self, Changes, Counters, INTERFACES_MAX, RecordCounters};
use crate::sink::{Outputs, QUEUE_BYTES_MAX};
use crate::store::QUEUE_BYTES_MAX as FILES_QUEUE_BYTES_MAX;
use ftpmon_core::engine::{EngineConfig, EngineCounters, FilesMode};
use ftpmon_core::frame::DecodeCounters;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, InterfaceFacts, SCHEMA_VERSION, SensorStart, Stats, TableFill};

/// What stays the same throughout a run.
pub(super) struct Facts {
    kernel: String,
    ports: Vec<u16>,
    tls_ports: Vec<u16>,
    limits: BTreeMap<String, u64>,
}

/// What `stats` counts, from everywhere.
pub(super) struct Counts<'a> {
    pub(super) uptime: Duration,
    pub(super) kernel: &'a Counters,
    pub(super) records: RecordCounters,
    pub(super) decoder: &'a DecodeCounters,
    pub(super) engine: &'a EngineCounters,
    /// Updates that the kernel took, and refused.
    pub(super) steering: (u64, u64),
    /// Entries of the kernel's table of data connections, and those that sweeps let go.
    pub(super) flows: (u64, u64),
    pub(super) interfaces: Changes,
    pub(super) outputs: &'a Outputs,
    pub(super) kept: Option<&'a Kept>,
    pub(super) owners: Option<&'a Attribution>,
    pub(super) dump: Option<&'a Dump>,
}

impl Facts {
    pub(super) fn new(config: &Config, engine: &EngineConfig) -> Self {
        let kernel = [
            ("interfaces", INTERFACES_MAX),
            ("output_queue_bytes", QUEUE_BYTES_MAX),
            ("owner_held_events", HELD_EVENTS_MAX),
            ("owner_sessions", SESSIONS_MAX),
            ("owner_connections", CONNECTIONS_MAX),
            ("kernel_expected", names::EXPECTED_MAX),
            ("kernel_pairs", names::PAIRS_MAX),
            ("kernel_flows", names::FLOWS_MAX),
            ("kernel_control", names::CONTROL_MAX),
            ("kernel_verdicts", names::VERDICTS_MAX),
        ];
        let mut limits: BTreeMap<String, u64> =
            kernel.into_iter().map(|(name, cap)| (name.to_owned(), cap as u64)).collect();
        limits.insert("ring_bytes".to_owned(), config.live.ring_bytes.next_power_of_two());
        if engine.files != FilesMode::Off {
            limits.insert("files_ring_bytes".to_owned(), config.live.files_ring_bytes.next_power_of_two());
        }
        if let Some(store) = config.store() {
            limits.extend(store.limits(engine.file_bytes_max).map(|(name, cap)| (name.to_owned(), cap)));
            limits.insert("files_queue_bytes".to_owned(), FILES_QUEUE_BYTES_MAX as u64);
        }
        limits.extend(engine.limits.named().map(|(name, cap)| (name.to_owned(), cap)));
        Self {
            kernel: kernel::running_release(),
            ports: config.ports.control.clone(),
            tls_ports: config.ports.tls.clone(),
            limits,
        }
    }

    pub(super) fn start_event(&self, at: Timestamp, interfaces: Vec<InterfaceFacts>) -> Event {
        let start = SensorStart {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            schema: SCHEMA_VERSION,
            source: "live".to_owned(),
            kernel: Some(self.kernel.clone()),
            interfaces,
            files: Vec::new(),
            ports: self.ports.clone(),
            tls_ports: self.tls_ports.clone(),
            limits: self.limits.clone(),
        };
        Event { ts: at, session: None, user: None, kind: EventKind::SensorStart(Box::new(start)) }
    }

    pub(super) fn stats(&self, counts: &Counts<'_>) -> Stats {
        let kernel = counts.kernel;
        Stats {
            uptime_ms: u64::try_from(counts.uptime.as_millis()).unwrap_or(u64::MAX),
            seen: kernel.packets(),
            matched: kernel.value(Counter::Control) + kernel.value(Counter::Data),
            // Known when it is written.
            emitted: 0,
            lost: lost(counts),
            tables: tables(counts),
            kernel: kernel.by_name(),
            agent: agent(counts),
        }
    }
}

fn lost(counts: &Counts<'_>) -> BTreeMap<String, u64> {
    let records = counts.records;
    let agent = [
        ("records_unknown", records.unknown),
        ("frames_cut", records.cut),
        ("records_orphaned", records.orphans),
        ("port_updates_refused", counts.steering.1),
    ];
    // The engine counts what it was told the kernel lost, under the same names.
    let engine = counts.engine.lost.iter().map(|(&reason, &count)| (reason, count));
    let mut lost: BTreeMap<String, u64> = engine
        .chain(counts.decoder.lost())
        .chain(counts.kernel.lost())
        .chain(agent)
        .filter(|&(_, count)| count > 0)
        .map(|(reason, count)| (reason.to_owned(), count))
        .collect();
    counts.outputs.add_lost(&mut lost);
    if let Some(kept) = counts.kept {
        lost.extend(kept.writer.counters().lost.into_iter().map(|(name, count)| (name.to_owned(), count)));
    }
    if let Some(dump) = counts.dump {
        let counters = dump.counters();
        let reasons = [
            ("pcap_queue_full", counters.queue_full),
            ("pcap_write_failed", counters.write_failed),
            ("pcap_max_bytes", counters.max_bytes),
            ("pcap_interfaces_full", counters.interfaces_full),
            ("pcap_unmasked", counters.unmasked),
        ];
        let occurred = reasons.into_iter().filter(|&(_, count)| count > 0);
        lost.extend(occurred.map(|(reason, count)| (reason.to_owned(), count)));
    }
    lost
}

fn tables(counts: &Counts<'_>) -> BTreeMap<String, TableFill> {
    let mut tables: BTreeMap<String, TableFill> =
        counts.engine.tables.iter().map(|(&name, &fill)| (name.to_owned(), fill)).collect();
    let kernel_flows = TableFill { used: counts.flows.0, cap: names::FLOWS_MAX as u64 };
    tables.insert("kernel_flows".to_owned(), kernel_flows);
    counts.outputs.add_tables(&mut tables);
    if let Some(kept) = counts.kept {
        let fill = TableFill { used: kept.writer.waiting() as u64, cap: FILES_QUEUE_BYTES_MAX as u64 };
        tables.insert("files_queue_bytes".to_owned(), fill);
        let quota = TableFill { used: kept.writer.counters().used, cap: kept.quota };
        tables.insert("files_bytes".to_owned(), quota);
    }
    tables
}

fn agent(counts: &Counts<'_>) -> BTreeMap<String, u64> {
    let records = counts.records;
    let engine = counts.engine;
    let named = [
        ("records", records.records),
        ("frames_joined", records.joined),
        ("segments", engine.segments),
        ("stray_segments", engine.stray_segments),
        ("sessions", engine.sessions),
        ("data_connections", engine.data_connections),
        ("inferred", engine.inferred),
        ("not_inferred", engine.not_inferred),
        ("port_updates", counts.steering.0),
        ("kernel_flows_swept", counts.flows.1),
        ("interfaces_attached", counts.interfaces.attached),
        ("interfaces_detached", counts.interfaces.detached),
        ("outputs_reopened", counts.outputs.reopened()),
    ];
    let kept = counts.kept.map(|kept| kept.writer.counters());
    let kept = kept.iter().flat_map(|kept| [("files_stored", kept.stored), ("files_known", kept.known)]);
    let decoder = counts.decoder.by_name().map(|(name, count)| (format!("decoder_{name}"), count));
    let owners = counts.owners.into_iter().flat_map(owners);
    let dump = counts.dump.map(|dump| ("pcap_written", dump.counters().written));
    named
        .into_iter()
        .chain(kept)
        .chain(owners)
        .chain(dump)
        .map(|(name, count)| (name.to_owned(), count))
        .chain(decoder)
        .collect()
}

fn owners(owners: &Attribution) -> [(&'static str, u64); 7] {
    let (counters, thread) = (owners.counters, owners.owners().counters());
    [
        ("owner_lookups", counters.asked),
        ("owner_found", counters.found),
        ("owner_late", counters.late),
        ("owner_refused", counters.refused),
        ("owner_foreign", counters.foreign),
        ("owner_scans", thread.scans),
        ("owner_unreadable", thread.unreadable),
    ]
}
