//! Outputs of a running agent: a file, sockets, and readers that go away and come back.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::events::Events;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Server};
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::poll;
use ftpmon_tests::process::Running;
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(15);

/// A login and a goodbye.
fn visit(net: &Direct, server: &Server) -> Result<()> {
    net.client.run(|| {
        let mut client = Client::connect(server.address(), ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        client.quit().map(drop)
    })
}

fn serve(net: &Direct) -> Result<Server> {
    let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    net.server.run(|| Server::start(address, Behaviour::default()))
}

fn start(net: &Direct, outputs: &[&str]) -> Result<Running> {
    let mut command = net.server.command(&binary()?.to_string_lossy());
    command.args(["run", "--iface", Direct::DEVICE]);
    outputs.iter().for_each(|output| {
        command.args(["--output", output]);
    });
    Running::start(&mut command)
}

/// Reads events until one of type `last`.
fn read_until(stream: &UnixStream, last: &str) -> Result<Events> {
    stream.set_read_timeout(Some(SOON))?;
    let mut lines: Vec<String> = Vec::new();
    for line in BufReader::new(stream).lines() {
        lines.push(line.context("reading events")?);
        let events = Events::from_lines(&lines);
        if events.0.last().is_some_and(|event| event.name() == last) {
            return Ok(events);
        }
    }
    anyhow::bail!("the stream ended before {last}: {}", lines.join("\n"))
}

#[test]
fn a_reader_that_comes_back_goes_on() {
    test("a_reader_that_comes_back_goes_on", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let server = serve(&net)?;
        let scratch = Scratch::new("reader")?;
        let (socket, file) = (scratch.path().join("reader.sock"), scratch.path().join("events.json"));
        let listener = UnixListener::bind(&socket)?;
        let unix = format!("unix:{}", socket.display());
        let mut agent = start(&net, &[&unix, &file.to_string_lossy()])?;
        let (first, _) = listener.accept()?;
        read_until(&first, "sensor_start")?;
        visit(&net, &server)?;
        read_until(&first, "session_end")?;

        // Gone while a session continues; what happens meanwhile is kept.
        drop(first);
        drop(listener);
        std::fs::remove_file(&socket)?;
        visit(&net, &server)?;
        poll::until("the agent to miss its reader", SOON, || {
            Ok(agent.stderr.text().contains("trying again").then_some(()))
        })?;
        let listener = UnixListener::bind(&socket)?;
        let (second, _) = listener.accept()?;
        let again = read_until(&second, "session_end")?;
        let first_line = again.0.first().context("nothing was sent")?;
        ensure!(first_line.name() == "sensor_start", "a new reader begins with {first_line:?}");
        ensure!(again.count("unreadable") == 0 && again.count("session_start") == 1, "{}", again.to_text());

        agent.signal(Signal::SIGTERM)?;
        ensure!(agent.wait(SOON)?.success(), "{}", agent.stderr.text());
        let rest = read_until(&second, "sensor_stop")?;
        let stats = rest.last("stats").context("no stats")?;
        ensure!(stats.number("/agent/outputs_reopened") == Some(1), "{stats:?}");
        // The other output missed nothing.
        let lines: Vec<String> = std::fs::read_to_string(&file)?.lines().map(str::to_owned).collect();
        let events = Events::from_lines(&lines);
        let sequence: Vec<_> = events.0.iter().filter_map(|event| event.number("/seq")).collect();
        ensure!(sequence.iter().copied().eq(0..lines.len() as u64), "{sequence:?}");
        ensure!(events.count("session_end") == 2, "{}", events.to_text());
        Ok(())
    });
}

#[test]
fn a_reader_that_stays_away_is_counted() {
    test("a_reader_that_stays_away_is_counted", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let server = serve(&net)?;
        let scratch = Scratch::new("away")?;
        let socket = scratch.path().join("reader.sock");
        let listener = UnixListener::bind(&socket)?;
        let mut agent = start(&net, &[&format!("unix:{}", socket.display())])?;
        let (reader, _) = listener.accept()?;
        read_until(&reader, "sensor_start")?;
        drop(reader);
        drop(listener);
        visit(&net, &server)?;
        poll::until("the agent to miss its reader", SOON, || {
            Ok(agent.stderr.text().contains("trying again").then_some(()))
        })?;
        agent.signal(Signal::SIGTERM)?;
        ensure!(agent.wait(SOON)?.success(), "{}", agent.stderr.text());
        ensure!(agent.stderr.text().contains("events were not delivered"), "{}", agent.stderr.text());
        Ok(())
    });
}
