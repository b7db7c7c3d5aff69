//! An FTP download through a veth pair: unmonitored, under ftpmon by hook, and under an empty program at each hook.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Attached, Direct, Family, Hook, Program};
use ftpmon_tests::usage;

use super::rounds::{alternate, ratio};
use super::setup::Setup;
use super::table::{Cell, Goal, Spread, Table, towards};

/// The program on the receiver's device.
#[derive(Clone, Copy, Debug)]
enum Runs {
    Nothing,
    Ftpmon(&'static str),
    Empty(&'static str, Hook),
}

/// A case.
#[derive(Debug)]
struct Case {
    runs: Runs,
    /// The number of the case that it is compared with.
    against: usize,
    /// The ratio to that one that is to be reached.
    goal: Option<f64>,
}

const fn case(runs: Runs, against: usize, goal: Option<f64>) -> Case {
    Case { runs, against, goal }
}

const CASES: [Case; 8] = [
    case(Runs::Nothing, 0, None),
    case(Runs::Ftpmon("auto"), 0, Some(0.9)),
    case(Runs::Empty("tcx", Hook::TcxIngress), 0, None),
    case(Runs::Ftpmon("tcx"), 2, Some(0.97)),
    case(Runs::Empty("generic", Hook::XdpGeneric), 0, None),
    case(Runs::Ftpmon("generic"), 4, Some(0.97)),
    case(Runs::Empty("native", Hook::XdpNative), 0, None),
    case(Runs::Ftpmon("native"), 6, Some(0.97)),
];

/// A download.
#[derive(Clone, Copy, Debug)]
struct Download {
    seconds: f64,
    /// The agent's share of a CPU meanwhile.
    share: Option<f64>,
}

/// Measures.
pub(crate) fn run(setup: &Setup) -> Result<Vec<Table>> {
    let net = Direct::new(1500)?;
    let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    let bytes = setup.download;
    let behaviour = Behaviour::default().with_file("/bulk", Content::Pattern(bytes));
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let rounds = setup.rounds(5);
    let results = alternate(&CASES, rounds, true, |case| once(case.runs, setup, &net, at, bytes))?;
    drop(server);
    let title = format!(
        "FTP download of {} MiB through veth, the receiver watched, median of {rounds} rounds",
        bytes >> 20
    );
    let mut table = Table::new(title, &[("MB/s", 0), ("ratio", 3), ("to", 0), ("agent, % of a CPU", 2)]);
    let rates = |downloads: &[Download]| -> Vec<f64> {
        downloads.iter().map(|download| bytes as f64 / 1e6 / download.seconds).collect()
    };
    for (case, downloads) in CASES.iter().zip(&results) {
        let against = CASES.get(case.against).zip(results.get(case.against));
        let (name, base) =
            against.map_or_else(Default::default, |(other, downloads)| (other.runs.name(), rates(downloads)));
        let share = Spread::of(downloads.iter().filter_map(|download| download.share));
        let own = rates(downloads);
        table.row(
            case.runs.name(),
            [
                Cell::Spread(Spread::of(own.iter().copied())),
                towards(ratio(own, base), case.goal.map(Goal::AtLeast)),
                Cell::Text(name),
                if share.median.is_nan() {
                    Cell::Empty
                } else {
                    Cell::Goal(share.median * 100.0, Goal::AtMost(1.0))
                },
            ],
        );
    }
    Ok(vec![table])
}

impl Runs {
    fn name(self) -> String {
        match self {
            Self::Nothing => "unmonitored".to_owned(),
            Self::Ftpmon(hook) => format!("ftpmon --hook {hook}"),
            Self::Empty(hook, _) => format!("empty program, {hook}"),
        }
    }
}

/// One download.
fn once(runs: Runs, setup: &Setup, net: &Direct, at: SocketAddr, bytes: u64) -> Result<Download> {
    let mut running = None;
    let mut attached: Vec<Attached> = Vec::new();
    match runs {
        Runs::Nothing => {}
        Runs::Ftpmon(hook) => {
            let arguments = ["--iface", Direct::DEVICE, "--hook", hook];
            running = Some(Agent::start_binary(setup.agent(), &net.client, &arguments)?);
        }
        Runs::Empty(_, hook) => {
            let ingress = if hook == Hook::TcxIngress { Program::empty_tc()? } else { Program::empty_xdp()? };
            attached.push(ingress.attach(&net.client, Direct::DEVICE, hook)?);
            attached.push(Program::empty_tc()?.attach(&net.client, Direct::DEVICE, Hook::TcxEgress)?);
        }
    }
    let agent = running.as_mut().map(|agent| agent.process().id());
    let (seconds, spent) = net.client.run(|| {
        let mut client = Client::connect(at, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        let spent = || agent.map(usage::cpu).transpose();
        let before = spent()?;
        let begin = Instant::now();
        let got = client.retrieve(DataMode::Pasv, "/bulk", None)?;
        let took = begin.elapsed().as_secs_f64();
        let spent = spent()?.zip(before).map(|(after, before)| after.saturating_sub(before).as_secs_f64());
        ensure!(got.bytes == bytes, "{runs:?}: {got:?}");
        client.quit()?;
        Ok((took, spent))
    })?;
    if let Some(agent) = running {
        let events = agent.stop()?;
        let counted = events.of("transfer").first().and_then(|event| event.data_bytes());
        ensure!(counted == Some(bytes), "{runs:?} counted {counted:?} bytes");
    }
    drop(attached);
    Ok(Download { seconds, share: spent.map(|spent| spent / seconds) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ftpmon_is_compared_with_the_empty_program_at_its_hook() {
        for case in CASES {
            if let (Runs::Ftpmon(hook), Runs::Empty(other, _)) = (case.runs, CASES[case.against].runs) {
                assert_eq!(hook, other);
            }
        }
    }
}
