//! Watching begins and ends in both directions at once: no start and no stop in the midst of commands tells of a gap.
//!
//! A few starts and stops at each hook; `cargo xtask test --only soak -- gate` has 50.

#![expect(clippy::print_stdout, reason = "the figures are what the soak is for")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::chatter::{self, Chatter};
use ftpmon_tests::net::Direct;

/// Sessions that exchange commands all the time.
const SESSIONS: usize = 8;
/// The longest time that one start and stop may take.
const LIMIT: Duration = Duration::from_secs(20);

fn starts_and_stops(hook: &str, rounds: usize) -> Result<()> {
    let net = Direct::new(1500)?;
    let chatter = Chatter::start(&net, SESSIONS)?;
    let begin = Instant::now();
    for round in 0..rounds {
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--hook", hook])?;
        chatter.visit()?;
        agent.wait("all sessions", LIMIT, |events| events.sessions().len() > SESSIONS)?;
        let events = agent.stop()?;
        chatter::check(&events).with_context(|| format!("{hook}, start {round}"))?;
        ensure!(events.lost() == 0, "{hook}, start {round}: lost {}", events.lost());
    }
    let rate = chatter.commands() as f64 / begin.elapsed().as_secs_f64();
    println!("{hook}: {rounds} starts and stops, {rate:.0} commands a second");
    Ok(())
}

fn few(name: &str, hook: &str) {
    test(name, &[Need::Agent], || starts_and_stops(hook, 5));
}

fn soak(name: &str, hook: &str) {
    test(name, &[Need::Agent], || starts_and_stops(hook, 50));
}

#[test]
fn gate_tcx() {
    few("gate_tcx", "tcx");
}

#[test]
fn gate_native() {
    few("gate_native", "native");
}

#[test]
fn gate_generic() {
    few("gate_generic", "generic");
}

#[test]
fn soak_gate_tcx() {
    soak("soak_gate_tcx", "tcx");
}

#[test]
fn soak_gate_native() {
    soak("soak_gate_native", "native");
}

#[test]
fn soak_gate_generic() {
    soak("soak_gate_generic", "generic");
}
