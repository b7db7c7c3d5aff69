//! `cargo xtask bench`: what watching costs, measured side by side.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Attached, Direct, Family, Hook, Program};

use crate::workspace::{as_root, build_agent, is_root};

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, clap::Subcommand)]
enum Bench {
    /// An FTP download through a veth pair: unmonitored, under ftpmon by hook, and under an empty program at each hook.
    LiveBulk(LiveBulk),
}

/// Options of `cargo xtask bench live-bulk`.
#[derive(Debug, clap::Args)]
struct LiveBulk {
    /// Rounds; in each every case has its turn, and each case's median over the rounds counts.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Size of the download, MiB.
    #[arg(long, default_value_t = 1024)]
    mebibytes: u64,
    /// The agent, where it is built already.
    #[arg(long, hide = true)]
    agent: Option<PathBuf>,
}

/// A case: what is attached to the receiver's device.
#[derive(Clone, Copy, Debug)]
enum Case {
    Unmonitored,
    Ftpmon(&'static str),
    Empty(&'static str, Hook),
}

/// All cases, and with which other each is compared.
const CASES: [(Case, usize); 8] = [
    (Case::Unmonitored, 0),
    (Case::Ftpmon("auto"), 0),
    (Case::Empty("tcx", Hook::TcxIngress), 0),
    (Case::Ftpmon("tcx"), 2),
    (Case::Empty("generic", Hook::XdpGeneric), 0),
    (Case::Ftpmon("generic"), 4),
    (Case::Empty("native", Hook::XdpNative), 0),
    (Case::Ftpmon("native"), 6),
];

/// Measures, and prints a table. Nothing is asserted: the machine's noise is in the figures.
pub(crate) fn run(args: &Args) -> Result<()> {
    let Bench::LiveBulk(options) = &args.bench;
    let agent = match &options.agent {
        Some(agent) => agent.clone(),
        None => build_agent()?,
    };
    if !is_root() {
        let own = std::env::current_exe().context("own path")?;
        let mut command = as_root(&own)?;
        command.args(["bench", "live-bulk", "--rounds", &options.rounds.to_string()]);
        command.args(["--mebibytes", &options.mebibytes.to_string(), "--agent"]).arg(&agent);
        ensure!(command.status()?.success(), "the bench failed");
        return Ok(());
    }
    live_bulk(&agent, options)
}

fn live_bulk(agent: &Path, options: &LiveBulk) -> Result<()> {
    let net = Direct::new(1500)?;
    let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    let bytes = options.mebibytes << 20;
    let behaviour = Behaviour::default().with_file("/bulk", Content::Pattern(bytes));
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); CASES.len()];
    // The first round warms caches and is thrown away.
    for round in 0..=options.rounds {
        for ((case, _), times) in CASES.iter().zip(&mut seconds) {
            let took = once(*case, agent, &net, at, bytes)?;
            if round > 0 {
                times.push(took);
            }
        }
    }
    drop(server);
    report(&mut seconds, bytes, options.rounds);
    Ok(())
}

/// One download under a case, in seconds.
fn once(case: Case, agent: &Path, net: &Direct, at: SocketAddr, bytes: u64) -> Result<f64> {
    let mut running = None;
    let mut attached: Vec<Attached> = Vec::new();
    match case {
        Case::Unmonitored => {}
        Case::Ftpmon(hook) => {
            let arguments = ["--iface", Direct::DEVICE, "--hook", hook];
            running = Some(Agent::start_binary(agent, &net.client, &arguments)?);
        }
        Case::Empty(_, hook) => {
            let ingress = if hook == Hook::TcxIngress { Program::empty_tc()? } else { Program::empty_xdp()? };
            attached.push(ingress.attach(&net.client, Direct::DEVICE, hook)?);
            attached.push(Program::empty_tc()?.attach(&net.client, Direct::DEVICE, Hook::TcxEgress)?);
        }
    }
    let took = net.client.run(|| {
        let mut client = Client::connect(at, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        let begin = Instant::now();
        let got = client.retrieve(DataMode::Pasv, "/bulk", None)?;
        let took = begin.elapsed().as_secs_f64();
        ensure!(got.bytes == bytes, "{case:?}: {got:?}");
        client.quit()?;
        Ok(took)
    })?;
    if let Some(agent) = running {
        let events = agent.stop()?;
        let counted = events.of("transfer").first().and_then(|event| event.data_bytes());
        ensure!(counted == Some(bytes), "{case:?} counted {counted:?} bytes");
    }
    drop(attached);
    Ok(took)
}

fn report(seconds: &mut [Vec<f64>], bytes: u64, rounds: usize) {
    println!("FTP download of {} MiB through veth, receiver watched, median of {rounds} rounds", bytes >> 20);
    println!("{:<22} {:>10} {:>10} {:>10}  {:>7}", "case", "MB/s", "lowest", "highest", "ratio");
    let rates: Vec<(f64, f64, f64)> = seconds.iter_mut().map(|times| spread(times, bytes)).collect();
    for ((case, reference), (median, low, high)) in CASES.iter().zip(&rates) {
        let name = match case {
            Case::Unmonitored => "unmonitored".to_owned(),
            Case::Ftpmon(hook) => format!("ftpmon --hook {hook}"),
            Case::Empty(hook, _) => format!("empty program, {hook}"),
        };
        let base = rates.get(*reference).map_or(f64::NAN, |(median, ..)| *median);
        let to = match CASES.get(*reference) {
            Some((Case::Empty(..), _)) => "of the empty program",
            _ => "of unmonitored",
        };
        println!("{name:<22} {median:>10.0} {low:>10.0} {high:>10.0}  {:>7.3} {to}", median / base);
    }
}

/// Median, lowest and highest rate in MB/s.
fn spread(times: &mut [f64], bytes: u64) -> (f64, f64, f64) {
    times.sort_by(f64::total_cmp);
    let rate = |time: Option<&f64>| time.map_or(f64::NAN, |time| bytes as f64 / 1e6 / time);
    (rate(times.get(times.len() / 2)), rate(times.last()), rate(times.first()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_spread() {
        let (median, low, high) = spread(&mut [2.0, 1.0, 4.0], 8_000_000);
        assert_eq!((median, low, high), (4.0, 2.0, 8.0));
    }

    #[test]
    fn ftpmon_is_compared_with_the_empty_program_at_its_hook() {
        for (case, reference) in CASES {
            if let (Case::Ftpmon(hook), (Case::Empty(other, _), _)) = (case, CASES[reference]) {
                assert_eq!(hook, other);
            }
        }
    }
}
