//! The spool's cost: the processor time of an agent at a steady rate of events, with and without one.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::net::{Direct, Replay};

use super::live::{MTU, ftpmon};
use super::rounds::alternate;
use super::setup::Setup;
use super::table::{Cell, Goal, Spread, Table, towards};
use super::watcher::{Keep, Watcher};

/// Commands and replies a second: an event each.
const RATE: f64 = 100_000.0;
/// The duration of a round, seconds.
const SECONDS: f64 = 5.0;
/// Sessions of the capture: enough for that.
const SESSIONS: u64 = 27_000;
/// The spool's share of the agent's processor time at most, per cent.
const SHARE_MAX: f64 = 15.0;

/// A round's result.
struct Round {
    cpu_seconds: f64,
    rate: f64,
    lost: u64,
}

/// Measures.
pub(crate) fn run(setup: &Setup) -> Result<Vec<Table>> {
    let capture = setup.capture(SESSIONS.min(setup.sessions))?;
    let replay = Replay::load(&capture.path)?;
    let frames_an_event = capture.holds.packets as f64 / capture.holds.control_messages as f64;
    let net = Direct::new(MTU)?;
    let rounds = setup.rounds(5);
    let folder = setup.folder().join("spool");
    let cases = [false, true];
    let results = alternate(&cases, rounds, false, |&with_spool| {
        let spool = with_spool.then(|| folder.clone());
        once(setup, &net, (&replay, frames_an_event), spool)
    })?;
    let cpu = |place: usize| {
        let rounds: &[Round] = results.get(place).map_or(&[], Vec::as_slice);
        Spread::of(rounds.iter().map(|round| round.cpu_seconds))
    };
    let [without, with] = [cpu(0), cpu(1)];
    let share = (with.median - without.median) / with.median * 100.0;
    let mut table = Table::new(
        format!("{RATE} events/s for {SECONDS} s to standard output, median of {rounds} rounds"),
        &[("CPU s", 3), ("events/s sent", 0), ("lost", 0), ("share of the spool, %", 1)],
    );
    for (place, name) in ["without a spool", "with --spool"].into_iter().enumerate() {
        let rounds: &[Round] = results.get(place).map_or(&[], Vec::as_slice);
        let rate = Spread::of(rounds.iter().map(|round| round.rate));
        let lost: u64 = rounds.iter().map(|round| round.lost).sum();
        let share = if place == 0 {
            Cell::Text(String::new())
        } else {
            towards(share, Some(Goal::AtMost(SHARE_MAX)))
        };
        table.row(name, [Cell::Spread(cpu(place)), Cell::Spread(rate), Cell::Number(lost as f64), share]);
    }
    Ok(vec![table])
}

fn once(
    setup: &Setup,
    net: &Direct,
    (replay, frames_an_event): (&Replay, f64),
    spool: Option<PathBuf>,
) -> Result<Round> {
    let mut command = ftpmon(setup, net, "auto");
    if let Some(folder) = &spool {
        let _ = std::fs::remove_dir_all(folder);
        command.arg("--spool").arg(folder);
    }
    let watcher = Watcher::start(&mut command, "\"sensor_start\"", Keep::Tail)?;
    let frames = RATE * frames_an_event;
    let sent = replay.send_steadily(&net.server, Direct::DEVICE, (frames * SECONDS) as usize, frames)?;
    let used = watcher.used()?;
    let (output, _) = watcher.stop()?;
    let stats = output.stats()?;
    let lost = stats.pointer("/lost").and_then(serde_json::Value::as_object).context("no losses")?;
    if let Some(folder) = spool {
        ensure!(folder.is_dir(), "there was no spool");
        std::fs::remove_dir_all(folder)?;
    }
    Ok(Round {
        cpu_seconds: used.cpu.as_secs_f64(),
        rate: sent.rate() / frames_an_event,
        lost: lost.values().filter_map(serde_json::Value::as_u64).sum(),
    })
}
