//! What a run says of itself: `sensor_start` and `stats`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::capture::file::RECORD_LEN_MAX;
use crate::config::Config;
use crate::store::StoreCounters;
use ftpmon_core::engine::{EngineConfig, EngineCounters};
use ftpmon_core::frame::{Decoder, FragmentLimits, LAYERS_MAX};
use ftpmon_event::time::Timestamp;
use ftpmon_event::{SCHEMA_VERSION, SensorStart, Stats, TableFill};

/// What `stats` counts, from everywhere.
pub(super) struct Counts<'a> {
    pub(super) uptime_ms: u64,
    pub(super) unknown_link_type: u64,
    pub(super) decoder: &'a Decoder,
    pub(super) engine: &'a EngineCounters,
    pub(super) kept: Option<StoreCounters>,
}

pub(super) fn start(config: &Config, engine: &EngineConfig, fragments: &FragmentLimits) -> SensorStart {
    let own = [
        ("record_bytes", u64::from(RECORD_LEN_MAX)),
        ("layers", u64::from(LAYERS_MAX)),
        ("fragmented_datagrams", fragments.datagrams as u64),
        ("fragment_bytes", fragments.bytes as u64),
    ];
    SensorStart {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema: SCHEMA_VERSION,
        source: "file".to_owned(),
        kernel: None,
        interfaces: Vec::new(),
        files: config.read.captures.iter().map(|path| path.display().to_string()).collect(),
        ports: engine.control_ports.clone(),
        tls_ports: engine.tls_ports.clone(),
        limits: engine
            .limits
            .named()
            .into_iter()
            .chain(own)
            .chain(config.store().iter().flat_map(|store| store.limits(engine.file_bytes_max)))
            .map(|(name, cap)| (name.to_owned(), cap))
            .collect(),
    }
}

pub(super) fn stats(counts: &Counts<'_>) -> Stats {
    let (decoder, engine) = (counts.decoder.counters(), counts.engine);
    let (used, cap) = counts.decoder.fragment_table();
    let fragments = TableFill { used: used as u64, cap: cap as u64 };
    Stats {
        uptime_ms: counts.uptime_ms,
        seen: decoder.frames + counts.unknown_link_type,
        matched: engine.matched,
        // Filled in when it is written.
        emitted: 0,
        lost: lost(counts),
        tables: engine
            .tables
            .iter()
            .map(|(&name, &fill)| (name, fill))
            .chain([("fragmented_datagrams", fragments)])
            .map(|(name, fill)| (name.to_owned(), fill))
            .collect(),
        kernel: BTreeMap::new(),
        agent: agent(counts),
    }
}

fn lost(counts: &Counts<'_>) -> BTreeMap<String, u64> {
    let engine = counts.engine.lost.iter().map(|(&reason, &count)| (reason, count));
    engine
        .chain(counts.decoder.counters().lost())
        .chain([("unknown_link_type", counts.unknown_link_type)])
        .chain(counts.kept.iter().flat_map(|kept| kept.lost.iter().map(|(&name, &count)| (name, count))))
        .filter(|&(_, count)| count > 0)
        .map(|(reason, count)| (reason.to_owned(), count))
        .collect()
}

fn agent(counts: &Counts<'_>) -> BTreeMap<String, u64> {
    let engine = counts.engine;
    let named = [
        ("segments", engine.segments),
        ("stray_segments", engine.stray_segments),
        ("sessions", engine.sessions),
        ("data_connections", engine.data_connections),
        ("inferred", engine.inferred),
        ("not_inferred", engine.not_inferred),
    ];
    let kept =
        counts.kept.iter().flat_map(|kept| [("files_stored", kept.stored), ("files_known", kept.known)]);
    let decoder = counts.decoder.counters().by_name();
    let decoder = decoder.into_iter().map(|(name, count)| (format!("decoder_{name}"), count));
    named.into_iter().chain(kept).map(|(name, count)| (name.to_owned(), count)).chain(decoder).collect()
}

/// The time of a run without a packet.
pub(super) fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}
