//! A ring that is too small: traffic unharmed, losses counted by reason, gaps told, sessions that continue.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family};
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(20);
/// Commands sent while the ring is not read: many times what one page holds.
const UNREAD: usize = 500;
const FILE: u64 = 2_000_000;
/// Downloads meanwhile: their accounts alone are more than one page.
const DOWNLOADS: usize = 16;

fn starve(hook: &str) -> Result<()> {
    let net = Direct::new(1500)?;
    let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(FILE));
    let server = net.server.run(|| Server::start(address, behaviour))?;
    let arguments = ["--iface", Direct::DEVICE, "--hook", hook, "--ring-size", "4096"];
    let mut agent = Agent::start(&net.server, &arguments)?;

    let mut client = net.client.run(|| {
        let mut client = Client::connect(server.address(), ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        Ok(client)
    })?;
    agent.wait("the login", SOON, |events| events.count("login") == 1)?;

    agent.process().signal(Signal::SIGSTOP)?;
    for _ in 0..UNREAD {
        ensure!(client.command("NOOP")?.code == 200, "traffic is harmed");
    }
    net.client.run(|| {
        for _ in 0..DOWNLOADS {
            let got = client.retrieve(DataMode::Pasv, "/a.bin", None)?;
            ensure!(got.bytes == FILE, "traffic is harmed: {got:?}");
        }
        Ok(())
    })?;
    agent.process().signal(Signal::SIGCONT)?;

    // Once it reads again the session continues, and what was lost shows.
    agent.wait("the gap", SOON, |events| {
        // Each exchange shows the agent that the bytes before it were received.
        let _ = client.command("NOOP");
        events.count("gap") > 0
    })?;
    client.quit()?;
    agent.wait_for_sessions(1, SOON)?;
    let events = agent.stop()?;

    ensure!(events.count("session_start") == 1, "{}", events.to_text());
    ensure!(events.commands().last().is_some_and(|last| last == "QUIT"), "{:?}", events.commands());
    let gaps = events.of("gap");
    ensure!(gaps.iter().all(|gap| gap.text("/gap/cause") == "ring_full"), "{gaps:?}");
    let stats = events.last("stats").context("no stats")?;
    let lost = |reason: &str| stats.number(&format!("/lost/{reason}"));
    ensure!(lost("lost_ring_flow").is_some(), "{stats:?}");
    // The accounts that found no room stayed in the kernel's table, and were asked for there.
    ensure!(stats.number("/agent/kernel_flows_swept").is_some_and(|swept| swept > 0), "{stats:?}");
    // The one connection soon had more than its part of the ring.
    let loud = lost("lost_loud_control").context("no loss by reason")?;
    let lost = loud + lost("lost_ring_control").unwrap_or(0);
    // What was sent while the ring was not read was delivered or lost, and the loss is counted frame by frame.
    let delivered = events.commands().iter().filter(|command| *command == "NOOP").count();
    ensure!(lost as usize + 2 * delivered >= 2 * UNREAD, "{lost} lost, {delivered} delivered: {stats:?}");
    Ok(())
}

#[test]
fn a_full_ring_is_counted_and_disturbs_no_connection() {
    test("a_full_ring_is_counted_and_disturbs_no_connection", &[Need::Agent], || {
        for hook in ["native", "generic", "tcx"] {
            starve(hook).with_context(|| format!("hook {hook}"))?;
        }
        Ok(())
    });
}
