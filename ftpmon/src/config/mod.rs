//! The settings of the agent. The command line, the environment and configuration files fill a [`Config`].
//!
//! | file | what |
//! |---|---|
//! | `file` | configuration files |
//! | `limits` | caps that differ from the defaults |
//! | `check` | values out of range, and settings that contradict each other |
//! | `detect` | the choice of detectors |
//! | `detectors` | the detectors themselves, with lists and rules |
//! | `diff` | what another configuration would change |
//! | `route`, `routes`, `filter`, `name_pattern` | the routes of events to outputs, and which events take them |
//! | `networks` | the networks whose sessions are followed, or left out |
//! | `rate`, `privacy` | how many events take a route, and the names that they have |
//! | `lists` | lists of what is known to be bad, as files |
//! | `read` | settings for reading capture files |
//! | `rules` | files of rules |
//! | `engine` | the protocol engine's part, with the key of hashed secrets |

mod check;
mod detect;
mod detectors;
mod diff;
mod engine;
mod file;
mod filter;
mod leavings;
mod limits;
mod lists;
mod name_pattern;
mod networks;
mod privacy;
mod rate;
mod read;
mod route;
mod routes;
mod rules;
mod text;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::diagnostics::{LogFormat, LogLevel};
use crate::dump::DumpOptions;
use crate::kernel::{HookChoice, InterfacePattern};
use crate::sink::{SpoolFull, SpoolOptions};
use crate::status::StatusAddress;
use crate::store::StoreOptions;
use ftpmon_core::detect::Allowance;
use ftpmon_core::engine::Network;

pub use crate::quantity::{parse_bytes, parse_seconds};
pub use check::{
    Contradiction, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, PORTS_MAX, RING_BYTES_MAX, RING_BYTES_MIN,
    SENSOR_NAME_MAX,
};
pub use detect::{DetectChoice, DetectConfig, parse_allowance};
pub use diff::Change;
pub use engine::{KeyError, SECRETS_KEY_MIN};
pub use file::{DEFAULT_FILE, FILE_BYTES_MAX, FileError, FileSettings, Location, Setting, SettingValue};
pub use filter::{FilterConfig, TransferDirection};
pub use leavings::{PinConfig, WritePcapConfig};
pub use limits::LimitsConfig;
pub use lists::ListFile;
pub use name_pattern::NamePattern;
pub use networks::NetworksConfig;
pub use privacy::{NamePolicy, PrivacyConfig, ProcessPolicy};
pub use rate::RateConfig;
pub use read::ReadConfig;
pub use route::RouteConfig;

/// Ring size without `--ring-size`, bytes.
pub const RING_BYTES_DEFAULT: u64 = 16 << 20;
/// Size of the files' ring without `--files-ring-size`, bytes.
pub const FILES_RING_BYTES_DEFAULT: u64 = 32 << 20;
/// Bytes of a file that are kept without `--files-max-bytes`.
pub const FILE_BYTES_DEFAULT: u64 = 1 << 30;
/// Bytes of all kept files without `--files-quota`.
pub const FILES_QUOTA_DEFAULT: u64 = 10 << 30;
/// Seconds between two `stats` events without `--stats-interval`.
pub const STATS_INTERVAL_DEFAULT: u32 = 60;

/// All settings of the agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The sensor's name in every event; the host's name where none is given.
    pub sensor: Option<String>,
    /// The ports of control connections.
    pub ports: PortsConfig,
    /// Networks whose sessions are followed, or left out.
    pub networks: NetworksConfig,
    /// Caps of the protocol engine.
    pub limits: LimitsConfig,
    /// Which checksums count.
    pub checksums: ChecksumsPolicy,
    /// Passwords and account secrets.
    pub secrets: SecretsConfig,
    /// Transferred files.
    pub files: FilesConfig,
    /// Detectors.
    pub detect: DetectConfig,
    /// Sessions that detectors do not see.
    #[serde(with = "text::list")]
    pub detect_allow: Vec<Allowance>,
    /// Lists of what is known to be bad.
    #[serde(with = "text::list")]
    pub detect_lists: Vec<ListFile>,
    /// Files of rules.
    #[serde(with = "text::path_list")]
    pub detect_rules: Vec<PathBuf>,
    /// Databases of countries and autonomous systems.
    #[serde(with = "text::path_list")]
    pub geo: Vec<PathBuf>,
    /// Routes of events to outputs. Without any: all events as JSON to standard output.
    pub routes: Vec<RouteConfig>,
    /// Diagnostics on standard error.
    pub log: LogConfig,
    /// Settings of live capture.
    pub live: LiveConfig,
    /// Settings for reading capture files.
    pub read: ReadConfig,
}

/// The ports of control connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortsConfig {
    /// Ports of control connections in clear text.
    pub control: Vec<u16>,
    /// Ports of control connections that use TLS from the first byte.
    pub tls: Vec<u16>,
}

impl Default for PortsConfig {
    fn default() -> Self {
        Self { control: vec![21], tls: vec![990] }
    }
}

/// Diagnostics on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// The least important lines that are written.
    pub level: LogLevel,
    /// Their form.
    pub format: LogFormat,
}

/// Which IP and TCP checksums count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumsPolicy {
    /// In capture files, those of a sender that has right ones; live none
    #[default]
    Auto,
    /// All.
    Verify,
    /// None.
    Ignore,
}

/// Passwords and account secrets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretsConfig {
    /// Their form in events.
    pub policy: SecretsPolicy,
    /// File with the key of [`SecretsPolicy::Hash`]; a random key where none is given.
    #[serde(with = "text::path_option")]
    pub key_file: Option<PathBuf>,
}

/// The form of passwords and account secrets in events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretsPolicy {
    /// As `***`.
    #[default]
    Mask,
    /// As a keyed hash, so that equal secrets can be recognized.
    Hash,
    /// In clear text.
    Show,
}

/// Transferred files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesConfig {
    /// The use that is made of them.
    pub policy: FilesPolicy,
    /// The hashes of each file.
    pub hashes: Vec<HashAlgorithm>,
    /// Networks of hosts beside those of the session whose connections may be copied.
    #[serde(with = "text::list")]
    pub data_hosts: Vec<Network>,
    /// Directory for [`FilesPolicy::Extract`].
    #[serde(with = "text::path_option")]
    pub directory: Option<PathBuf>,
    /// Bytes of one file that are kept.
    pub max_bytes: u64,
    /// Bytes of all files in the directory.
    pub quota_bytes: u64,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self {
            policy: FilesPolicy::default(),
            hashes: vec![HashAlgorithm::Sha256],
            data_hosts: Vec::new(),
            directory: None,
            max_bytes: FILE_BYTES_DEFAULT,
            quota_bytes: FILES_QUOTA_DEFAULT,
        }
    }
}

/// The use that is made of transferred files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FilesPolicy {
    /// Their bytes are counted.
    #[default]
    Off,
    /// Hashes and MIME type of each are reported.
    Hash,
    /// Hashed, and stored in a directory.
    Extract,
}

/// A hash of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashAlgorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-1 (FIPS 180-4), for lists that have no better one.
    Sha1,
    /// MD5 (RFC 1321), likewise.
    Md5,
}

/// Settings of live capture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveConfig {
    /// Interfaces, by name or glob pattern; that of the default route where none is given.
    #[serde(with = "text::list")]
    pub interfaces: Vec<InterfacePattern>,
    /// The network namespace of the interfaces; none for the process's own.
    #[serde(with = "text::path_option")]
    pub netns: Option<PathBuf>,
    /// The kernel hook for incoming packets.
    pub hook: HookChoice,
    /// Put the interfaces into promiscuous mode.
    pub promiscuous: bool,
    /// Watch interfaces that another agent watches.
    pub share: bool,
    /// Seconds between two `stats` events.
    pub stats_interval_s: u32,
    /// Size of the ring between kernel and agent, bytes; rounded up to a power of two.
    pub ring_bytes: u64,
    /// Size of the ring for the payload of data connections, bytes; rounded up to a power of two.
    pub files_ring_bytes: u64,
    /// Scheduling priority of the capture thread.
    pub nice: Option<i8>,
    /// Threads that follow sessions at most. One is used (docs/adr/0109-one-engine-thread-live.md).
    pub threads: Option<u8>,
    /// Level of the kernel programs' own log.
    pub kernel_log: Option<LogLevel>,
    /// Report which process of this host owns an end of a connection.
    pub owners: bool,
    /// The user that the agent becomes; none for the default, which only root does not stay with.
    pub user: Option<String>,
    /// Rights that are not needed are given up.
    pub sandbox: bool,
    /// The address at which the state is served.
    pub status: StatusAddress,
    /// A pcapng file for the matched packets.
    pub write_pcap: Option<WritePcapConfig>,
    /// Pins for the next agent.
    pub pin: Option<PinConfig>,
    /// A log on disk that the outputs read.
    pub spool: Option<SpoolConfig>,
    /// A program that is started for each alert.
    #[serde(with = "text::path_option")]
    pub on_alert: Option<PathBuf>,
    /// A program that is started for each stored file.
    #[serde(with = "text::path_option")]
    pub on_file: Option<PathBuf>,
}

/// A log on disk that the outputs read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpoolConfig {
    /// Its directory.
    #[serde(with = "text::path")]
    pub directory: PathBuf,
    /// Bytes of all that it holds.
    pub max_bytes: u64,
    /// The events that are dropped when it is full.
    pub full: SpoolFull,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            netns: None,
            hook: HookChoice::Auto,
            promiscuous: false,
            share: false,
            stats_interval_s: STATS_INTERVAL_DEFAULT,
            ring_bytes: RING_BYTES_DEFAULT,
            files_ring_bytes: FILES_RING_BYTES_DEFAULT,
            nice: None,
            threads: None,
            kernel_log: None,
            owners: true,
            user: None,
            sandbox: true,
            status: StatusAddress::Auto,
            write_pcap: None,
            pin: None,
            spool: None,
            on_alert: None,
            on_file: None,
        }
    }
}

impl Config {
    /// The sensor's name: the one given, or the host's.
    pub fn sensor_name(&self) -> String {
        let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.sensor.clone().unwrap_or_else(host)
    }

    /// The storage of files; none if they are not stored.
    pub(crate) fn store(&self) -> Option<StoreOptions> {
        let extract = self.files.policy == FilesPolicy::Extract;
        let folder = self.files.directory.clone().filter(|_| extract)?;
        Some(StoreOptions { folder, quota: self.files.quota_bytes })
    }

    /// The spool; none if none is asked for.
    pub(crate) fn spool(&self) -> Option<SpoolOptions> {
        let SpoolConfig { directory, max_bytes, full } = self.live.spool.clone()?;
        Some(SpoolOptions { folder: directory, max_bytes, full })
    }

    /// The pcapng file to write; none if none is asked for.
    pub(crate) fn dump(&self) -> Option<DumpOptions> {
        let file = self.live.write_pcap.clone()?;
        let shown = self.secrets.policy == SecretsPolicy::Show;
        Some(DumpOptions {
            path: file.path,
            max_bytes: file.max_bytes,
            mask_ports: (!shown).then(|| self.ports.control.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;

    #[test]
    fn unknown_keys_are_refused_at_every_level() {
        for text in [
            r#"{"port": 21}"#,
            r#"{"ports": {"ctrl": [21]}}"#,
            r#"{"limits": {"flow": 1}}"#,
            r#"{"secrets": {"key": "x"}}"#,
            r#"{"files": {"dir": "x"}}"#,
            r#"{"routes": [{"fmt": "json"}]}"#,
            r#"{"live": {"iface": "x"}}"#,
            r#"{"live": {"write_pcap": {"path": "x", "size": 1}}}"#,
            r#"{"read": {"file": "x"}}"#,
        ] {
            let error = serde_json::from_str::<Config>(text).unwrap_err().to_string();
            assert!(error.contains("unknown field"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let config: Config = serde_json::from_str("{}").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.routes(), [RouteConfig::default()]);
        let text = r#"{"live": {"interfaces": ["eth*"], "hook": "tcx"}, "routes": [{"format": "zeek-json", "outputs": ["unix:/x"]}]}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.live.hook, HookChoice::Tcx);
        assert_eq!(config.live.ring_bytes, RING_BYTES_DEFAULT);
        assert!(config.live.interfaces[0].matches("eth7"));
        assert_eq!(
            (config.routes[0].format, &config.routes[0].outputs[..]),
            (Format::ZeekJson, &["unix:/x".parse().unwrap()][..])
        );
    }

    #[test]
    fn a_configuration_survives_being_written_and_read() {
        let mut config = Config::default();
        config.live.interfaces = vec!["veth*".parse().unwrap()];
        config.live.write_pcap = Some(WritePcapConfig { path: "/x".into(), max_bytes: Some(5_000) });
        config.read.captures = vec!["a.pcap".into()];
        config.limits.flows = Some(5);
        config.routes =
            vec![RouteConfig { outputs: vec!["tcp://[::1]:5".parse().unwrap()], ..RouteConfig::default() }];
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
    }
}
