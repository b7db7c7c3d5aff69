//! `cargo xtask bench`: what watching costs, measured side by side.
//!
//! Each benchmark makes its own work, lets all cases take turns, and gives tables of medians. Nothing that a clock measured is
//! asserted: the machine's noise is in the figures.

mod adversarial;
mod bulk;
mod callgrind;
mod facts;
mod fit;
mod growth;
mod kernel;
mod latency;
mod live;
mod peers;
mod read;
mod regression;
mod report;
mod rounds;
mod sessions;
mod setup;
mod spool;
mod table;
mod watcher;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::document;
use crate::workspace::{as_root, build_agent, cargo, is_root};
use facts::Facts;
use peers::Peers;
use setup::{Setup, bench_folder};
use table::Table;

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which benchmarks [default: all but regression].
    #[arg(value_enum)]
    benches: Vec<Bench>,
    /// With regression: writes the baseline anew instead.
    #[arg(long)]
    bless: bool,
    /// Rounds; in each every case has its turn, and each case's median over the rounds counts [default: a benchmark's own].
    #[arg(long)]
    rounds: Option<usize>,
    /// Sessions of the large capture.
    #[arg(long, default_value_t = 50_000)]
    sessions: u64,
    /// Size of the download, MiB.
    #[arg(long, default_value_t = 1024)]
    mebibytes: u64,
    /// Other programs to compare with.
    #[arg(long, value_enum, default_value_t = Peers::Use)]
    peers: Peers,
    /// File for the results as JSON [default: target/bench/results.json].
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the tables into docs/performance.md.
    #[arg(long)]
    write_docs: bool,
    /// The agent, where it is built already.
    #[arg(long, hide = true)]
    agent: Option<PathBuf>,
}

/// The benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// Kernel programs: nanoseconds a packet, beside an empty program and C programs of the same job.
    Kernel,
    /// `ftpmon read` of a capture, beside other readers.
    Read,
    /// The same packets replayed on a veth pair at the highest rate, watched at the other end.
    Live,
    /// An FTP download through a veth pair, beside an unwatched one and an empty program at each hook.
    Bulk,
    /// From a packet to the line about it, at steady rates.
    Latency,
    /// Idle sessions: memory of each, and a message's cost among up to a million.
    Sessions,
    /// Instructions and memory by the size of the input, and how fast they grow.
    Growth,
    /// An agent's processor time at a steady rate, with and without a spool.
    Spool,
    /// `ftpmon report` of ten million events, and of names that shall fill its memory.
    Report,
    /// Instruction counts against the committed baseline: what CI asserts.
    Regression,
}

impl Bench {
    /// Those that measure.
    const ALL: [Self; 9] = [
        Self::Kernel,
        Self::Read,
        Self::Live,
        Self::Bulk,
        Self::Latency,
        Self::Sessions,
        Self::Growth,
        Self::Spool,
        Self::Report,
    ];

    fn run(self, setup: &Setup, bless: bool) -> Result<Vec<Table>> {
        match self {
            Self::Kernel => kernel::run(setup),
            Self::Read => read::run(setup),
            Self::Live => live::run(setup),
            Self::Bulk => bulk::run(setup),
            Self::Latency => latency::run(setup),
            Self::Sessions => sessions::run(setup),
            Self::Growth => growth::run(setup),
            Self::Spool => spool::run(setup),
            Self::Report => report::run(setup),
            Self::Regression => regression::run(setup, bless).map(|()| Vec::new()),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Builds everything for release as whoever calls, this program as well: it makes and sends what is measured. Then measures,
/// as root.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(
        !args.bless || args.benches == [Bench::Regression],
        "--bless goes with regression: cargo xtask bench regression --bless"
    );
    let Some(agent) = &args.agent else {
        return if args.benches == [Bench::Regression] { counted() } else { again_built() };
    };
    if args.benches == [Bench::Regression] {
        return regression::run(&setup_of(args, agent)?, args.bless);
    }
    peers::prepare(args.peers);
    let setup = setup_of(args, agent)?;
    let facts = Facts::gather();
    println!("{}", facts.text());
    let mut results = Map::new();
    let mut sections = vec![("bench:machine".to_owned(), facts.text())];
    for bench in if args.benches.is_empty() { &Bench::ALL[..] } else { &args.benches } {
        let begin = Instant::now();
        println!("\n── {}", bench.name());
        let tables = bench.run(&setup, args.bless).with_context(|| format!("bench {}", bench.name()))?;
        let texts: Vec<String> = tables.iter().map(Table::markdown).collect();
        let text = texts.join("\n");
        println!("\n{text}\n({} s)", begin.elapsed().as_secs());
        results.insert(bench.name(), Value::Array(tables.iter().map(Table::json).collect()));
        sections.push((format!("bench:{}", bench.name()), text));
    }
    let path = match &args.json {
        Some(path) => path.clone(),
        None => bench_folder()?.join("results.json"),
    };
    let json = json!({ "machine": facts.json(), "benches": results });
    fs::write(&path, format!("{json:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    if args.write_docs {
        document::write("docs/performance.md", &sections)?;
    }
    Ok(())
}

fn setup_of(args: &Args, agent: &Path) -> Result<Setup> {
    Setup::new(agent.to_path_buf(), args.rounds, args.sessions, args.mebibytes << 20)
}

/// Counts need no release build of this program: what it makes is the same.
fn counted() -> Result<()> {
    let agent = build_agent()?;
    let mut command = as_root(&env::current_exe().context("own path")?)?;
    command.args(env::args_os().skip(1)).arg("--agent").arg(agent);
    ensure!(command.status()?.success(), "the counts are not what they were");
    Ok(())
}

/// Builds, and runs this same command by what was built.
fn again_built() -> Result<()> {
    let mut build = cargo()?;
    build.args([
        "build",
        "--release",
        "--package",
        "ftpmon",
        "--package",
        "xtask",
        "--package",
        "ftpmon-tests",
    ]);
    build.args(["--bin", "ftpmon", "--bin", "xtask", "--example", "idle_sessions"]);
    ensure!(build.status()?.success(), "ftpmon does not build");
    let folder = ftpmon_tests::machine::target()?.join("release");
    if !is_root() {
        println!("Namespaces and kernel programs need root: asking sudo.");
    }
    let mut command = as_root(&folder.join("xtask"))?;
    command.args(env::args_os().skip(1)).arg("--agent").arg(folder.join("ftpmon"));
    ensure!(command.status()?.success(), "the bench failed");
    Ok(())
}
