//! The command line: options and their help texts. It fills a [`crate::config::Config`], and nothing else knows it.
//!
//! Usage errors and options that contradict each other end with exit code 2; everything that fails later ends with 1.

mod config;
mod detect;
mod documents;
mod explain;
mod layers;
mod log;
mod networks;
mod ports;
mod report;
mod show;
mod top;
mod values;
mod who;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{
    ChecksumsPolicy, FILE_BYTES_DEFAULT, FILES_QUOTA_DEFAULT, FILES_RING_BYTES_DEFAULT, FilesPolicy,
    HashAlgorithm, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, RING_BYTES_DEFAULT, RING_BYTES_MAX, RING_BYTES_MIN,
    SENSOR_NAME_MAX, STATS_INTERVAL_DEFAULT, SecretsPolicy,
};
use crate::diagnostics::LogLevel;
use crate::format::{Format, LINE_BYTES_DEFAULT, LINE_BYTES_MAX, LINE_BYTES_MIN};
use crate::kernel::{HookChoice, InterfacePattern};
use crate::sink::{OutputSpec, SPOOL_BYTES_DEFAULT, SPOOL_BYTES_MIN, SpoolFull};
use crate::status::StatusAddress;
use ftpmon_core::engine::Network;
use ftpmon_event::EventKind;

pub use detect::{DetectOptions, DetectorArgs};
pub use documents::{completions, write_manual};
pub use explain::ExplainArgs;
pub use layers::{Invocation, LayerError, Origin, Origins};
pub use log::LogOptions;
pub use networks::NetworkOptions;
pub use ports::PortOptions;
pub use report::ReportArgs;
pub use show::example;
pub use top::TopArgs;
pub use values::OwnersChoice;
use values::{bytes, bytes32, seconds};
pub use who::WhoArgs;

/// Watches FTP traffic with kernel programs and writes it as a stream of events.
#[derive(Debug, Parser)]
#[command(name = "ftpmon", version, max_term_width = 100)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch live traffic (needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)
    Run(Box<RunOptions>),
    /// Read capture files (pcap or pcapng, also gzipped); needs no privileges
    Read(Box<ReadOptions>),
    /// Remove what agents that were killed left attached
    Detach {
        /// Remove everything that ftpmon run --pin pinned in this folder
        #[arg(long, value_name = "DIR")]
        pin: Option<PathBuf>,
    },
    /// Show what running agents watch, what flows and what is lost
    Status {
        /// Address that was given to run --status; auto for all agents in /run/ftpmon
        #[arg(long, value_name = "ADDRESS", default_value_t = StatusAddress::Auto)]
        status: StatusAddress,
        /// Write a line of JSON for each agent
        #[arg(long)]
        json: bool,
    },
    /// Examine whether run would work here with these options, and what keeps it from seeing or delivering everything
    Doctor(Box<DoctorOptions>),
    /// Check that event files (--format json) and spools are complete
    Verify {
        /// All event files of one output, also gzipped, or directories of spools
        #[arg(required = true, value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
    },
    /// Find attacks in events that were stored, or show the detectors
    Detect(Box<DetectOptions>),
    /// Explain a session message by message, from a capture or from stored events
    Explain(Box<ExplainArgs>),
    /// Write tables and charts of stored events, as HTML, JSON, CSV or xferlog
    Report(Box<ReportArgs>),
    /// Show sessions, transfers, users, paths and alerts on a terminal, from a stream of events or a file of them
    Top(Box<TopArgs>),
    /// Show the sessions that are open, from a stream of events or a file of them
    Who(Box<WhoArgs>),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write the completions of a shell to standard output
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages into a directory
    #[command(hide = true)]
    Man {
        /// The directory, which must exist
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Write the JSON Schema of the events to standard output
    #[command(hide = true)]
    Schema,
}

/// `ftpmon config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration files, the environment and the options of run
    Check(Box<RunOptions>),
    /// Write the settings in force to standard output, as a configuration file
    Show(Box<RunOptions>),
    /// Write a configuration file with every key and its default to standard output
    Example,
}

/// `ftpmon run`.
#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    /// Configuration file to read instead of /etc/ftpmon/ftpmon.toml and /etc/ftpmon/conf.d/*.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Interface to watch, by name or glob pattern. May be given several times
    /// [default: the interface of the default route]
    #[arg(long = "iface", value_name = "NAME|GLOB")]
    pub interfaces: Vec<InterfacePattern>,
    /// Watch interfaces of this network namespace instead of ftpmon's own: /run/netns/NAME, /proc/PID/ns/net
    #[arg(long, value_name = "PATH")]
    pub netns: Option<PathBuf>,
    /// Kernel hook for incoming packets
    #[arg(long, value_enum, default_value_t = HookChoice::Auto)]
    pub hook: HookChoice,
    /// Destination of events: - for standard output, a file path, tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT, unix:PATH,
    /// unixgram:PATH, https://HOST, nats://HOST/SUBJECT or kafka://HOST/TOPIC, syslog+ before a socket for syslog messages, elastic+, loki+, splunk+ or otlp+ before https://, and
    /// settings after commas
    /// (format=eve,events=login+transfer,queue=16M). May be given several times
    #[arg(long = "output", value_name = "SINK[,SETTING=VALUE]…", default_value = "-")]
    pub outputs: Vec<OutputSpec>,
    /// Put the interfaces into promiscuous mode; needed on a mirror port
    #[arg(long)]
    pub promisc: bool,
    /// Watch interfaces that another ftpmon watches; both report everything
    #[arg(long)]
    pub share: bool,
    /// Time between two stats events: seconds, or 30s, 5m, 1h
    #[arg(long, value_name = "SECONDS", default_value_t = STATS_INTERVAL_DEFAULT, value_parser = seconds(1..=86_400))]
    pub stats_interval: u32,
    /// Size of the ring buffer between kernel and agent; rounded up to a power of two
    #[arg(long, value_name = "BYTES", default_value_t = RING_BYTES_DEFAULT,
        value_parser = bytes(RING_BYTES_MIN..=RING_BYTES_MAX))]
    pub ring_size: u64,
    /// Size of the second ring buffer, for the packets of data connections with --files hash or extract
    #[arg(long, value_name = "BYTES", default_value_t = FILES_RING_BYTES_DEFAULT,
        value_parser = bytes(RING_BYTES_MIN..=RING_BYTES_MAX))]
    pub files_ring_size: u64,
    /// Scheduling priority of the capture thread, from -20 (highest) to 19
    /// [default: -20 with --files hash or extract, otherwise unchanged]
    #[arg(long, value_name = "NICE", allow_negative_numbers = true, value_parser = clap::value_parser!(i8).range(-20..=19))]
    pub nice: Option<i8>,
    /// Maximum number of threads that follow sessions. One is used, so any number is enough
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub threads: Option<u8>,
    /// Print the kernel programs' log messages of this level and above on standard error [default: off]
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub kernel_log: Option<LogLevel>,
    /// Write the matched packets to this file, as pcapng with the events as packet comments. Passwords are overwritten
    /// unless --secrets show is given
    #[arg(long, value_name = "FILE", value_parser = capture_file)]
    pub write_pcap: Option<PathBuf>,
    /// Maximum size of the --write-pcap file [default: no limit]
    #[arg(long, value_name = "BYTES", value_parser = bytes(1024..=u64::MAX))]
    pub write_pcap_max_bytes: Option<u64>,
    /// Pin maps and programs in this folder of a BPF file system: they stay when ftpmon ends, and the next one takes over.
    /// ftpmon detach removes them
    #[arg(long, value_name = "DIR")]
    pub pin: Option<PathBuf>,
    /// With --pin, the file that hands open sessions over to the next ftpmon
    #[arg(long, value_name = "FILE", default_value = "/run/ftpmon/state")]
    pub pin_state: PathBuf,
    /// Directory of a log of all events, from which outputs read: what a reader missed, and what was not delivered when ftpmon
    /// ended, is delivered later
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
    /// Maximum size of the spool
    #[arg(long, value_name = "BYTES", default_value_t = SPOOL_BYTES_DEFAULT, value_parser = bytes(SPOOL_BYTES_MIN..=u64::MAX))]
    pub spool_max_bytes: u64,
    /// The events that are dropped when the spool is full
    #[arg(long, value_enum, default_value_t = SpoolFull::DropOldest)]
    pub spool_full: SpoolFull,
    /// Program to start for each alert, with the alert in its environment (FTPMON_ALERT, FTPMON_CLIENT, FTPMON_EVENT …); as the user that
    /// ftpmon becomes, at most 60 times a minute
    #[arg(long, value_name = "PROGRAM")]
    pub on_alert: Option<PathBuf>,
    /// Program to start for each file that --files extract stored, with its path in its environment (FTPMON_FILE, FTPMON_SHA256,
    /// FTPMON_EVENT …), to scan it; as the user that ftpmon becomes, four at a time
    #[arg(long, value_name = "PROGRAM")]
    pub on_file: Option<PathBuf>,
    /// Report which local process owns an end of a connection
    #[arg(long, value_enum, default_value_t = OwnersChoice::On)]
    pub owners: OwnersChoice,
    /// Unprivileged user to become once everything is open [default for root: ftpmon, or nobody if there is no such user]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Keep all rights: to find out whether the sandbox is in the way
    #[arg(long)]
    pub no_sandbox: bool,
    /// Address that serves /metrics, /healthz, /readyz, /status and, on a Unix socket, /events: unix:PATH, IP:PORT, off, or auto for a socket in /run/ftpmon
    #[arg(long, value_name = "ADDRESS", default_value_t = StatusAddress::Auto)]
    pub status: StatusAddress,
    /// The control ports, shared with `read`.
    #[command(flatten)]
    pub ports: PortOptions,
    /// Events and files, shared with `read`.
    #[command(flatten)]
    pub events: EventOptions,
}

/// `ftpmon doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorOptions {
    /// Write the findings as JSON
    #[arg(long)]
    pub json: bool,
    /// The run that is planned.
    #[command(flatten)]
    pub run: RunOptions,
}

/// `ftpmon read`.
#[derive(Clone, Debug, Args)]
pub struct ReadOptions {
    /// Capture files, oldest first; - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub captures: Vec<PathBuf>,
    /// Threads that read packets and follow sessions at most [default: one a processor]
    ///
    /// The events and their order do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub threads: Option<u8>,
    /// The control ports, shared with `run`.
    #[command(flatten)]
    pub ports: PortOptions,
    /// Events and files, shared with `run`.
    #[command(flatten)]
    pub events: EventOptions,
}

/// Events and files.
#[derive(Clone, Debug, Args)]
pub struct EventOptions {
    /// Diagnostics.
    #[command(flatten)]
    pub log: LogOptions,
    /// Networks.
    #[command(flatten)]
    pub networks: NetworkOptions,
    /// Format of the events
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
    /// Explain the sessions as they go on: the same as --format explain
    #[arg(long)]
    pub explain: bool,
    /// Longest line of output; longer texts are cut, and their length is given beside them
    #[arg(long, value_name = "BYTES", default_value_t = LINE_BYTES_DEFAULT,
        value_parser = bytes32(LINE_BYTES_MIN..=LINE_BYTES_MAX))]
    pub max_line: u32,
    /// Memory of all connections and sessions together; beyond it the longest idle are given up [default: 256M]
    #[arg(long, value_name = "BYTES", value_parser = bytes(MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX))]
    pub memory: Option<u64>,
    /// Which IP and TCP checksums count: a segment with a wrong one is not believed
    #[arg(long, value_enum, default_value_t = ChecksumsPolicy::Auto)]
    pub checksums: ChecksumsPolicy,
    /// Form of passwords and account information in events
    #[arg(long, value_enum, default_value_t = SecretsPolicy::Mask)]
    pub secrets: SecretsPolicy,
    /// File with the key for --secrets hash, 16 bytes or more. With the same key, hashes of several runs can be compared
    /// [default: a random key]
    #[arg(long, value_name = "FILE")]
    pub secrets_key: Option<PathBuf>,
    /// Treatment of transferred files
    #[arg(long, value_enum, default_value_t = FilesPolicy::Off)]
    pub files: FilesPolicy,
    /// Hashes to compute for each file
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_enum, default_value = "sha256")]
    pub hashes: Vec<HashAlgorithm>,
    /// Networks of hosts other than client and server whose data connections may be hashed, stored and written to capture files, for
    /// instance 192.0.2.0/24. May be given several times [default: only servers of a transfer between two servers]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub data_hosts: Vec<Network>,
    /// Storage of files.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Detectors, shared with `detect`.
    #[command(flatten)]
    pub detectors: DetectorArgs,
    /// Write only these event types [default: all]
    #[arg(long = "events", value_name = "LIST", value_delimiter = ',', value_parser = EventKind::NAMES)]
    pub kinds: Vec<String>,
    /// Sensor name in every event [default: the host name]
    #[arg(long, value_name = "NAME", value_parser = sensor_name)]
    pub sensor: Option<String>,
}

/// Storage of files.
#[derive(Clone, Debug, Args)]
pub struct StoreArgs {
    /// Directory for --files extract; created if it does not exist. Each file is named by its SHA-256
    #[arg(long, value_name = "DIR")]
    pub files_dir: Option<PathBuf>,
    /// Maximum number of bytes to store of one file; a longer file is cut
    #[arg(long, value_name = "BYTES", default_value_t = FILE_BYTES_DEFAULT, value_parser = bytes(1..=u64::MAX))]
    pub files_max_bytes: u64,
    /// Maximum size of all files in --files-dir, including those of earlier runs; a file that does not fit is not stored
    #[arg(long, value_name = "BYTES", default_value_t = FILES_QUOTA_DEFAULT, value_parser = bytes(0..=u64::MAX))]
    pub files_quota: u64,
}

fn capture_file(value: &str) -> Result<PathBuf, String> {
    match value {
        "" | "-" => Err("it takes the path of a file".to_owned()),
        path => Ok(path.into()),
    }
}

fn sensor_name(value: &str) -> Result<String, String> {
    match value.len() {
        0 => Err("a sensor's name may not be empty".to_owned()),
        1..=SENSOR_NAME_MAX => Ok(value.to_owned()),
        _ => Err(format!("a sensor's name has {SENSOR_NAME_MAX} bytes at most")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::config::Contradiction;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["ftpmon"], args].concat())
    }

    fn run(args: &[&str]) -> RunOptions {
        let Command::Run(options) = parse(&[&["run"], args].concat()).unwrap().command else { panic!() };
        *options
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_options_it_watches_ftps_ports_and_writes_to_standard_output() {
        let options = run(&[]);
        assert!(options.interfaces.is_empty());
        assert_eq!(options.ports.ports, [21]);
        assert_eq!(options.ports.tls_ports, [990]);
        assert_eq!(options.outputs, ["-".parse().unwrap()]);
        assert_eq!(options.events.format, Format::Json);
        assert_eq!(options.events.secrets, SecretsPolicy::Mask);
        assert_eq!(options.stats_interval, 60);
    }

    #[test]
    fn a_priority_may_be_negative() {
        assert_eq!(run(&["--nice", "-5"]).nice, Some(-5));
    }

    #[test]
    fn read_takes_files_and_at_least_one() {
        let Command::Read(options) = parse(&["read", "a.pcap", "-", "--files", "hash"]).unwrap().command
        else {
            panic!()
        };
        assert_eq!(options.captures, [PathBuf::from("a.pcap"), PathBuf::from("-")]);
        assert_eq!(options.events.files, FilesPolicy::Hash);
        assert_eq!(parse(&["read"]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn files_are_kept_where_the_operator_says() {
        let error =
            parse(&["read", "a.pcap", "--files", "extract"]).unwrap().command.config().unwrap().check();
        assert_eq!(error, Err(Contradiction::NoDirectory));
        let options = run(&["--files", "extract", "--files-dir", "/kept", "--files-quota", "5"]);
        assert_eq!(options.events.store.files_dir, Some(PathBuf::from("/kept")));
        assert_eq!(options.events.store.files_quota, 5);
        assert_eq!(options.events.store.files_max_bytes, FILE_BYTES_DEFAULT);
    }

    #[test]
    fn lists_are_split_at_commas_and_options_repeat() {
        let options = run(&[
            "--ports",
            "21,2121",
            "--events",
            "login,transfer",
            "--output",
            "-",
            "--output",
            "unix:/run/x",
        ]);
        assert_eq!(options.ports.ports, [21, 2121]);
        assert_eq!(options.events.kinds, ["login", "transfer"]);
        assert_eq!(options.outputs, ["-".parse().unwrap(), "unix:/run/x".parse().unwrap()]);
    }

    #[test]
    fn bad_values_are_usage_errors() {
        for args in [
            ["--ports", "0"],
            ["--ports", "65536"],
            ["--hook", "offload"],
            ["--format", "xml"],
            ["--secrets", "plain"],
            ["--hashes", "crc32"],
            ["--events", "logins"],
            ["--stats-interval", "0"],
            ["--nice", "20"],
            ["--ring-size", "1"],
            ["--output", "gopher://127.0.0.1:1"],
            ["--output", "tcp://nowhere"],
            ["--iface", ""],
            ["--iface", "a[b"],
            ["--sensor", ""],
            ["--write-pcap", "-"],
        ] {
            let error = parse(&[&["run"], &args[..]].concat()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{args:?}");
        }
        assert_eq!(parse(&["run", "--frobnicate"]).unwrap_err().exit_code(), 2);
        assert_eq!(parse(&[]).unwrap_err().exit_code(), 2);
    }
}
