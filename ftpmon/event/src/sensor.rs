//! Events about the sensor itself.

use core::fmt;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::RunId;

/// `sensor_start`: what runs, where, and within which limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SensorStart {
    /// ftpmon's version.
    pub version: String,
    /// Version of the event schema.
    pub schema: u32,
    /// The source of the packets.
    pub source: Source,
    /// The running kernel's release; left out where no kernel is involved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The interfaces watched, with the hook chosen for each and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfaceFacts>,
    /// The capture files read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Control ports in clear text.
    pub ports: Vec<u16>,
    /// Control ports that speak TLS from the first byte.
    pub tls_ports: Vec<u16>,
    /// Every cap by name: entries, bytes or milliseconds as the name says.
    pub limits: BTreeMap<String, u64>,
}

/// One watched interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InterfaceFacts {
    /// Its name.
    pub name: String,
    /// The kernel's index for it.
    pub ifindex: u32,
    /// The hook on ingress.
    pub ingress: Hook,
    /// The hook on egress: `tcx` or `clsact`.
    pub egress: Hook,
    /// The reason for these hooks.
    pub reason: String,
    /// Offloads that are on: `LRO`, `GRO`, `GRO_HW`, `RXVLAN` (VLAN tags are taken off received frames, which XDP then does not see),
    /// `TSO`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offloads: Vec<String>,
}

/// The source of the packets of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The interfaces of this host.
    Live,
    /// Capture files.
    File,
}

/// The hook of a kernel program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// XDP in the network driver.
    Native,
    /// XDP in the kernel's receive path.
    Generic,
    /// TCX, kernel 6.6 and later.
    Tcx,
    /// The clsact queueing discipline, before kernel 6.6.
    Clsact,
}

impl Hook {
    /// The text that events have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `stats`: counters since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Milliseconds since the start.
    pub uptime_ms: u64,
    /// Packets that the kernel programs (or the file reader) looked at.
    pub seen: u64,
    /// Of those, the packets of FTP control and data connections.
    pub matched: u64,
    /// Events written, this one not counted.
    pub emitted: u64,
    /// Events that the rates of the output held back, by type; a type of which none were is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held_back: BTreeMap<String, u64>,
    /// Losses and omissions by reason; a reason that never occurred is left out.
    pub lost: BTreeMap<String, u64>,
    /// Fill and cap of every table.
    pub tables: BTreeMap<String, TableFill>,
    /// All counters of the kernel programs by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kernel: BTreeMap<String, u64>,
    /// All counters of the agent by name.
    pub agent: BTreeMap<String, u64>,
}

/// The fill of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableFill {
    /// Entries now.
    pub used: u64,
    /// Entries at most.
    pub cap: u64,
}

/// `sensor_stop`: the last line of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SensorStop {
    /// The reason why the run ended.
    pub reason: StopReason,
}

/// The reason why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// A signal asked for it.
    Signal,
    /// All capture files were read.
    EndOfInput,
    /// No output can be written to any more.
    OutputGone,
    /// The input failed; the error is on standard error.
    Error,
}

impl StopReason {
    /// The text that events have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::EndOfInput => "end_of_input",
            Self::OutputGone => "output_gone",
            Self::Error => "error",
        }
    }
}

/// `drop`: events that an output or the spool could not keep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dropped {
    /// The events that are missing.
    pub drop: DropDetail,
}

/// Events that are missing at one output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DropDetail {
    /// The output, as `--output` names it.
    pub output: String,
    /// `seq` of the first event that is missing.
    pub from_seq: u64,
    /// `seq` of the last event that is missing.
    pub to_seq: u64,
    /// Events between the two, both included, that are missing.
    pub count: u64,
    /// The reason why they are missing.
    pub reason: DropReason,
    /// Their run, where it is an earlier one: the spool kept them until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub run: Option<RunId>,
}

/// The reason why an output or the spool could not keep events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The output's queue was full.
    QueueFull,
    /// The spool had reached its size.
    SpoolFull,
    /// Writing to the output or the spool failed.
    WriteFailed,
    /// They were handed over, but the reader may not have them.
    Unconfirmed,
    /// The reader refused them for good.
    Rejected,
}

impl DropReason {
    /// The reason as the event spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::SpoolFull => "spool_full",
            Self::WriteFailed => "write_failed",
            Self::Unconfirmed => "unconfirmed",
            Self::Rejected => "rejected",
        }
    }
}

/// `config`: the operator asked for the configuration to be read again (SIGHUP).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigReload {
    /// The outcome.
    pub config: ConfigDetail,
}

/// The result of reading the configuration again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigDetail {
    /// All of it is in force, or none of it.
    pub outcome: ConfigOutcome,
    /// The settings that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ConfigChange>,
    /// The reason why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether a new configuration is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigOutcome {
    /// All changes are in force.
    Applied,
    /// None of them is.
    Refused,
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigChange {
    /// Its name.
    pub name: String,
    /// Its value before, as JSON.
    pub old: String,
    /// Its value in the new configuration, as JSON.
    pub new: String,
}
