//! The `sensor_start` event.

use std::collections::BTreeMap;
use std::io;

use ftpmon_common::names;

use crate::capture::RECORD_LEN_MAX;
use crate::chain::{CONNECTIONS_MAX, SESSIONS_MAX, WAITING_EVENTS_MAX};
use crate::config::Config;
use crate::kernel::{INTERFACES_MAX, expected_entries};
use crate::sink::QUEUE_BYTES_DEFAULT;
use crate::store::QUEUE_BYTES_MAX as FILES_QUEUE_BYTES_MAX;
use ftpmon_core::engine::{EngineConfig, FilesMode};
use ftpmon_core::frame::{FragmentLimits, LAYERS_MAX};
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, InterfaceFacts, Origin, RunId, SCHEMA_VERSION, SensorStart, Source};

/// The fields that all events of a run that begins now have in common.
///
/// # Errors
/// The system gives no random number.
pub(crate) fn origin(config: &Config) -> io::Result<Origin> {
    let run = getrandom::u64().map_err(|error| io::Error::other(format!("no random number: {error}")))?;
    Ok(Origin { run: RunId(run), sensor: config.sensor_name() })
}

/// The facts of `sensor_start` that stay the same throughout a run.
pub(crate) struct StartFacts {
    start: SensorStart,
}

impl StartFacts {
    /// The facts of live capture by the running kernel, of the release `kernel`.
    pub(crate) fn live(config: &Config, engine: &EngineConfig, kernel: String) -> Self {
        let limits = limits_of_live_capture(config, engine);
        Self { start: SensorStart { kernel: Some(kernel), ..start(Source::Live, config, engine, limits) } }
    }

    /// The facts of a run over capture files.
    pub(crate) fn capture_files(config: &Config, engine: &EngineConfig) -> Self {
        let files = config.read.captures.iter().map(|path| path.display().to_string()).collect();
        let limits = limits_of_capture_files();
        Self { start: SensorStart { files, ..start(Source::File, config, engine, limits) } }
    }

    /// The event at `at`, while these interfaces are watched.
    pub(crate) fn event(&self, at: Timestamp, interfaces: Vec<InterfaceFacts>) -> Event {
        let start = SensorStart { interfaces, ..self.start.clone() };
        Event { ts: at, session: None, user: None, kind: EventKind::SensorStart(Box::new(start)) }
    }
}

fn start(
    source: Source,
    config: &Config,
    engine: &EngineConfig,
    own: impl IntoIterator<Item = (&'static str, u64)>,
) -> SensorStart {
    let store = config.store().map(|store| store.limits(engine.file_bytes_max));
    let limits: BTreeMap<String, u64> = own
        .into_iter()
        .chain(engine.limits.named())
        .chain(store.into_iter().flatten())
        .map(|(name, cap)| (name.to_owned(), cap))
        .collect();
    SensorStart {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema: SCHEMA_VERSION,
        source,
        kernel: None,
        interfaces: Vec::new(),
        files: Vec::new(),
        ports: engine.control_ports.clone(),
        tls_ports: engine.tls_ports.clone(),
        limits,
    }
}

fn limits_of_live_capture(config: &Config, engine: &EngineConfig) -> Vec<(&'static str, u64)> {
    let mut limits = vec![
        ("interfaces", INTERFACES_MAX as u64),
        ("output_queue_bytes", QUEUE_BYTES_DEFAULT as u64),
        ("owner_held_events", WAITING_EVENTS_MAX as u64),
        ("owner_sessions", SESSIONS_MAX as u64),
        ("owner_connections", CONNECTIONS_MAX as u64),
        ("kernel_expected", expected_entries(engine.limits.announced_endpoints).into()),
        ("kernel_pairs", names::PAIRS_MAX as u64),
        ("kernel_flows", names::FLOWS_MAX as u64),
        ("kernel_candidates", names::CANDIDATES_MAX as u64),
        ("kernel_control", names::CONTROL_MAX as u64),
        ("kernel_verdicts", names::VERDICTS_MAX as u64),
        ("ring_bytes", config.live.ring_bytes.next_power_of_two()),
    ];
    if engine.files != FilesMode::Off {
        limits.push(("files_ring_bytes", config.live.files_ring_bytes.next_power_of_two()));
    }
    if config.store().is_some() {
        limits.push(("files_queue_bytes", FILES_QUEUE_BYTES_MAX as u64));
    }
    limits
}

fn limits_of_capture_files() -> [(&'static str, u64); 4] {
    let fragments = FragmentLimits::default();
    [
        ("record_bytes", u64::from(RECORD_LEN_MAX)),
        ("layers", u64::from(LAYERS_MAX)),
        ("fragmented_datagrams", fragments.datagrams as u64),
        ("fragment_bytes", fragments.bytes as u64),
    ]
}
