//! Many sessions in a row and large downloads through every hook.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::compare::{self, same};
use ftpmon_tests::events::Events;
use ftpmon_tests::expected::Expected;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family};

/// The longest delay of a session's events.
const LIMIT: Duration = Duration::from_secs(20);

fn server_address() -> SocketAddr {
    SocketAddr::new(Direct::hosts(Family::V4).server, 21)
}

fn agent(net: &Direct, hook: &str) -> Result<Agent> {
    Agent::start(&net.server, &["--iface", Direct::DEVICE, "--hook", hook])
}

/// A thousand sessions in a row whose client connects its data channel the moment the announcement arrives.
fn thousand(hook: &str) -> Result<()> {
    const SESSIONS: usize = 1_000;
    let net = Direct::new(1500)?;
    let at = server_address();
    let sizes: Vec<u64> = (0..SESSIONS as u64).map(|n| n * n % 40_009).collect();
    let mut behaviour = Behaviour::default();
    for size in &sizes {
        behaviour = behaviour.with_file(&format!("/{size}"), Content::Pattern(*size));
    }
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let agent = agent(&net, hook)?;
    net.client.run(|| {
        for (n, size) in sizes.iter().enumerate() {
            let mode = if n % 2 == 0 { DataMode::Pasv } else { DataMode::Epsv };
            let mut client = Client::connect(at, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            let got = client.retrieve(mode, &format!("/{size}"), None)?;
            ensure!(got.bytes == *size, "session {n}: {got:?}");
            client.quit()?;
        }
        Ok(())
    })?;
    agent.wait_for_sessions(SESSIONS, LIMIT)?;
    let events = agent.stop()?;
    compare::stream(&events)?;
    let sessions = events.sessions();
    ensure!(sessions.len() == SESSIONS, "{} sessions", sessions.len());
    for (n, (session, size)) in sessions.iter().zip(&sizes).enumerate() {
        let via = if n % 2 == 0 { "PASV" } else { "EPSV" };
        compare::transfers(session, &[Expected::complete("RETR", via, *size)])
            .with_context(|| format!("session {n}:\n{}", session.to_text()))?;
        compare::clean(session)?;
    }
    drop(server);
    Ok(())
}

#[test]
fn thousand_sessions_native() {
    test("thousand_sessions_native", &[Need::Agent], || thousand("native"));
}

#[test]
fn thousand_sessions_generic() {
    test("thousand_sessions_generic", &[Need::Agent], || thousand("generic"));
}

#[test]
fn thousand_sessions_tcx() {
    test("thousand_sessions_tcx", &[Need::Agent], || thousand("tcx"));
}

/// A large download is counted to the byte, and none of its payload reaches the agent.
fn large(hook: &str, size: u64) -> Result<()> {
    let net = Direct::new(1500)?;
    let at = server_address();
    let file = Content::Pattern(size);
    let server = net.server.run(|| Server::start(at, Behaviour::default().with_file("/large", file)))?;
    let agent = agent(&net, hook)?;
    net.client.run(|| {
        let mut client = Client::connect(at, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        let got = client.retrieve(DataMode::Pasv, "/large", None)?;
        ensure!(got.bytes == size, "the client got {} of {size} bytes", got.bytes);
        client.quit()
    })?;
    agent.wait_for_sessions(1, LIMIT)?;
    let events = agent.stop()?;
    compare::stream(&events)?;
    let session = &events.sessions()[0];
    compare::transfers(session, &[Expected::complete("RETR", "PASV", size)])
        .with_context(|| session.to_text())
        .with_context(|| events.last("stats").map(|stats| stats.0.to_string()).unwrap_or_default())?;
    ensure!(counter(&events, "data_packets") > size / 70_000, "the data connection was not counted");
    same("frames of the data connection in the ring", &[0], &[counter(&events, "data_frames")])?;
    let control = counter(&events, "control_frames");
    ensure!(control < 100, "{control} frames of the control connection in the ring");
    drop(server);
    Ok(())
}

/// A counter of the kernel programs in the last `stats`; one that never counted is left out there.
fn counter(events: &Events, name: &str) -> u64 {
    events.last("stats").and_then(|stats| stats.number(&format!("/kernel/{name}"))).unwrap_or(0)
}

#[test]
fn gibibyte_native() {
    test("gibibyte_native", &[Need::Agent], || large("native", 1 << 30));
}

#[test]
fn gibibyte_generic() {
    test("gibibyte_generic", &[Need::Agent], || large("generic", 1 << 30));
}

/// More than 2³² bytes: the sequence numbers wrap.
#[test]
fn five_gibibytes_auto() {
    test("five_gibibytes_auto", &[Need::Agent], || large("auto", 5 << 30));
}
