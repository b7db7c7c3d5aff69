//! Disks that are full or read-only: the agent starts and goes on, says so once, counts what it could not keep, and other outputs have
//! everything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::chatter::Chatter;
use ftpmon_tests::events::Event;
use ftpmon_tests::net::Direct;
use ftpmon_tests::poll;
use ftpmon_tests::process::{Running, run_ok};
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(60);
const NEEDS: [Need; 3] = [Need::Agent, Need::Tool("unshare"), Need::Tool("nsenter")];
/// The file elsewhere.
const REFERENCE: &str = "reference.json";
/// Events after which a test has seen enough.
const EVENTS: usize = 2_000;
/// Mounts a file system in memory with these options, prepares it, and becomes the agent. Only the agent's mounts have it.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs -o "uid=1,gid=1,mode=755,size=4m,$2" none "$1"
eval "$3"
shift 3
exec "$@"
"#;

/// An agent with a small disk of its own, and a file elsewhere that has everything.
struct Place {
    net: Direct,
    scratch: Scratch,
    agent: Running,
}

impl Place {
    /// `prepare` is shell, in which `$1` is the disk. Options may name it by `DISK`.
    fn start(label: &str, mount: &str, prepare: &str, options: &[&str]) -> Result<Self> {
        let net = Direct::new(1500)?;
        let scratch = Scratch::new(label)?;
        let disk = scratch.path().join("disk");
        fs::create_dir(&disk)?;
        let disk = disk.to_string_lossy().into_owned();
        let mut command = net.server.command("unshare");
        command.args(["--mount", "sh", "-c", SCRIPT, "disk", &disk, mount, prepare]).arg(binary()?);
        command.args(["run", "--user", "daemon", "--status", "off", "--iface", Direct::DEVICE]);
        command.args(options.iter().map(|option| option.replace("DISK", &disk)));
        let reference = scratch.path().join(REFERENCE);
        let agent = Running::start(command.arg("--output").arg(reference))?;
        Ok(Self { net, scratch, agent })
    }

    fn talk(&self) -> Result<Chatter> {
        Chatter::start(&self.net, 4)
    }

    /// A file of the disk, as this process reaches it.
    fn on_disk(&self, name: &str) -> PathBuf {
        let disk = self.scratch.path().join("disk").join(name);
        Path::new(&format!("/proc/{}/root", self.agent.id())).join(disk.strip_prefix("/").unwrap_or(&disk))
    }

    /// Mounts the disk again with other options.
    fn remount(&self, options: &str) -> Result<()> {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.agent.id().to_string(), "mount", "-o"]);
        run_ok(command.arg(format!("remount,{options}")).arg(self.scratch.path().join("disk"))).map(drop)
    }

    fn reference(&self) -> Result<Vec<String>> {
        lines(&self.scratch.path().join(REFERENCE))
    }

    /// Waits until the file elsewhere has so many events.
    fn wait(&mut self, events: usize) -> Result<()> {
        let reference = self.scratch.path().join(REFERENCE);
        let has_them = || Ok(lines(&reference).is_ok_and(|lines| lines.len() >= events).then_some(()));
        self.agent.until("events", SOON, has_them)
    }

    fn wait_for_words(&mut self, words: &str) -> Result<()> {
        let said = self.agent.stderr.clone();
        self.agent.until(words, SOON, || Ok(said.text().contains(words).then_some(())))
    }

    /// Ends the agent and gives what the file elsewhere and one on the disk have.
    fn finish(mut self, name: &str) -> Result<(Vec<String>, Vec<String>)> {
        // Its mounts end with it.
        let kept = fs::File::open(self.on_disk(name)).ok();
        self.agent.signal(Signal::SIGTERM)?;
        let status = self.agent.wait(SOON)?;
        ensure!(status.success(), "{status}: {}", self.agent.stderr.text());
        let there = kept.map_or(Ok(String::new()), std::io::read_to_string)?;
        Ok((self.reference()?, there.lines().map(str::to_owned).collect()))
    }

    fn said(&self, words: &str) -> usize {
        self.agent.stderr.text().lines().filter(|line| line.contains(words)).count()
    }
}

fn lines(path: &Path) -> Result<Vec<String>> {
    Ok(fs::read_to_string(path)?.lines().map(str::to_owned).collect())
}

/// `all` has every number from 0 on; `some` has them in order but for the ranges that the `drop` events of `all` tell.
fn complete_but_for_what_is_told(all: &[String], some: &[String]) -> Result<u64> {
    let mut missing = Vec::new();
    for (number, line) in all.iter().enumerate() {
        let event = Event(serde_json::from_str(line)?);
        ensure!(event.number("/seq") == Some(number as u64), "line {number} is {line}");
        if event.name() == "drop" {
            let lost = event.dropped().with_context(|| line.clone())?;
            ensure!(event.number("/drop/count") == Some(lost.end() - lost.start() + 1), "{line}");
            missing.extend(lost);
        }
    }
    let due = all.iter().enumerate().filter(|(number, _)| !missing.contains(&(*number as u64)));
    let due: Vec<&String> = due.map(|(_, line)| line).collect();
    for (line, wanted) in some.iter().zip(&due) {
        ensure!(line == *wanted, "{line} is there, and not {wanted}");
    }
    ensure!(some.len() == due.len(), "{} of {} lines are there", some.len(), due.len());
    Ok(missing.len() as u64)
}

/// A file output fills its disk in the midst of a run, and goes on when there is room.
#[test]
fn a_disk_that_becomes_full() {
    test("a_disk_that_becomes_full", &NEEDS, || {
        let filler = "head -c 3600000 /dev/zero >\"$1/filler\"";
        let mut place = Place::start("disk-full", "", filler, &["--output", "DISK/events.json,queue=512K"])?;
        place.wait(1)?;
        let chatter = place.talk()?;
        place.wait_for_words("No space left")?;
        // More than the queue holds.
        let before = place.reference()?.len();
        place.wait(before + 2 * EVENTS)?;
        let commands = chatter.commands();
        poll::until("traffic", SOON, || Ok((chatter.commands() > commands).then_some(())))?;
        fs::remove_file(place.on_disk("filler"))?;
        place.wait_for_words("works again")?;
        drop(chatter);
        ensure!(place.said("No space left") == 1, "{}", place.agent.stderr.text());
        let (all, some) = place.finish("events.json")?;
        let missing = complete_but_for_what_is_told(&all, &some)?;
        ensure!(missing > 0, "nothing was lost of {}", all.len());
        Ok(())
    });
}

/// Nothing can be written at the start, into a file whose last line a crash left unfinished.
#[test]
fn a_disk_that_is_full_at_the_start() {
    test("a_disk_that_is_full_at_the_start", &NEEDS, || {
        let prepare = "printf half >\"$1/events.json\"; chown daemon \"$1/events.json\"; \
             head -c 4090 /dev/zero | tr '\\0' x >>\"$1/events.json\"; printf yz >>\"$1/events.json\"; \
             cat /dev/zero >\"$1/filler\" 2>/dev/null || true";
        let mut place = Place::start("disk-full-start", "", prepare, &["--output", "DISK/events.json"])?;
        place.wait_for_words("No space left")?;
        let chatter = place.talk()?;
        place.wait(EVENTS / 2)?;
        fs::remove_file(place.on_disk("filler"))?;
        place.wait_for_words("works again")?;
        drop(chatter);
        let (all, mut some) = place.finish("events.json")?;
        ensure!(
            some.first().is_some_and(|line| line.starts_with("half") && line.ends_with("yz")),
            "{some:?}"
        );
        some.remove(0);
        ensure!(complete_but_for_what_is_told(&all, &some)? == 0, "something is lost");
        Ok(())
    });
}

/// The spool of a run that starts on a full disk: events wait, and all of them come when there is room.
#[test]
fn a_spool_on_a_full_disk() {
    test("a_spool_on_a_full_disk", &NEEDS, || {
        let prepare = "cat /dev/zero >\"$1/filler\" 2>/dev/null || true";
        let mut place = Place::start("disk-spool", "", prepare, &["--spool", "DISK/spool"])?;
        place.wait_for_words("No space left")?;
        let chatter = place.talk()?;
        let commands = chatter.commands();
        poll::until("traffic", SOON, || Ok((chatter.commands() > commands + 500).then_some(())))?;
        fs::remove_file(place.on_disk("filler"))?;
        place.wait(EVENTS / 2)?;
        drop(chatter);
        ensure!(place.said("trying again") == 1, "{}", place.agent.stderr.text());
        let (all, _) = place.finish("none")?;
        ensure!(complete_but_for_what_is_told(&all, &all)? == 0, "something is lost");
        Ok(())
    });
}

/// A read-only disk is no reason to watch nothing: the run has no spool, and the file there is tried again.
#[test]
fn a_disk_that_is_read_only() {
    test("a_disk_that_is_read_only", &NEEDS, || {
        let options = ["--spool", "DISK/spool", "--output", "DISK/events.json"];
        let mut place = Place::start("disk-ro", "ro", "", &options)?;
        place.wait_for_words("this run has no spool")?;
        place.wait_for_words("Read-only file system (os error 30); trying again")?;
        let chatter = place.talk()?;
        place.wait(EVENTS / 2)?;
        place.remount("rw")?;
        place.wait_for_words("works again")?;
        drop(chatter);
        let (all, some) = place.finish("events.json")?;
        ensure!(complete_but_for_what_is_told(&all, &some)? == 0, "something is lost");
        Ok(())
    });
}
