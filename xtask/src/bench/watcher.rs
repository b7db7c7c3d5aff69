//! A process that watches a device: ftpmon or a peer, what it used meanwhile, and what it wrote.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail};
use ftpmon_tests::usage;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// The longest time that a start may take.
const START_LIMIT: Duration = Duration::from_secs(30);
/// A process that used next to nothing for so long has nothing left to do.
const CALM: Duration = Duration::from_millis(300);
/// The longest wait for calm.
const CALM_LIMIT: Duration = Duration::from_secs(120);
/// Bytes taken from its output at once.
const CHUNK: usize = 1 << 20;
/// Bytes of its output's end that are kept: the last events.
const TAIL: usize = 64 << 10;

/// The part of its output that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The end.
    Tail,
    /// All, and when it was read.
    Timed,
}

/// Its output.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// When a piece was read, nanoseconds since 1970, and where in `bytes` it ends.
    pub(crate) pieces: Vec<(u64, usize)>,
    /// All of it, or its end.
    pub(crate) bytes: Vec<u8>,
}

/// A process that watches; killed when dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    child: Option<Child>,
    stdout: Option<JoinHandle<Output>>,
    stderr: Option<JoinHandle<Output>>,
    /// CPU time that its start took.
    start_cpu: Duration,
}

/// The resources that its work took, without its start and end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) cpu: Duration,
    pub(crate) peak_bytes: u64,
}

impl Watcher {
    /// Starts `command` and waits until its output or its diagnostics say `ready`.
    pub(crate) fn start(command: &mut Command, ready: &'static str, keep: Keep) -> Result<Self> {
        let name = command.get_program().display().to_string();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let (seen, heard) = mpsc::channel();
        let stdout = child.stdout.take().context("its output")?;
        let stderr = child.stderr.take().context("its diagnostics")?;
        let said = seen.clone();
        let stdout = thread::spawn(move || gather(stdout, ready, keep, &said));
        let stderr = thread::spawn(move || gather(stderr, ready, Keep::Tail, &seen));
        let mut watcher = Self {
            child: Some(child),
            stdout: Some(stdout),
            stderr: Some(stderr),
            start_cpu: Duration::ZERO,
        };
        if heard.recv_timeout(START_LIMIT).is_err() {
            let said = watcher.end(Signal::SIGKILL)?.1;
            bail!("{name} does not watch: {}", String::from_utf8_lossy(&said.bytes));
        }
        watcher.start_cpu = watcher.calm()?;
        Ok(watcher)
    }

    fn id(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("it runs no more")?.id())
    }

    /// Waits until it has nothing left to do, and gives the CPU time so far.
    fn calm(&self) -> Result<Duration> {
        let begin = Instant::now();
        let mut last = usage::cpu(self.id()?)?;
        loop {
            thread::sleep(CALM);
            let now = usage::cpu(self.id()?)?;
            // Timers tick on.
            if now.saturating_sub(last) < CALM / 50 {
                return Ok(now);
            }
            if begin.elapsed() > CALM_LIMIT {
                bail!("it does not come to rest");
            }
            last = now;
        }
    }

    /// Waits until it has done its work. Returns what it used.
    pub(crate) fn used(&self) -> Result<Used> {
        let cpu = self.calm()?.saturating_sub(self.start_cpu);
        Ok(Used { cpu, peak_bytes: usage::memory(self.id()?, "VmHWM")? })
    }

    /// Ends it. Returns its output and its diagnostics.
    pub(crate) fn stop(mut self) -> Result<(Output, Output)> {
        self.end(Signal::SIGINT)
    }

    fn end(&mut self, signal: Signal) -> Result<(Output, Output)> {
        let mut child = self.child.take().context("it runs no more")?;
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(i32::try_from(child.id())?), signal);
        child.wait()?;
        let mut joined = [&mut self.stdout, &mut self.stderr].into_iter().map(|thread| {
            let thread = thread.take().context("it was read already")?;
            thread.join().map_err(|_| anyhow!("the thread that reads panicked"))
        });
        let mut next = || joined.next().context("two threads read")?;
        Ok((next()?, next()?))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Nanoseconds since 1970.
pub(crate) fn wall_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

fn gather(mut pipe: impl Read, ready: &str, keep: Keep, seen: &mpsc::Sender<()>) -> Output {
    let mut output = Output::default();
    let mut piece = vec![0; CHUNK];
    let mut waiting = true;
    while let Ok(length @ 1..) = pipe.read(&mut piece) {
        output.bytes.extend_from_slice(piece.get(..length).unwrap_or_default());
        if waiting && String::from_utf8_lossy(&output.bytes).contains(ready) {
            waiting = false;
            // Whoever started it may have given up waiting.
            let _ = seen.send(());
        }
        match keep {
            Keep::Timed => output.pieces.push((wall_clock(), output.bytes.len())),
            Keep::Tail => drop(output.bytes.drain(..output.bytes.len().saturating_sub(TAIL))),
        }
    }
    output
}

impl Output {
    /// The last `stats` event.
    pub(crate) fn stats(&self) -> Result<Value> {
        let text = String::from_utf8_lossy(&self.bytes);
        let line =
            text.lines().rev().find(|line| line.contains("\"event\":\"stats\"")).context("no stats event")?;
        serde_json::from_str(line).context("the stats event")
    }
}
