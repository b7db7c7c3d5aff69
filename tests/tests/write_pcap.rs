//! The capture file that a run writes: readable, and without passwords.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::compare::{self, same};
use ftpmon_tests::events::Events;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::process::run_ok;

const LIMIT: Duration = Duration::from_secs(20);

/// A session under the agent; its events, and those of `ftpmon read` on what it wrote.
fn live_and_read(scratch: &Scratch, more: &[&str]) -> Result<(Events, Events)> {
    let net = Direct::new(1500)?;
    let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(200_000));
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let path = scratch.path().join("out.pcapng").to_string_lossy().into_owned();
    let agent =
        Agent::start(&net.server, &[&["--iface", Direct::DEVICE, "--write-pcap", &path], more].concat())?;
    net.client.run(|| {
        let mut client = Client::connect(at, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        client.retrieve(DataMode::Pasv, "/a.bin", None)?;
        client.store(DataMode::Eprt, "STOR", "/up", &Content::Pattern(5_000))?;
        client.quit()
    })?;
    agent.wait_for_sessions(1, LIMIT)?;
    let live = agent.stop()?;
    let lines = run_ok(Command::new(binary()?).arg("read").args(more).arg(&path))?;
    let lines: Vec<&str> = lines.lines().collect();
    drop(server);
    Ok((live, Events::from_lines(&lines)))
}

/// What was said, in order.
fn dialogue(events: &Events) -> Vec<String> {
    let said = |event: &&ftpmon_tests::events::Event| {
        matches!(event.name(), "command" | "reply" | "login" | "data_channel")
    };
    let line = |event: &ftpmon_tests::events::Event| {
        let own = [&event.0["command"], &event.0["reply"], &event.0["login"], &event.0["data"]];
        format!("{} {} {} {own:?}", event.name(), event.text("/ts"), event.text("/session"))
    };
    events.0.iter().filter(said).map(line).collect()
}

#[test]
fn the_same_session_is_in_the_file() {
    test("the_same_session_is_in_the_file", &[Need::Agent], || {
        let scratch = Scratch::new("pcap")?;
        let (live, read) = live_and_read(&scratch, &[])?;
        compare::stream(&live)?;
        ensure!(live.count("transfer") == 2, "{}", live.to_text());
        same("event", &dialogue(&live), &dialogue(&read))?;
        let file = std::fs::read(scratch.path().join("out.pcapng"))?;
        let text = String::from_utf8_lossy(&file);
        ensure!(!text.contains("wonderland"), "the password is in the file");
        ensure!(text.contains("PASS **********"), "its place is kept");
        ensure!(text.contains(" command RETR /a.bin"), "no comment");
        Ok(())
    });
}

#[test]
fn passwords_are_in_the_file_where_they_are_to_be_shown() {
    test("passwords_are_in_the_file_where_they_are_to_be_shown", &[Need::Agent], || {
        let scratch = Scratch::new("pcap")?;
        let (live, read) = live_and_read(&scratch, &["--secrets", "show"])?;
        same("event", &dialogue(&live), &dialogue(&read))?;
        let file = std::fs::read(scratch.path().join("out.pcapng"))?;
        ensure!(String::from_utf8_lossy(&file).contains("PASS wonderland"), "no password");
        Ok(())
    });
}

/// A file that has reached its size is told, and the events go on.
#[test]
fn the_file_has_a_cap() {
    test("the_file_has_a_cap", &[Need::Agent], || {
        let scratch = Scratch::new("pcap")?;
        let net = Direct::new(1500)?;
        let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let server = net.server.run(|| Server::start(at, Behaviour::default()))?;
        let path = scratch.path().join("out.pcapng").to_string_lossy().into_owned();
        let options = ["--iface", Direct::DEVICE, "--write-pcap", &path, "--write-pcap-max-bytes", "1500"];
        let agent = Agent::start(&net.server, &options)?;
        net.client.run(|| {
            let mut client = Client::connect(at, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            client.quit()
        })?;
        agent.wait_for_sessions(1, LIMIT)?;
        let events = agent.stop()?;
        let lost = events.last("stats").and_then(|stats| stats.number("/lost/pcap_max_bytes"));
        ensure!(lost.is_some_and(|lost| lost > 0), "{}", events.to_text());
        ensure!(events.count("login") == 1, "{}", events.to_text());
        drop(server);
        Ok(())
    });
}
