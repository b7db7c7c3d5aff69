//! Events about the sensor itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// `sensor_start`: what runs, where, and within which limits.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SensorStart {
    /// ftpmon's version.
    pub version: String,
    /// Version of the event schema.
    pub schema: u32,
    /// Where the packets come from: `live` or `file`.
    pub source: String,
    /// The running kernel's release; left out where no kernel is involved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The interfaces watched, with the hook chosen for each and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfaceFacts>,
    /// The capture files read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Control ports in clear text.
    pub ports: Vec<u16>,
    /// Control ports that speak TLS from the first byte.
    pub tls_ports: Vec<u16>,
    /// Every cap by name: entries, bytes or milliseconds as the name says.
    pub limits: BTreeMap<String, u64>,
}

/// One watched interface.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct InterfaceFacts {
    /// Its name.
    pub name: String,
    /// The kernel's index for it.
    pub ifindex: u32,
    /// The hook on ingress: `native`, `generic`, `tcx` or `clsact`.
    pub ingress: String,
    /// The hook on egress: `tcx` or `clsact`.
    pub egress: String,
    /// Why these hooks.
    pub reason: String,
}

/// `stats`: counters since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Stats {
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    /// Packets that the kernel programs (or the file reader) looked at.
    pub seen: u64,
    /// Of those, the packets of FTP control and data connections.
    pub matched: u64,
    /// Events written, this one not counted.
    pub emitted: u64,
    /// What was lost or left out, by reason; a reason that never occurred is left out.
    pub lost: BTreeMap<String, u64>,
    /// Fill and cap of every table.
    pub tables: BTreeMap<String, TableFill>,
    /// All counters of the kernel programs by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kernel: BTreeMap<String, u64>,
    /// All counters of the agent by name.
    pub agent: BTreeMap<String, u64>,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TableFill {
    /// Entries now.
    pub used: u64,
    /// Entries at most.
    pub cap: u64,
}

/// `sensor_stop`: the last line of a run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SensorStop {
    /// Why the run ended: `signal`, `end_of_input`, `error`, ...
    pub reason: String,
}
