//! Random dialogues with real servers: what each client knows of its session against what is reported of it.
//!
//! The `soak_` tests take `FTPMON_SOAK_DIALOGUES` (how many), `FTPMON_SOAK_SEED` (the first seed) and `FTPMON_SOAK_HOOK`.

#![allow(clippy::print_stdout, reason = "a soak tells how far it is")]

use std::env;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::dialogues::plan::{SESSIONS, calm_plan, plan};
use ftpmon_tests::dialogues::record::Record;
use ftpmon_tests::dialogues::shrink::{Shrunk, shrink};
use ftpmon_tests::dialogues::stage::Stage;
use ftpmon_tests::dialogues::step::Step;
use ftpmon_tests::dialogues::{judge, report};
use ftpmon_tests::net::Family;
use ftpmon_tests::party::Party;

/// The time that a difference is made smaller.
const SHRINK_LIMIT: Duration = Duration::from_secs(60);
/// Rounds of eight sessions after which server and ftpmon start anew: all of ftpmon's lines are kept until then.
const ROUNDS_A_STAGE: u64 = 100;
/// Differences that are made smaller; later ones are counted.
const SHRUNK_MAX: usize = 20;

/// Plays the rounds of these seeds. Returns how many sessions differ, and how many the server left without an answer.
fn rounds(
    party: Party,
    hook: &str,
    seeds: std::ops::Range<u64>,
    plan: fn(u64) -> Vec<Vec<Step>>,
) -> Result<(usize, usize)> {
    let mut stage = Stage::new(party, hook, Family::V4)?;
    let (mut differ, mut stalled) = (0, 0);
    for (round, seed) in (1..).zip(seeds) {
        if round % ROUNDS_A_STAGE == 0 {
            println!("{party:?}: {round} rounds, {differ} differences, {stalled} sessions without an answer");
            stage = Stage::new(party, hook, Family::V4)?;
        }
        let plans = plan(seed);
        for (number, (played, steps)) in stage.run(&plans)?.into_iter().zip(plans).enumerate() {
            stalled += usize::from(played.record.stalled);
            if played.differences.is_empty() {
                continue;
            }
            differ += 1;
            let mut found = Shrunk { steps, played };
            if differ <= SHRUNK_MAX
                && let Some(smaller) = shrink(&mut stage, &found.steps, SHRINK_LIMIT)?
            {
                found = smaller;
            }
            let path = report::write(&format!("{party:?}-{seed}-{number}"), &found)?;
            println!(
                "{party:?} seed {seed} session {number}, {}: {:#?}",
                path.display(),
                found.played.differences
            );
        }
    }
    Ok((differ, stalled))
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
    let (differ, _) = rounds(party, "auto", 1..4, calm_plan)?;
    ensure!(differ == 0, "{differ} sessions differ");
    Ok(())
}

fn soak(party: Party) -> Result<()> {
    let number = |variable: &str, otherwise: u64| {
        env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    };
    let hook = env::var("FTPMON_SOAK_HOOK").unwrap_or_else(|_| "auto".into());
    let count = number("FTPMON_SOAK_DIALOGUES", 10_000).div_ceil(SESSIONS as u64);
    let first = number("FTPMON_SOAK_SEED", 1);
    let (differ, stalled) = rounds(party, &hook, first..first + count, plan)?;
    println!("{party:?}: {count} rounds, {differ} differences, {stalled} sessions without an answer");
    ensure!(differ == 0, "{differ} sessions differ");
    Ok(())
}

macro_rules! dialogues {
    ($($short:ident, $soak:ident: $party:ident;)*) => {$(
        #[test]
        fn $short() {
            test(stringify!($short), &[Need::Agent, Need::Party(Party::$party)], || short(Party::$party));
        }

        #[test]
        fn $soak() {
            test(stringify!($soak), &[Need::Agent, Need::Party(Party::$party)], || soak(Party::$party));
        }
    )*};
}

dialogues! {
    dialogues_with_vsftpd, soak_dialogues_with_vsftpd: Vsftpd;
    dialogues_with_proftpd, soak_dialogues_with_proftpd: Proftpd;
    dialogues_with_pureftpd, soak_dialogues_with_pureftpd: PureFtpd;
    dialogues_with_pyftpdlib, soak_dialogues_with_pyftpdlib: Pyftpdlib;
}
