//! Processes that end with the test that started them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::poll;

/// The output of a finished process.
#[derive(Debug)]
pub struct Finished {
    /// The outcome.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs `command` to its end.
///
/// # Errors
/// It could not be started.
pub fn run(command: &mut Command) -> Result<Finished> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    Ok(Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs `command` to its end and gives its standard output.
///
/// # Errors
/// It could not be started, or said it failed.
pub fn run_ok(command: &mut Command) -> Result<String> {
    let name = format!("{command:?}");
    let finished = run(command)?;
    if !finished.status.success() {
        bail!("{name}: {}: {}{}", finished.status, finished.stderr.trim(), finished.stdout.trim());
    }
    Ok(finished.stdout)
}

/// Lines that a process has written so far.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// All lines so far.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of lines so far.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The lines from number `from` on.
    pub fn from(&self, from: usize) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.get(from..).unwrap_or_default().to_vec()
    }

    /// All lines so far as one text.
    pub fn text(&self) -> String {
        self.all().join("\n")
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// A process in the background; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    readers: Vec<JoinHandle<()>>,
    /// Its standard output.
    pub stdout: Lines,
    /// Its standard error.
    pub stderr: Lines,
}

impl Running {
    /// Starts `command` in the background and gathers what it writes.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (stdout, stderr) = (Lines::default(), Lines::default());
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(gather(pipe, stdout.clone()));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(gather(pipe, stderr.clone()));
        }
        Ok(Self { child, name, readers, stdout, stderr })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its program's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The exit status, if it has ended.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Polls `look` for as long as it runs. What it said goes with an error.
    ///
    /// # Errors
    /// `look` fails, it ended, or there is nothing within `limit`.
    pub fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let found = poll::until(what, limit, || {
            ensure!(self.ended()?.is_none(), "{} ended", self.name);
            look()
        });
        found.with_context(|| self.stderr.text())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id()).context("process id")?;
        kill(Pid::from_raw(id), signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits until it ends and all that it wrote is read.
    ///
    /// # Errors
    /// It did not end within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        let status = poll::until(&format!("{name} to end"), limit, || self.ended())?;
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gather(pipe: impl Read + Send + 'static, lines: Lines) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line);
            lines.push(text.trim_end_matches(['\n', '\r']).to_owned());
            line.clear();
        }
    })
}
