//! The command line: what an operator may say. Only what works is offered.
//!
//! Usage errors end with exit code 2 and clap's own text; everything that fails later ends with 1.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::format::Format;
use crate::kernel::{HookChoice, InterfacePattern, KernelLogLevel};
use crate::sink::SinkSpec;
use ftpmon_core::engine::{FilesMode, Hashes};
use ftpmon_event::EventKind;

/// Smallest ring that `--ring-size` accepts: one page.
pub const RING_BYTES_MIN: u64 = 4 << 10;
/// Largest ring that `--ring-size` accepts: kernel memory is pinned and not swapped, a typo must not take all of it.
pub const RING_BYTES_MAX: u64 = 1 << 30;
/// Ring size without `--ring-size`.
pub const RING_BYTES_DEFAULT: u64 = 16 << 20;
/// Size of the files' ring without `--files-ring-size`.
pub const FILES_RING_BYTES_DEFAULT: u64 = 32 << 20;
/// Control ports, of each kind, that may be given: each is an entry of a kernel map of 65,536.
pub const PORTS_MAX: usize = 1024;

/// Watches FTP from inside the kernel and streams what it sees as events.
#[derive(Debug, Parser)]
#[command(name = "ftpmon", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch live traffic (needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)
    Run(RunOptions),
    /// Read capture files (pcap or pcapng, also gzipped); needs no rights
    Read(ReadOptions),
    /// Write the JSON Schema of the events to standard output
    #[command(hide = true)]
    Schema,
}

/// `ftpmon run`.
#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    /// Interface to watch, by name or glob pattern; repeat for more [default: that of the default route]
    #[arg(long = "iface", value_name = "NAME|GLOB")]
    pub interfaces: Vec<InterfacePattern>,
    /// Where in the kernel to attach on ingress
    #[arg(long, value_enum, default_value_t = HookChoice::Auto)]
    pub hook: HookChoice,
    /// Where to write: `-` (standard output), a file's path, tcp://HOST:PORT or unix:PATH; repeat for more
    #[arg(long = "output", value_name = "SINK", default_value = "-")]
    pub outputs: Vec<SinkSpec>,
    /// Set the interfaces promiscuous, for a mirror port
    #[arg(long)]
    pub promisc: bool,
    /// Seconds between two `stats` events
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub stats_interval: u32,
    /// Bytes of the ring between kernel and agent, rounded up to a power of two
    #[arg(long, value_name = "BYTES", default_value_t = RING_BYTES_DEFAULT,
        value_parser = clap::value_parser!(u64).range(RING_BYTES_MIN..=RING_BYTES_MAX))]
    pub ring_size: u64,
    /// With --files, bytes of the ring for the files' packets, which is another one; likewise rounded up
    #[arg(long, value_name = "BYTES", default_value_t = FILES_RING_BYTES_DEFAULT,
        value_parser = clap::value_parser!(u64).range(RING_BYTES_MIN..=RING_BYTES_MAX))]
    pub files_ring_size: u64,
    /// Scheduling priority of the reading of packets, -20 (before all others) to 19 [default: -20 with --files, otherwise unchanged]
    #[arg(long, value_name = "NICE", allow_negative_numbers = true, value_parser = clap::value_parser!(i8).range(-20..=19))]
    pub nice: Option<i8>,
    /// Show the kernel programs' own log, of this level and worse, on standard error [default: off]
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub kernel_log: Option<KernelLogLevel>,
    /// Write the frames that the kernel matched to this file, as pcapng with the events as comments. It holds what was on
    /// the wire; passwords are overwritten unless `--secrets show`
    #[arg(long, value_name = "FILE", value_parser = capture_file)]
    pub write_pcap: Option<PathBuf>,
    /// Largest size of that file [default: none]
    #[arg(long, value_name = "BYTES", requires = "write_pcap", value_parser = clap::value_parser!(u64).range(1024..))]
    pub write_pcap_max_bytes: Option<u64>,
    /// Say which process of this host holds an end of a connection
    #[arg(long, value_enum, default_value_t = OwnersChoice::On)]
    pub owners: OwnersChoice,
    /// Which ports, shared with `read`.
    #[command(flatten)]
    pub ports: PortOptions,
    /// What to say and how, shared with `read`.
    #[command(flatten)]
    pub events: EventOptions,
}

/// `ftpmon read`.
#[derive(Clone, Debug, Args)]
pub struct ReadOptions {
    /// Capture files in the order of their packets; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub captures: Vec<PathBuf>,
    /// Which ports, shared with `run`.
    #[command(flatten)]
    pub ports: PortOptions,
    /// What to say and how, shared with `run`.
    #[command(flatten)]
    pub events: EventOptions,
}

/// The control ports.
#[derive(Clone, Debug, Args)]
pub struct PortOptions {
    /// Ports of control connections in clear text
    #[arg(long, value_name = "PORT,…", value_delimiter = ',', default_value = "21", value_parser = clap::value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,
    /// Ports of control connections that speak TLS from the first byte
    #[arg(long, value_name = "PORT,…", value_delimiter = ',', default_value = "990", value_parser = clap::value_parser!(u16).range(1..))]
    pub tls_ports: Vec<u16>,
}

/// What to say and how.
#[derive(Clone, Debug, Args)]
pub struct EventOptions {
    /// Shape of the events
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
    /// What to do with passwords and account secrets
    #[arg(long, value_enum, default_value_t = SecretsChoice::Mask)]
    pub secrets: SecretsChoice,
    /// Key of `--secrets hash`: any file of 16 bytes or more, so that hashes of several runs compare [default: random]
    #[arg(long, value_name = "FILE")]
    pub secrets_key: Option<PathBuf>,
    /// What to do with the files that are transferred
    #[arg(long, value_enum, default_value_t = FilesChoice::Off)]
    pub files: FilesChoice,
    /// The hashes of a file: `sha256`, `sha1`, `md5`
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_enum, default_value = "sha256")]
    pub hashes: Vec<HashChoice>,
    /// Where --files extract puts the files
    #[command(flatten)]
    pub store: StoreArgs,
    /// Write these event types and no others [default: all]
    #[arg(long = "events", value_name = "LIST", value_delimiter = ',', value_parser = EventKind::NAMES)]
    pub kinds: Vec<String>,
    /// This sensor's name in every event [default: the host's name]
    #[arg(long, value_name = "NAME", value_parser = sensor_name)]
    pub sensor: Option<String>,
}

/// `--owners`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OwnersChoice {
    /// In `session_start` and `transfer`, where an end is on this host
    On,
    /// Look nothing up
    Off,
}

/// `--files`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FilesChoice {
    /// Count their bytes
    Off,
    /// Say the hashes (see --hashes) and the MIME type of each
    Hash,
    /// The same, and keep the files themselves in --files-dir
    Extract,
}

/// Bytes of a file that are kept without `--files-max-bytes`.
pub const FILE_BYTES_DEFAULT: u64 = 1 << 30;
/// Bytes of all kept files without `--files-quota`.
pub const FILES_QUOTA_DEFAULT: u64 = 10 << 30;

/// Where `--files extract` puts the files.
#[derive(Clone, Debug, Args)]
pub struct StoreArgs {
    /// Directory for the files of `--files extract`; made where it is missing. A file's name is its SHA-256
    #[arg(long, value_name = "DIR", required_if_eq("files", "extract"))]
    pub files_dir: Option<PathBuf>,
    /// Bytes of a file that are kept: of a longer one the beginning
    #[arg(long, value_name = "BYTES", default_value_t = FILE_BYTES_DEFAULT, value_parser = clap::value_parser!(u64).range(1..))]
    pub files_max_bytes: u64,
    /// Bytes of all files in the directory, those of earlier runs included; what does not fit is not kept
    #[arg(long, value_name = "BYTES", default_value_t = FILES_QUOTA_DEFAULT)]
    pub files_quota: u64,
}

/// `--hashes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HashChoice {
    /// SHA-256
    Sha256,
    /// SHA-1, for lists that know no better one
    Sha1,
    /// MD5, likewise
    Md5,
}

impl From<FilesChoice> for FilesMode {
    fn from(choice: FilesChoice) -> Self {
        match choice {
            FilesChoice::Off => Self::Off,
            FilesChoice::Hash => Self::Hash,
            FilesChoice::Extract => Self::Extract,
        }
    }
}

impl FromIterator<HashChoice> for Hashes {
    fn from_iter<I: IntoIterator<Item = HashChoice>>(choices: I) -> Self {
        let mut hashes = Self { sha256: false, sha1: false, md5: false };
        for choice in choices {
            match choice {
                HashChoice::Sha256 => hashes.sha256 = true,
                HashChoice::Sha1 => hashes.sha1 = true,
                HashChoice::Md5 => hashes.md5 = true,
            }
        }
        hashes
    }
}

/// `--secrets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SecretsChoice {
    /// Write `***`
    Mask,
    /// Write a keyed hash, so that equal secrets can be told
    Hash,
    /// Write them as they are
    Show,
}

/// Longest sensor name, bytes: it stands in every event.
pub const SENSOR_NAME_MAX: usize = 255;

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

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["ftpmon"], args].concat())
    }

    fn run(args: &[&str]) -> RunOptions {
        let Command::Run(options) = parse(&[&["run"], args].concat()).unwrap().command else { panic!() };
        options
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
        assert_eq!(options.outputs, [SinkSpec::Stdout]);
        assert_eq!(options.events.format, Format::Json);
        assert_eq!(options.events.secrets, SecretsChoice::Mask);
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
        assert_eq!(options.events.files, FilesChoice::Hash);
        assert_eq!(parse(&["read"]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn files_are_kept_where_the_operator_says() {
        let error = parse(&["read", "a.pcap", "--files", "extract"]).unwrap_err();
        assert_eq!(error.exit_code(), 2, "a directory is wanted");
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
        assert_eq!(options.outputs, [SinkSpec::Stdout, SinkSpec::Unix("/run/x".into())]);
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
            ["--output", "udp://127.0.0.1:1"],
            ["--output", "tcp://nowhere"],
            ["--iface", ""],
            ["--iface", "a[b"],
            ["--sensor", ""],
            ["--write-pcap", "-"],
            ["--write-pcap-max-bytes", "4096"],
        ] {
            let error = parse(&[&["run"], &args[..]].concat()).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{args:?}");
        }
        assert_eq!(parse(&["run", "--frobnicate"]).unwrap_err().exit_code(), 2);
        assert_eq!(parse(&[]).unwrap_err().exit_code(), 2);
    }
}
