//! The same packets live: replayed on a veth pair as fast as the machine sends, watched at the other end.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::net::{Direct, Replay};

use super::peers::Peer;
use super::rounds::alternate;
use super::setup::Setup;
use super::table::{Cell, Goal, Spread, Table, towards};
use super::watcher::{Keep, Used, Watcher};

/// Segments of the captures are as long over IPv6 as over IPv4.
pub(super) const MTU: u32 = 1_600;

/// The program that watches the traffic, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    Unwatched,
    Ftpmon(&'static str),
    Peer(Peer),
}

const CASES: [Watch; 6] = [
    Watch::Unwatched,
    Watch::Peer(Peer::Tcpdump),
    Watch::Ftpmon("tcx"),
    Watch::Ftpmon("generic"),
    Watch::Ftpmon("native"),
    Watch::Peer(Peer::Suricata),
];

/// A round's result.
#[derive(Clone, Debug)]
struct Round {
    /// Frames a second.
    rate: f64,
    used: Option<Used>,
    /// Frames that it was shown; records or frames that it lost; sessions that it told of.
    seen: Option<u64>,
    lost: Option<u64>,
    sessions: Option<u64>,
}

/// Measures.
pub(crate) fn run(setup: &Setup) -> Result<Vec<Table>> {
    let capture = setup.capture(setup.sessions)?;
    let replay = Replay::load(&capture.path)?;
    let net = Direct::new(MTU)?;
    let rounds = setup.rounds(3);
    let there: Vec<Watch> =
        CASES.into_iter().filter(|who| !matches!(who, Watch::Peer(peer) if peer.missing())).collect();
    let results =
        alternate(&there, rounds, false, |who| once(*who, setup, &net, &replay).with_context(|| who.name()))?;
    let title = format!(
        "{} packets of {} sessions on a veth pair at the highest rate, median of {rounds} rounds",
        replay.len(),
        setup.sessions
    );
    let mut table = Table::new(
        title,
        &[("k packets/s", 0), ("CPU s", 2), ("× tcpdump", 1), ("peak MB", 1), ("lost", 0), ("sessions", 0)],
    );
    let cpu = |rounds: &[Round]| {
        Spread::of(rounds.iter().filter_map(|round| Some(round.used.as_ref()?.cpu.as_secs_f64())))
    };
    let floor = there.iter().position(|who| *who == Watch::Peer(Peer::Tcpdump));
    let base = floor.and_then(|place| results.get(place)).map_or(f64::NAN, |rounds| cpu(rounds).median);
    for who in CASES {
        let Some(rounds) = there.iter().position(|other| *other == who).and_then(|place| results.get(place))
        else {
            table.row(who.name(), [Cell::Text("not installed".to_owned())]);
            continue;
        };
        let is_ours = matches!(who, Watch::Ftpmon(_));
        let mut cells = vec![Cell::Spread(Spread::of(rounds.iter().map(|round| round.rate / 1e3)))];
        if who != Watch::Unwatched {
            let peak = rounds.iter().filter_map(|round| Some(round.used?.peak_bytes as f64 / 1e6));
            let most = |of: fn(&Round) -> Option<u64>| {
                let most = rounds.iter().filter_map(of).max();
                most.map_or(Cell::Text("not told".to_owned()), |most| Cell::Number(most as f64))
            };
            let lost = rounds.iter().filter_map(|round| round.lost).max();
            cells.extend([
                Cell::Spread(cpu(rounds)),
                Cell::Number(cpu(rounds).median / base),
                towards(Spread::of(peak).highest, is_ours.then_some(Goal::AtMost(64.0))),
                match lost {
                    Some(lost) => towards(lost as f64, is_ours.then_some(Goal::AtMost(0.0))),
                    None => Cell::Text("not told".to_owned()),
                },
                if is_ours { most(|round| round.sessions) } else { Cell::Empty },
            ]);
        }
        table.row(who.name(), cells);
        for round in rounds.iter().filter(|_| is_ours) {
            if round.seen.is_some_and(|seen| seen < replay.len() as u64) {
                table.note(format!(
                    "{}: the device handed over {} of {} packets in one round.",
                    who.name(),
                    round.seen.unwrap_or_default(),
                    replay.len()
                ));
            }
        }
    }
    Ok(vec![table])
}

impl Watch {
    fn name(self) -> String {
        match self {
            Self::Unwatched => "nobody".to_owned(),
            Self::Ftpmon(hook) => format!("ftpmon run --hook {hook}"),
            Self::Peer(Peer::Tcpdump) => "tcpdump -w /dev/null port 21".to_owned(),
            Self::Peer(peer) => peer.what().to_owned(),
        }
    }

    /// Starts watching, if there is anybody.
    fn watch(self, setup: &Setup, net: &Direct) -> Result<Option<Watcher>> {
        let (mut command, ready) = match self {
            Self::Unwatched => return Ok(None),
            Self::Ftpmon(hook) => (ftpmon(setup, net, hook), "\"sensor_start\""),
            Self::Peer(peer) => {
                let ready = if peer == Peer::Suricata { "Engine started" } else { "listening on" };
                (peer.watch(&net.client, Direct::DEVICE, setup.folder())?, ready)
            }
        };
        Watcher::start(&mut command, ready, Keep::Tail).map(Some)
    }
}

/// `ftpmon run` on the receiving device.
pub(super) fn ftpmon(setup: &Setup, net: &Direct, hook: &str) -> Command {
    let mut command = net.client.command(&setup.agent().to_string_lossy());
    command.args(["run", "--iface", Direct::DEVICE, "--hook", hook]);
    command
}

fn once(who: Watch, setup: &Setup, net: &Direct, replay: &Replay) -> Result<Round> {
    let watcher = who.watch(setup, net)?;
    let sent = replay.send(&net.server, Direct::DEVICE)?;
    let mut round = Round { rate: sent.rate(), used: None, seen: None, lost: None, sessions: None };
    let Some(watcher) = watcher else { return Ok(round) };
    round.used = Some(watcher.used()?);
    let (stdout, stderr) = watcher.stop()?;
    match who {
        Watch::Ftpmon(_) => {
            let stats = stdout.stats()?;
            let number = |pointer: &str| stats.pointer(pointer).and_then(serde_json::Value::as_u64);
            let lost = stats.pointer("/lost").and_then(serde_json::Value::as_object).context("no losses")?;
            round.lost = Some(lost.values().filter_map(serde_json::Value::as_u64).sum());
            round.seen = number("/seen");
            round.sessions = number("/agent/sessions");
            ensure!(round.seen.is_some(), "it did not say what it saw");
        }
        Watch::Peer(Peer::Tcpdump) => {
            let said = String::from_utf8_lossy(&stderr.bytes).into_owned();
            let line = said.lines().find(|line| line.ends_with("dropped by kernel"));
            round.lost = line.and_then(|line| line.split(' ').next()?.parse().ok());
        }
        _ => {}
    }
    Ok(round)
}
