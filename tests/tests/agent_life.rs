//! The agent's life: started, following interfaces, ended by signals and by readers that go away.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family, Namespace};
use ftpmon_tests::poll;
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(15);

/// A login, a download of `bytes` and a goodbye.
fn session(net: &Direct, server: &Server, bytes: u64) -> Result<()> {
    net.client.run(|| {
        let mut client = Client::connect(server.address(), ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        let got = client.retrieve(DataMode::Pasv, "/a.bin", None)?;
        ensure!(got.bytes == bytes, "{got:?}");
        client.quit().map(drop)
    })
}

fn serve(net: &Direct, bytes: u64) -> Result<Server> {
    let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(bytes));
    net.server.run(|| Server::start(address, behaviour))
}

/// No XDP program is on the device, and its TCX hooks are empty.
fn bare(namespace: &Namespace, device: &str) -> Result<()> {
    let shown = namespace.ip(&format!("-d link show {device}"))?;
    ensure!(!shown.contains("xdp"), "something is left: {shown}");
    Ok(())
}

#[test]
fn every_signal_ends_it_in_order() {
    test("every_signal_ends_it_in_order", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let server = serve(&net, 1000)?;
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let mut agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--hook", "native"])?;
            session(&net, &server, 1000)?;
            agent.process().signal(signal)?;
            let status = agent.process().wait(SOON)?;
            ensure!(status.code() == Some(0), "{signal}: {status}");
            let events = agent.events();
            let names: Vec<&str> = events.0.iter().map(ftpmon_tests::events::Event::name).collect();
            ensure!(names.first() == Some(&"sensor_start"), "{names:?}");
            ensure!(names.ends_with(&["stats", "sensor_stop"]), "{names:?}");
            ensure!(events.count("session_end") == 1 && events.count("transfer") == 1, "{names:?}");
            let sequence: Vec<_> = events.0.iter().filter_map(|event| event.number("/seq")).collect();
            ensure!(sequence.iter().copied().eq(0..names.len() as u64), "numbers: {sequence:?}");
            bare(&net.server, Direct::DEVICE)?;
        }
        Ok(())
    });
}

#[test]
fn an_open_session_is_reported_at_the_end() {
    test("an_open_session_is_reported_at_the_end", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let server = serve(&net, 1)?;
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE])?;
        let client = net.client.run(|| {
            let mut client = Client::connect(server.address(), ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            Ok(client)
        })?;
        agent.wait("the login", SOON, |events| events.count("login") == 1)?;
        let events = agent.stop()?;
        drop(client);
        let end = events.last("session_end").context("no session_end")?;
        ensure!(end.text("/end/reason") == "end_of_input", "{end:?}");
        Ok(())
    });
}

#[test]
fn a_reader_that_had_enough_ends_it_without_an_error() {
    test("a_reader_that_had_enough_ends_it_without_an_error", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let mut command = net.server.command(&binary()?.to_string_lossy());
        command.args(["run", "--iface", Direct::DEVICE]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut stdout = std::io::BufReader::new(child.stdout.take().context("its standard output")?);
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stdout, &mut line)?;
        ensure!(line.contains("sensor_start"), "{line}");
        drop(stdout);
        // There is no traffic: it has to notice without an event to write.
        let status = poll::until("its end", SOON, || Ok(child.try_wait()?))?;
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().context("its standard error")?, &mut said)?;
        ensure!(status.code() == Some(0) && said.is_empty(), "{status}: {said}");
        Ok(())
    });
}

#[test]
fn an_interface_that_goes_and_comes_back_is_followed() {
    test("an_interface_that_goes_and_comes_back_is_followed", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--iface", "late*"])?;
        net.server.ip(&format!("link del {}", Direct::DEVICE))?;
        let said = |what: &str| {
            poll::until(what, SOON, || Ok(agent.diagnostics().contains(what).then_some(())))
                .with_context(|| agent.diagnostics())
        };
        said(&format!("interface {} was removed", Direct::DEVICE))?;

        // The same name again, and one that a pattern matches.
        let pair =
            format!("link add {0} type veth peer name {0} netns {1}", Direct::DEVICE, net.client.path());
        net.server.ip(&pair)?;
        net.server.ip("link add late0 type veth peer name peer0")?;
        said(&format!("interface {} is watched", Direct::DEVICE))?;
        said("interface late0 is watched")?;
        for (namespace, address) in [(&net.client, "10.77.0.1/24"), (&net.server, "10.77.0.2/24")] {
            namespace.ip(&format!("addr add {address} dev {}", Direct::DEVICE))?;
            namespace.ip(&format!("link set {} up", Direct::DEVICE))?;
        }
        let server = serve(&net, 5_000)?;
        session(&net, &server, 5_000)?;
        agent.wait_for_sessions(1, SOON)?;
        let events = agent.stop()?;
        let transfer = events.last("transfer").context("no transfer")?;
        ensure!(transfer.data_bytes() == Some(5_000), "{transfer:?}");
        ensure!(transfer.text("/iface") == Direct::DEVICE, "{transfer:?}");
        let stats = events.last("stats").context("no stats")?;
        ensure!(stats.number("/agent/interfaces_attached") == Some(2), "{stats:?}");
        ensure!(stats.number("/agent/interfaces_detached") == Some(1), "{stats:?}");
        Ok(())
    });
}

#[test]
fn an_interface_meant_twice_is_watched_once() {
    test("an_interface_meant_twice_is_watched_once", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let server = serve(&net, 1000)?;
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--iface", "eth*"])?;
        session(&net, &server, 1000)?;
        agent.wait_for_sessions(1, SOON)?;
        let events = agent.stop()?;
        ensure!(!events.0[0].has("/interfaces/1"), "{:?}", events.0[0]);
        ensure!(events.count("session_start") == 1 && events.count("transfer") == 1, "{}", events.to_text());
        Ok(())
    });
}

#[test]
fn promiscuous_while_it_lives() {
    test("promiscuous_while_it_lives", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let shown = || net.server.ip(&format!("-d link show {}", Direct::DEVICE));
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--promisc"])?;
        ensure!(shown()?.contains("promiscuity 1"), "{}", shown()?);
        agent.stop()?;
        ensure!(shown()?.contains("promiscuity 0"), "{}", shown()?);
        Ok(())
    });
}
