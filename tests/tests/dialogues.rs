//! Random dialogues with real servers: what each client knows of its session against what is reported of it.
//!
//! The `soak_` tests take `FTPMON_SOAK_DIALOGUES` (how many), `FTPMON_SOAK_SEED` (the first seed), and `FTPMON_SOAK_HOOK` and
//! `FTPMON_SOAK_FAMILY` (4 or 6), of which they take turns otherwise.

#![allow(clippy::print_stdout, reason = "a soak tells how far it is")]

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::dialogues::plan::{SESSIONS, calm_plan, plan};
use ftpmon_tests::dialogues::record::Record;
use ftpmon_tests::dialogues::shrink::{Shrunk, shrink};
use ftpmon_tests::dialogues::stage::Stage;
use ftpmon_tests::dialogues::step::Step;
use ftpmon_tests::dialogues::{judge, recapture, report};
use ftpmon_tests::net::{Family, Mischief};
use ftpmon_tests::party::Party;

/// The time that a difference is made smaller.
const SHRINK_LIMIT: Duration = Duration::from_secs(60);
/// Rounds of eight sessions after which server and ftpmon start anew, over the next family and hook.
const ROUNDS_A_STAGE: u64 = 25;
/// Hooks that take turns.
const HOOKS: [&str; 3] = ["auto", "native", "generic"];
/// Differences that are made smaller; later ones are counted.
const SHRUNK_MAX: usize = 20;

/// The stage of a round: its hook and its family.
type Place = (String, Family);

/// Every hook with every family, one after another.
fn turns(number: u64) -> Place {
    let hook = HOOKS.get((number % 3) as usize).copied().unwrap_or("auto");
    (hook.to_owned(), if number.is_multiple_of(2) { Family::V4 } else { Family::V6 })
}

/// That which came of the sessions of a soak.
#[derive(Debug, Default)]
struct Tally {
    sessions: usize,
    differ: usize,
    /// The server left them without an answer.
    stalled: usize,
    /// So that nobody knows what it answered: they are not judged.
    unsure: usize,
}

impl Tally {
    fn tell(&self, party: Party, since: Instant) {
        let Self { sessions, differ, stalled, unsure } = self;
        let rate = *sessions as f64 / since.elapsed().as_secs_f64();
        println!(
            "{party:?}: {sessions} sessions, {differ} differences, {stalled} without an answer, {unsure} not judged, {rate:.1} a second"
        );
    }
}

/// Plays the rounds of these seeds, each [`ROUNDS_A_STAGE`] of them at another place.
fn rounds(
    party: Party,
    place: impl Fn(u64) -> Place,
    seeds: std::ops::Range<u64>,
    plan: fn(u64) -> Vec<Vec<Step>>,
) -> Result<Tally> {
    let began = Instant::now();
    let stage = |number| {
        let (hook, family) = place(number);
        Stage::new(party, &hook, family)
    };
    let mut here = stage(0)?;
    let mut tally = Tally::default();
    for (round, seed) in (1..).zip(seeds) {
        if round % ROUNDS_A_STAGE == 0 {
            tally.tell(party, began);
            here = stage(round / ROUNDS_A_STAGE)?;
        }
        let plans = plan(seed);
        for (number, (played, steps)) in here.run(&plans)?.into_iter().zip(plans).enumerate() {
            tally.sessions += 1;
            tally.stalled += usize::from(played.record.stalled);
            tally.unsure += usize::from(played.record.unsure);
            if played.record.unsure {
                let last = played.record.commands.last().map_or("", |said| said.line.as_str());
                println!("{party:?} seed {seed} session {number}: no answer, at last to {last:?}");
                let found = Shrunk { steps, played };
                report::write(&format!("{party:?}-{seed}-{number}-stalled"), &found)?;
                continue;
            }
            if played.differences.is_empty() {
                continue;
            }
            tally.differ += 1;
            let mut found = Shrunk { steps, played };
            if tally.differ <= SHRUNK_MAX
                && let Some(smaller) = shrink(&mut here, &found.steps, SHRINK_LIMIT)?
            {
                found = smaller;
            }
            let path = report::write(&format!("{party:?}-{seed}-{number}"), &found)?;
            println!(
                "{party:?} {:?} seed {seed} session {number}, {}: {:#?}",
                place(round / ROUNDS_A_STAGE),
                path.display(),
                found.played.differences
            );
        }
    }
    tally.tell(party, began);
    Ok(tally)
}

/// An expectation that is wrong has to be found: else the bed proves nothing.
fn finds_faults(party: Party) -> Result<()> {
    let mut stage = Stage::new(party, "auto", Family::V4)?;
    let ask = |line: &str| Step::Ask(line.into());
    let steps = vec![ask("USER alice"), ask("PASS wonderland"), ask("PWD"), ask("NOOP")];
    let played = stage.run(&[steps])?.into_iter().next().context("a session")?;
    ensure!(played.differences.is_empty(), "{:?}", played.differences);
    let faults: [fn(&mut Record); 3] = [
        |record| record.commands.truncate(3),
        |record| record.replies.reverse(),
        |record| record.logins.clear(),
    ];
    for (number, fault) in faults.iter().enumerate() {
        let mut wrong = played.record.clone();
        fault(&mut wrong);
        ensure!(!judge::differences(&wrong, &played.events).is_empty(), "fault {number} was not found");
    }
    Ok(())
}

/// Three rounds.
fn short(party: Party) -> Result<()> {
    finds_faults(party)?;
    let differ = rounds(party, |_| ("auto".to_owned(), Family::V4), 1..4, calm_plan)?.differ;
    ensure!(differ == 0, "{differ} sessions differ");
    Ok(())
}

fn soak(party: Party) -> Result<()> {
    let number = |variable: &str, otherwise: u64| {
        env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    };
    let hook = env::var("FTPMON_SOAK_HOOK").ok();
    let family =
        env::var("FTPMON_SOAK_FAMILY").ok().map(|six| if six == "6" { Family::V6 } else { Family::V4 });
    let place = |number| {
        let (next_hook, next_family) = turns(number);
        (hook.clone().unwrap_or(next_hook), family.unwrap_or(next_family))
    };
    let count = number("FTPMON_SOAK_DIALOGUES", 10_000).div_ceil(SESSIONS as u64);
    let first = number("FTPMON_SOAK_SEED", 1);
    let differ = rounds(party, place, first..first + count, plan)?.differ;
    ensure!(differ == 0, "{differ} sessions differ");
    Ok(())
}

/// A wire that loses, doubles and delays: the ends send again what is missing, so that what is reported is the same.
const BAD: Mischief = Mischief { lost: 8, doubled: 10, late: 20, by: 2 };

/// Rounds on a bad wire.
fn lossy(party: Party, seeds: std::ops::Range<u64>) -> Result<()> {
    let mut stage = Stage::relayed(party, "auto", Family::V4, BAD)?;
    let mut wrong = Vec::new();
    for seed in seeds {
        for (number, played) in stage.run(&calm_plan(seed))?.into_iter().enumerate() {
            wrong.extend(
                played.differences.iter().map(|what| format!("seed {seed} session {number}: {what}")),
            );
            if !played.differences.is_empty() {
                report::write(
                    &format!("{party:?}-{seed}-{number}-lossy"),
                    &Shrunk { steps: Vec::new(), played },
                )?;
            }
        }
    }
    ensure!(wrong.is_empty(), "{} differences: {wrong:#?}", wrong.len());
    Ok(())
}

/// Rounds whose frames are read as captures: whole, cut and doubled, and where `lossy` with frames missing.
fn recaptured(party: Party, seeds: std::ops::Range<u64>, mangled: u64, lossy: bool) -> Result<()> {
    let stage = Stage::relayed(party, "auto", Family::V6, Mischief::default())?;
    let mut wrong = Vec::new();
    for seed in seeds {
        let (records, frames) = stage.play_recorded(&calm_plan(seed))?;
        let found = recapture::differences(&records, &frames, seed..seed + mangled, lossy)?;
        wrong.extend(found.into_iter().map(|what| format!("seed {seed}: {what}")));
    }
    ensure!(wrong.is_empty(), "{} differences: {wrong:#?}", wrong.len());
    Ok(())
}

/// The first seed of a soak, and how many.
fn soaked() -> std::ops::Range<u64> {
    let number = |variable: &str, otherwise: u64| {
        env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    };
    let first = number("FTPMON_SOAK_SEED", 1);
    first..first + number("FTPMON_SOAK_DIALOGUES", 10_000).div_ceil(SESSIONS as u64)
}

macro_rules! dialogues {
    ($($short:ident, $soak:ident, $lossy:ident, $soak_lossy:ident, $recaptured:ident, $soak_recaptured:ident: $party:ident;)*) => {$(
        #[test]
        fn $short() {
            test(stringify!($short), &[Need::Agent, Need::Party(Party::$party)], || short(Party::$party));
        }

        #[test]
        fn $soak() {
            test(stringify!($soak), &[Need::Agent, Need::Party(Party::$party)], || soak(Party::$party));
        }

        #[test]
        fn $lossy() {
            let needs = [Need::Agent, Need::Tool("ethtool"), Need::Party(Party::$party)];
            test(stringify!($lossy), &needs, || lossy(Party::$party, 1..3));
        }

        #[test]
        fn $soak_lossy() {
            let needs = [Need::Agent, Need::Tool("ethtool"), Need::Party(Party::$party)];
            test(stringify!($soak_lossy), &needs, || lossy(Party::$party, soaked()));
        }

        #[test]
        fn $recaptured() {
            let needs = [Need::Agent, Need::Tool("ethtool"), Need::Party(Party::$party)];
            test(stringify!($recaptured), &needs, || recaptured(Party::$party, 1..2, 2, false));
        }

        #[test]
        fn $soak_recaptured() {
            let needs = [Need::Agent, Need::Tool("ethtool"), Need::Party(Party::$party)];
            test(stringify!($soak_recaptured), &needs, || recaptured(Party::$party, soaked(), 4, true));
        }
    )*};
}

dialogues! {
    dialogues_with_vsftpd, soak_dialogues_with_vsftpd, lossy_dialogues_with_vsftpd, soak_lossy_dialogues_with_vsftpd,
    recaptured_dialogues_with_vsftpd, soak_recaptured_dialogues_with_vsftpd: Vsftpd;
    dialogues_with_proftpd, soak_dialogues_with_proftpd, lossy_dialogues_with_proftpd, soak_lossy_dialogues_with_proftpd,
    recaptured_dialogues_with_proftpd, soak_recaptured_dialogues_with_proftpd: Proftpd;
    dialogues_with_pureftpd, soak_dialogues_with_pureftpd, lossy_dialogues_with_pureftpd, soak_lossy_dialogues_with_pureftpd,
    recaptured_dialogues_with_pureftpd, soak_recaptured_dialogues_with_pureftpd: PureFtpd;
    dialogues_with_pyftpdlib, soak_dialogues_with_pyftpdlib, lossy_dialogues_with_pyftpdlib, soak_lossy_dialogues_with_pyftpdlib,
    recaptured_dialogues_with_pyftpdlib, soak_recaptured_dialogues_with_pyftpdlib: Pyftpdlib;
}
