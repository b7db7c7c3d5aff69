//! Diagnostics of the agent on standard error: in text or JSON, of a level that a reload changes.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, plain_test, test};
use ftpmon_tests::net::{Direct, Namespace};
use ftpmon_tests::poll;
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(20);

/// The lines so far in which the words stand.
fn lines(agent: &Agent, words: &str) -> usize {
    agent.diagnostics().lines().filter(|line| line.contains(words)).count()
}

fn wait(agent: &Agent, words: &str, count: usize) -> Result<()> {
    let found = || Ok((lines(agent, words) >= count).then_some(()));
    poll::until(words, SOON, found).with_context(|| agent.diagnostics())
}

fn hang_up(agent: &mut Agent) -> Result<()> {
    agent.process().signal(Signal::SIGHUP)
}

/// Another device, which the attacher finds by itself.
fn add_device(namespace: &Namespace, name: &str) -> Result<()> {
    namespace.ip(&format!("link add {name} type veth peer name {name}p"))?;
    namespace.ip(&format!("link set {name} up")).map(drop)
}

#[test]
fn a_level_is_reloaded_by_all_who_write() {
    test("a_level_is_reloaded_by_all_who_write", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let scratch = Scratch::new("log")?;
        let path = scratch.write("ftpmon.toml", "log-level = \"error\"\n")?;
        let config = path.to_str().context("path")?;
        let watched = ["--config", config, "--iface", Direct::DEVICE, "--iface", "more*"];
        let mut agent = Agent::start(&net.server, &watched)?;
        // Without a change there is a line of level info, which nobody wants.
        hang_up(&mut agent)?;
        agent.wait("the first reload", SOON, |events| events.count("config") == 1)?;
        add_device(&net.server, "more0")?;
        scratch.write("ftpmon.toml", "log-level = \"info\"\n")?;
        hang_up(&mut agent)?;
        wait(&agent, "ftpmon: info: 1 settings changed", 1)?;
        // The process that attaches is another one. It found the first device before it was asked for the second, if it had been told
        // of it by then: of that one alone there must be a line.
        add_device(&net.server, "more1")?;
        wait(&agent, "ftpmon: info: interface more1 is watched", 1)?;
        scratch.write("ftpmon.toml", "log-level = \"debug\"\n")?;
        hang_up(&mut agent)?;
        wait(&agent, "ftpmon: info: 1 settings changed", 2)?;
        wait(&agent, "ftpmon: debug: log.level differs", 1)?;
        let text = agent.diagnostics();
        ensure!(!text.contains("the configuration is unchanged"), "{text}");
        ensure!(text.lines().all(|line| line.starts_with("ftpmon: ")), "{text}");
        let events = agent.stop()?;
        let changes = &events.last("config").context("config")?.0["config"]["changes"];
        ensure!(changes[0]["name"] == "log.level" && changes[0]["new"] == "\"debug\"", "{changes}");
        Ok(())
    });
}

#[test]
fn diagnostics_in_json_are_objects_and_so_is_the_error_at_the_end() {
    test("diagnostics_in_json_are_objects_and_so_is_the_error_at_the_end", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let json = ["--log-format", "json", "--iface"];
        let mut agent = Agent::start(&net.server, &[&json[..], &[Direct::DEVICE]].concat())?;
        hang_up(&mut agent)?;
        wait(&agent, "the configuration is unchanged", 1)?;
        let mut text = agent.diagnostics() + "\n";
        agent.stop()?;
        let failed =
            net.server.command(&binary()?.to_string_lossy()).arg("run").args(json).arg("nope0").output()?;
        ensure!(failed.status.code() == Some(1), "{}", failed.status);
        text.push_str(&String::from_utf8(failed.stderr)?);
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).with_context(|| text.clone())?;
            for field in ["ts", "level", "target", "message"] {
                ensure!(line[field].is_string(), "{field}: {line}");
            }
        }
        let last: serde_json::Value = serde_json::from_str(text.lines().last().context("a line")?)?;
        ensure!(last["level"] == "error", "{last}");
        ensure!(last["message"].as_str().is_some_and(|text| text.contains("nope0")), "{last}");
        Ok(())
    });
}

#[test]
fn a_text_of_an_input_stays_one_line() {
    plain_test("a_text_of_an_input_stays_one_line", &[Need::Agent], || {
        let scratch = Scratch::new("log-line")?;
        // Two files that cannot be read: the first is told while reading, the last is the error of the run.
        let [one, other] = ["a\nftpmon: error: b", "c"].map(|name| scratch.path().join(name));
        let output = Command::new(binary()?).arg("read").args([&one, &other]).output()?;
        let text = String::from_utf8(output.stderr)?;
        ensure!(output.status.code() == Some(1), "{}", output.status);
        ensure!(text.lines().count() == 2 && text.contains("a\\nftpmon: error: b"), "{text}");
        ensure!(
            text.starts_with("ftpmon: error: ") && text.lines().all(|line| line.starts_with("ftpmon: ")),
            "{text}"
        );
        Ok(())
    });
}
