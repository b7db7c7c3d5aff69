//! Readers that take next to nothing, or come when the spool is full: other outputs have everything, the agent ends in time, and what
//! a reader missed is told.

#![expect(clippy::print_stdout, reason = "the figures are told")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::chatter::Chatter;
use ftpmon_tests::events::Event;
use ftpmon_tests::net::Direct;
use ftpmon_tests::process::Running;
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(60);
/// The outputs have two seconds to write what waits at the end (docs/operations.md); the rest is for a loaded machine.
const END: Duration = Duration::from_secs(10);
/// Sessions that talk at once.
const SESSIONS: usize = 8;
/// More than the smallest queue and the kernel's buffers hold.
const QUEUE_BYTES: u64 = 6 << 20;
/// More than the smallest spool holds.
const SPOOL_BYTES: u64 = 40 << 20;

fn start(net: &Direct, options: &[&str], outputs: &[&Path]) -> Result<Running> {
    let mut command = net.server.command(&binary()?.to_string_lossy());
    command.args(["run", "--status", "off", "--iface", Direct::DEVICE]).args(options);
    outputs.iter().for_each(|output| {
        command.arg("--output").arg(output);
    });
    Running::start(&mut command)
}

/// Waits until a file has so many bytes.
fn wait_for(agent: &mut Running, file: &Path, bytes: u64) -> Result<()> {
    let has_them = || Ok(fs::metadata(file).is_ok_and(|file| file.len() >= bytes).then_some(()));
    agent.until("events", SOON, has_them)
}

fn finish(agent: &mut Running) -> Result<Duration> {
    let asked = Instant::now();
    agent.signal(Signal::SIGTERM)?;
    let status = agent.wait(SOON)?;
    ensure!(status.success(), "{status}: {}", agent.stderr.text());
    Ok(asked.elapsed())
}

/// The events are in order, and each number that is missing between the first and the last is in a range that a `drop` event among them tells.
/// Returns the number of missing events.
fn missing_and_told(text: &str) -> Result<u64> {
    let (mut missing, mut told, mut next) = (Vec::new(), Vec::new(), 0);
    for line in text.lines() {
        let event = Event(serde_json::from_str(line).with_context(|| line.to_owned())?);
        let seq = event.number("/seq").with_context(|| line.to_owned())?;
        ensure!(seq >= next, "{seq} comes behind {next}");
        if seq > next {
            missing.push((next, seq - 1));
        }
        next = seq + 1;
        if event.name() == "drop" {
            told.push(event.dropped().with_context(|| line.to_owned())?);
        }
    }
    for (from, to) in &missing {
        let is_told = told.iter().any(|range| range.contains(from) && range.contains(to));
        ensure!(is_told, "{from} to {to} are missing, told are {told:?}");
    }
    Ok(missing.iter().map(|(from, to)| to - from + 1).sum())
}

#[test]
fn a_reader_of_a_byte_a_second_holds_nothing_up() {
    test("a_reader_of_a_byte_a_second_holds_nothing_up", &[Need::Agent], || {
        let (net, scratch) = (Direct::new(1500)?, Scratch::new("byte-a-second")?);
        let (socket, file) = (scratch.path().join("reader.sock"), scratch.path().join("all.json"));
        let listener = UnixListener::bind(&socket)?;
        let output = format!("unix:{},queue=512K", socket.display());
        let mut agent = start(&net, &[], &[output.as_ref(), &file])?;
        let (mut reader, _) = listener.accept()?;
        let (stop, stopped) = channel::<()>();
        let reading = thread::spawn(move || -> Result<Vec<u8>> {
            let (mut bytes, mut byte) = (Vec::new(), [0]);
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                reader.read_exact(&mut byte)?;
                bytes.extend(byte);
            }
            Ok(bytes)
        });
        let chatter = Chatter::start(&net, SESSIONS)?;
        wait_for(&mut agent, &file, QUEUE_BYTES)?;
        drop(chatter);
        let took = finish(&mut agent)?;
        drop(stop);
        let read = reading.join().map_err(|_| anyhow!("the reader panicked"))??;
        ensure!(took < END, "the end took {took:?}");
        let all = fs::read_to_string(&file)?;
        ensure!(missing_and_told(&all)? == 0, "the file misses events");
        ensure!(!read.is_empty() && all.as_bytes().starts_with(&read), "the reader has other bytes");
        let said = agent.stderr.text();
        ensure!(said.contains("events were not delivered: ") && said.contains("queue_full"), "{said}");
        Ok(())
    });
}

/// A reader comes when the spool is full. `all_missing`: what it misses is missing everywhere.
fn comes_to_a_full_spool(policy: &str, all_missing: bool) -> Result<()> {
    let (net, scratch) = (Direct::new(1500)?, Scratch::new("spool-full")?);
    let (socket, file) = (scratch.path().join("reader.sock"), scratch.path().join("all.json"));
    let spool = scratch.path().join("spool").to_string_lossy().into_owned();
    let options = ["--user", "root", "--spool", &spool, "--spool-max-bytes", "16M", "--spool-full", policy];
    let output = format!("unix:{}", socket.display());
    let mut agent = start(&net, &options, &[output.as_ref(), &file])?;
    let chatter = Chatter::start(&net, SESSIONS)?;
    if all_missing {
        let said = agent.stderr.clone();
        agent.until("a full spool", SOON, || Ok(said.text().contains("spool_full").then_some(())))?;
    } else {
        wait_for(&mut agent, &file, SPOOL_BYTES)?;
    }
    let listener = UnixListener::bind(&socket)?;
    let (reader, _) = listener.accept()?;
    let text = Arc::new(Mutex::new(String::new()));
    let reading = {
        let text = Arc::clone(&text);
        thread::spawn(move || -> Result<()> {
            let mut lines = BufReader::new(reader);
            let mut line = String::new();
            while lines.read_line(&mut line)? > 0 {
                text.lock().map_err(|_| anyhow!("a test panicked"))?.push_str(&line);
                line.clear();
            }
            Ok(())
        })
    };
    drop(chatter);
    // It has what the spool kept, and the report of what it missed.
    agent.until("the reader to have what the file has", SOON, || {
        let there = text.lock().map_err(|_| anyhow!("the reader panicked"))?;
        let last = fs::read_to_string(&file)?.lines().next_back().map(str::to_owned);
        Ok((there.lines().next_back() == last.as_deref() && there.contains(r#""event":"drop""#))
            .then_some(()))
    })?;
    finish(&mut agent)?;
    reading.join().map_err(|_| anyhow!("the reader panicked"))??;
    let text = text.lock().map_err(|_| anyhow!("the reader panicked"))?;
    let (missed, of_all) = (missing_and_told(&text)?, missing_and_told(&fs::read_to_string(&file)?)?);
    println!("{policy}: the reader missed {missed} events, the file {of_all}");
    ensure!(missed > 0, "the spool was not full: {}", agent.stderr.text());
    ensure!((of_all > 0) == all_missing, "the file misses {of_all}");
    Ok(())
}

#[test]
fn a_full_spool_drops_the_oldest_for_the_reader_that_is_away() {
    let name = "a_full_spool_drops_the_oldest_for_the_reader_that_is_away";
    test(name, &[Need::Agent], || comes_to_a_full_spool("drop-oldest", false));
}

#[test]
fn a_full_spool_drops_the_newest_for_all() {
    let name = "a_full_spool_drops_the_newest_for_all";
    test(name, &[Need::Agent], || comes_to_a_full_spool("drop-newest", true));
}
