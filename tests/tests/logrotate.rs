//! The real logrotate on the file of an agent that writes thousands of events a second.

#![expect(clippy::print_stdout, reason = "the figures are told")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::chatter::Chatter;
use ftpmon_tests::net::Direct;
use ftpmon_tests::poll;
use ftpmon_tests::process::{Running, run, run_ok};
use nix::sys::signal::Signal;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);
const NEEDS: [Need; 2] = [Need::Agent, Need::Tool("logrotate")];
/// Sessions that talk at once: more than 5,000 events a second where the machine has time for it.
const SESSIONS: usize = 8;
/// Rotations of the file, and the events between.
const ROTATIONS: usize = 5;
const EVENTS: usize = 3_000;

/// The event files of an agent, the rotated ones first, and one elsewhere that nobody rotates.
struct Rotated {
    files: Vec<String>,
    reference: Vec<String>,
    said: String,
    folder: Scratch,
}

/// Waits until a file has so many lines.
fn wait(agent: &mut Running, file: &Path, events: usize) -> Result<()> {
    agent.until("events", SOON, || {
        let lines = fs::read_to_string(file).map_or(0, |text| text.lines().count());
        Ok((lines >= events).then_some(()))
    })
}

/// Rotates an agent's file by logrotate with these directives; `AGENT` in them is the agent's process id.
fn rotate(label: &str, directives: &str) -> Result<Rotated> {
    let net = Direct::new(1500)?;
    let scratch = Scratch::new(label)?;
    let folder = scratch.path().join("logs");
    fs::create_dir(&folder)?;
    // The user daemon of every Debian.
    chown(&folder, Some(1), Some(1))?;
    let (file, reference) = (folder.join("events.json"), scratch.path().join("reference.json"));
    let mut command = net.server.command(&binary()?.to_string_lossy());
    command.args(["run", "--user", "daemon", "--status", "off", "--iface", Direct::DEVICE]);
    command.arg("--output").arg(&file).arg("--output").arg(&reference);
    let mut agent = Running::start(&mut command)?;
    wait(&mut agent, &reference, 1)?;
    let chatter = Chatter::start(&net, SESSIONS)?;
    let began = Instant::now();
    for rotation in 0..=ROTATIONS {
        wait(&mut agent, &reference, (rotation + 1) * EVENTS)?;
        if rotation < ROTATIONS {
            let directives = directives.replace("AGENT", &agent.id().to_string());
            let config = format!("{} {{\nsu daemon daemon\nrotate 99\n{directives}\n}}\n", file.display());
            let config = scratch.write("logrotate.conf", config)?;
            let state = folder.join("state");
            run_ok(Command::new("logrotate").arg("--force").arg("--state").arg(state).arg(config))?;
            poll::until("the next file", SOON, || Ok(file.exists().then_some(())))?;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    drop(chatter);
    agent.signal(Signal::SIGTERM)?;
    let status = agent.wait(SOON)?;
    ensure!(status.success(), "{status}: {}", agent.stderr.text());
    let lines =
        |path: PathBuf| anyhow::Ok(fs::read_to_string(&path).with_context(|| path.display().to_string())?);
    let reference: Vec<String> = lines(reference)?.lines().map(str::to_owned).collect();
    println!("{label}: {:.0} events a second", reference.len() as f64 / seconds);
    let rotated = (1..=ROTATIONS).rev().map(|number| folder.join(format!("events.json.{number}")));
    let files: Vec<String> = rotated.chain([file.clone()]).map(lines).collect::<Result<_>>()?;
    Ok(Rotated { files, reference, said: agent.stderr.text(), folder: scratch })
}

impl Rotated {
    /// The events of all files, in their order. A new file begins with the first event of the run again.
    fn events(&self) -> Vec<&str> {
        let begin = |line: &&str| line.contains("\"sensor_start\"");
        let mut lines: Vec<&str> = Vec::new();
        for file in &self.files {
            let first = lines.is_empty();
            lines.extend(file.lines().filter(|line| first || !begin(line)));
        }
        lines
    }
}

/// Nothing is missing and nothing is there twice, whatever file it is in.
fn nothing_is_lost(label: &str, directives: &str) -> Result<()> {
    let rotated = rotate(label, directives)?;
    let events = rotated.events();
    for (line, wanted) in events.iter().zip(&rotated.reference) {
        ensure!(line == wanted, "{line} is there, and not {wanted}");
    }
    let (there, all) = (events.len(), rotated.reference.len());
    ensure!(there == all, "{there} of {all} events are there: {}", rotated.said);
    let filled = rotated.files.iter().filter(|file| file.lines().count() > 1).count();
    ensure!(filled == ROTATIONS + 1, "{filled} files have events");
    Ok(())
}

#[test]
fn logrotate_with_create_loses_nothing() {
    test("logrotate_with_create_loses_nothing", &NEEDS, || {
        nothing_is_lost("logrotate-create", "create 0640 daemon daemon")
    });
}

#[test]
fn logrotate_with_a_signal_loses_nothing() {
    test("logrotate_with_a_signal_loses_nothing", &NEEDS, || {
        nothing_is_lost("logrotate-signal", "nocreate\npostrotate\nkill -HUP AGENT\nendscript")
    });
}

/// The loss of logrotate itself is told, `verify` finds its ranges, and nothing else is lost.
#[test]
fn logrotate_with_copytruncate_is_told() {
    test("logrotate_with_copytruncate_is_told", &NEEDS, || {
        let rotated = rotate("logrotate-copytruncate", "copytruncate")?;
        ensure!(rotated.said.matches("was truncated by another program").count() == 1, "{}", rotated.said);
        let mut there = BTreeSet::new();
        for file in &rotated.files {
            // A copy may end in the midst of a line.
            let whole = file.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            there.extend(whole.filter_map(|event| event.get("seq").and_then(Value::as_u64)));
        }
        let missing: Vec<u64> =
            (0..rotated.reference.len() as u64).filter(|seq| !there.contains(seq)).collect();
        println!("copytruncate lost {} of {} events", missing.len(), rotated.reference.len());
        let logs = rotated.folder.path().join("logs");
        let names = fs::read_dir(&logs)?.filter_map(|entry| Some(entry.ok()?.path()));
        let names = names.filter(|path| path.to_string_lossy().contains("events.json"));
        let verified = run(Command::new(binary()?).arg("verify").args(names))?;
        ensure!(verified.status.success() == missing.is_empty(), "{missing:?}: {}", verified.stdout);
        for (number, line) in rotated.reference.iter().enumerate() {
            ensure!(line.contains(&format!("\"seq\":{number},")), "line {number} is {line}");
        }
        Ok(())
    });
}
