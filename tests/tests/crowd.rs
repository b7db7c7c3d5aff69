//! Many sessions at once, on a good wire and on one that loses and reorders, at every hook: each transfer is told once, and
//! every byte count is exact.
//!
//! Some hundred sessions; `cargo xtask test --only soak -- crowd` has 10,000 a run, or as many as FTPMON_SOAK_SESSIONS
//! says.

#![expect(clippy::print_stdout, reason = "the figures are what the soak is for")]

use std::env;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::crowd::Crowd;
use ftpmon_tests::ftp::Server;
use ftpmon_tests::net::{Direct, Family, Mischief, Namespace, Relayed};

/// The longest delay of events.
const LIMIT: Duration = Duration::from_secs(60);
/// Of 1,000 frames 10 are lost and 50 are overtaken by three others.
const BAD: Mischief = Mischief { lost: 10, doubled: 0, late: 50, by: 3 };

/// The wire.
#[derive(Clone, Copy, Debug)]
enum Wire {
    Good,
    Bad,
}

fn small(name: &str, hook: &str, wire: Wire, files: &str) {
    // On the bad wire time goes by with waiting for retransmissions.
    let sessions = match wire {
        Wire::Good => 1_000,
        Wire::Bad => 250,
    };
    let crowd = Crowd { sessions, at_once: 50, largest: 1 << 20 };
    test(name, &[Need::Agent, Need::Tool("ethtool")], || crowded(crowd, hook, wire, files));
}

/// As many sessions as `FTPMON_SOAK_SESSIONS` says, 10,000 without.
fn soak(name: &str, hook: &str, wire: Wire, files: &str) {
    let sessions = env::var("FTPMON_SOAK_SESSIONS").ok().and_then(|count| count.parse().ok());
    let crowd = Crowd { sessions: sessions.unwrap_or(10_000), at_once: 50, largest: 10 << 20 };
    test(name, &[Need::Agent, Need::Tool("ethtool")], || crowded(crowd, hook, wire, files));
}

fn crowded(crowd: Crowd, hook: &str, wire: Wire, files: &str) -> Result<()> {
    match wire {
        Wire::Good => {
            let net = Direct::new(1500)?;
            between(crowd, &net.client, &net.server, hook, files)
        }
        Wire::Bad => {
            let net = Relayed::new(1500, BAD)?;
            between(crowd, &net.client, &net.server, hook, files)?;
            let done = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
            let (frames, lost, late) = (done(&net.done.frames), done(&net.done.lost), done(&net.done.late));
            println!("  of {frames} frames {lost} were lost and {late} overtaken");
            Ok(())
        }
    }
}

fn between(crowd: Crowd, client: &Namespace, server: &Namespace, hook: &str, files: &str) -> Result<()> {
    let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    for end in [client, server] {
        // More of them than there are by default: the ports of closed connections rest for a minute.
        end.sysctl("ipv4/ip_local_port_range", "10000 60999")?;
    }
    let serving = server.run(|| Server::start(at, crowd.behaviour()))?;
    let agent = Agent::start(server, &["--iface", Direct::DEVICE, "--hook", hook, "--files", files])?;
    let began = Instant::now();
    crowd.play(client, at)?;
    let played = began.elapsed();
    agent.wait_for_sessions(crowd.sessions, LIMIT)?;
    let told = began.elapsed();
    let lines = agent.stop_unread()?;
    drop(serving);
    let findings = crowd.check(&lines, files == "hash").with_context(|| format!("hook {hook}, {crowd:?}"))?;
    println!(
        "{hook}, --files {files}: {} sessions in {played:.1?}, told after {told:.1?}: {findings:?}",
        crowd.sessions
    );
    Ok(())
}

#[test]
fn crowd_good_native() {
    small("crowd_good_native", "native", Wire::Good, "off");
}

#[test]
fn soak_crowd_good_native() {
    soak("soak_crowd_good_native", "native", Wire::Good, "off");
}

#[test]
fn crowd_good_generic() {
    small("crowd_good_generic", "generic", Wire::Good, "off");
}

#[test]
fn soak_crowd_good_generic() {
    soak("soak_crowd_good_generic", "generic", Wire::Good, "off");
}

#[test]
fn crowd_good_tcx() {
    small("crowd_good_tcx", "tcx", Wire::Good, "off");
}

#[test]
fn soak_crowd_good_tcx() {
    soak("soak_crowd_good_tcx", "tcx", Wire::Good, "off");
}

#[test]
fn crowd_bad_native() {
    small("crowd_bad_native", "native", Wire::Bad, "off");
}

#[test]
fn soak_crowd_bad_native() {
    soak("soak_crowd_bad_native", "native", Wire::Bad, "off");
}

#[test]
fn crowd_bad_generic() {
    small("crowd_bad_generic", "generic", Wire::Bad, "off");
}

#[test]
fn soak_crowd_bad_generic() {
    soak("soak_crowd_bad_generic", "generic", Wire::Bad, "off");
}

#[test]
fn crowd_bad_tcx() {
    small("crowd_bad_tcx", "tcx", Wire::Bad, "off");
}

#[test]
fn soak_crowd_bad_tcx() {
    soak("soak_crowd_bad_tcx", "tcx", Wire::Bad, "off");
}

#[test]
fn soak_hashed_crowd_good_native() {
    soak("soak_hashed_crowd_good_native", "native", Wire::Good, "hash");
}

#[test]
fn soak_hashed_crowd_good_generic() {
    soak("soak_hashed_crowd_good_generic", "generic", Wire::Good, "hash");
}

#[test]
fn soak_hashed_crowd_good_tcx() {
    soak("soak_hashed_crowd_good_tcx", "tcx", Wire::Good, "hash");
}

#[test]
fn soak_hashed_crowd_bad_native() {
    soak("soak_hashed_crowd_bad_native", "native", Wire::Bad, "hash");
}

#[test]
fn soak_hashed_crowd_bad_generic() {
    soak("soak_hashed_crowd_bad_generic", "generic", Wire::Bad, "hash");
}

#[test]
fn soak_hashed_crowd_bad_tcx() {
    soak("soak_hashed_crowd_bad_tcx", "tcx", Wire::Bad, "hash");
}
