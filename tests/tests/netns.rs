//! Interfaces of a network namespace in which ftpmon does not run.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::events::Event;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family, Namespace};
use ftpmon_tests::poll;
use ftpmon_tests::process::run;

const SOON: Duration = Duration::from_secs(20);

fn watched_from_elsewhere(hook: &str) -> Result<()> {
    let (net, elsewhere) = (Direct::new(1500)?, Namespace::new("elsewhere")?);
    let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(70_000));
    let _server = net.server.run(|| Server::start(address, behaviour))?;
    let path = net.server.path();
    let options = ["--netns", &path, "--iface", Direct::DEVICE, "--hook", hook];
    let agent = Agent::start(&elsewhere, &options)?;
    let session = || {
        net.client.run(|| {
            let mut client = Client::connect(address, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            client.retrieve(DataMode::Pasv, "/a.bin", None)?;
            client.quit().map(drop)
        })
    };
    // The server is a thread of this process, in that namespace. Connections that are gone before anybody looks have no owner.
    let us = Some(u64::from(std::process::id()));
    let mut sessions = 0;
    poll::until("the owner of a connection", SOON, || {
        session()?;
        sessions += 1;
        agent.wait_for_sessions(sessions, SOON)?;
        let is_known = |transfer: &&Event| transfer.number("/server_process/pid") == us;
        Ok(agent.events().transfers().iter().any(is_known).then_some(()))
    })?;
    let events = agent.stop()?;
    let transfers = events.transfers();
    ensure!(transfers.len() == sessions, "{transfers:?}");
    ensure!(transfers.iter().all(|transfer| transfer.data_bytes() == Some(70_000)), "{transfers:?}");
    Ok(())
}

#[test]
fn another_namespace_tcx() {
    test("another_namespace_tcx", &[Need::Agent], || watched_from_elsewhere("tcx"));
}

#[test]
fn another_namespace_native() {
    test("another_namespace_native", &[Need::Agent], || watched_from_elsewhere("native"));
}

#[test]
fn what_is_no_namespace_is_refused() {
    test("what_is_no_namespace_is_refused", &[Need::Agent], || {
        let elsewhere = Namespace::new("elsewhere")?;
        for (path, words) in
            [("/nonexistent", "/run/netns/NAME"), ("/dev/null", "has to be a network namespace")]
        {
            let arguments = ["run", "--netns", path, "--iface", "lo"];
            let finished = run(elsewhere.command(&binary()?.to_string_lossy()).args(arguments))?;
            ensure!(finished.status.code() == Some(1), "{path}: {}", finished.status);
            ensure!(finished.stderr.contains(path) && finished.stderr.contains(words), "{}", finished.stderr);
        }
        Ok(())
    });
}
