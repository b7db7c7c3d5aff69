//! ftpmon itself under test: started in a namespace, its events gathered, ended in order.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::events::Events;
use crate::net::Namespace;
use crate::poll;
use crate::process::{Lines, Running};
use crate::schema;

/// The longest time that loading and attaching may take on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The longest time that an orderly end may take.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// The binary under test: `FTPMON_BIN`, or the one built beside this program.
///
/// # Errors
/// There is none: it was not built.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("FTPMON_BIN") {
        return Ok(path.into());
    }
    let own = env::current_exe().context("own path")?;
    let beside = own
        .ancestors()
        .skip(1)
        .take(3)
        .flat_map(|folder| [folder.join("ftpmon"), folder.join("release/ftpmon")].into_iter());
    beside.into_iter().find(|path| path.is_file()).with_context(|| {
        format!("no ftpmon beside {}: build it (cargo build -p ftpmon) or set FTPMON_BIN", own.display())
    })
}

/// A running ftpmon.
#[derive(Debug)]
pub struct Agent {
    process: Running,
}

impl Agent {
    /// Starts `ftpmon run` with these arguments in a namespace and waits until it watches.
    ///
    /// # Errors
    /// It ended, or did not say `sensor_start` in time: with what it wrote to standard error.
    pub fn start(namespace: &Namespace, arguments: &[&str]) -> Result<Self> {
        Self::start_binary(&binary()?, namespace, arguments)
    }

    /// The same with a given binary.
    ///
    /// # Errors
    /// As [`Agent::start`].
    pub fn start_binary(binary: &Path, namespace: &Namespace, arguments: &[&str]) -> Result<Self> {
        let mut command = namespace.command(&binary.to_string_lossy());
        let mut process = Running::start(command.arg("run").args(arguments))?;
        poll::until("ftpmon's sensor_start", START_LIMIT, || {
            if process.ended()?.is_some() {
                // The reason may still lie in the pipe.
                let status = process.wait(STOP_LIMIT)?;
                bail!("ftpmon ended at once: {status}");
            }
            Ok(process.stdout.all().iter().any(|line| line.contains("\"sensor_start\"")).then_some(()))
        })
        .with_context(|| format!("ftpmon {arguments:?} said: {}", process.stderr.text()))?;
        Ok(Self { process })
    }

    /// Its events so far.
    pub fn events(&self) -> Events {
        Events::from_lines(&self.process.stdout.all())
    }

    /// Its standard output, line by line; more comes in while it runs.
    pub fn lines(&self) -> Lines {
        self.process.stdout.clone()
    }

    /// Its diagnostics so far.
    pub fn diagnostics(&self) -> String {
        self.process.stderr.text()
    }

    /// The same line by line; more comes in while it runs, and as it ends.
    pub fn diagnostic_lines(&self) -> Lines {
        self.process.stderr.clone()
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Running {
        &mut self.process
    }

    /// Waits until `done` says yes to the events so far.
    ///
    /// # Errors
    /// It did not within `limit`: with the events so far.
    pub fn wait(&self, what: &str, limit: Duration, mut done: impl FnMut(&Events) -> bool) -> Result<Events> {
        let mut last = 0;
        let found = poll::until(what, limit, || {
            // Reading all events anew is dear: only when there are new ones.
            let count = self.process.stdout.count();
            if count == last {
                return Ok(None);
            }
            last = count;
            let events = self.events();
            Ok(done(&events).then_some(events))
        });
        found.with_context(|| self.so_far())
    }

    fn so_far(&self) -> String {
        let text = self.process.stdout.text();
        let tail = text.char_indices().rev().nth(20_000).map_or(0, |(at, _)| at);
        format!("events so far: …{}\nftpmon said: {}", text.get(tail..).unwrap_or(""), self.diagnostics())
    }

    /// Waits until this many sessions have ended.
    ///
    /// # Errors
    /// They did not within `limit`.
    pub fn wait_for_sessions(&self, count: usize, limit: Duration) -> Result<()> {
        let (mut looked, mut ended) = (0, 0);
        let found = poll::until(&format!("{count} session_end events"), limit, || {
            let lines = self.process.stdout.from(looked);
            looked += lines.len();
            ended += lines.iter().filter(|line| line.contains("\"event\":\"session_end\"")).count();
            Ok((ended >= count).then_some(()))
        });
        found.with_context(|| self.so_far())
    }

    /// Ends it with SIGINT. Returns all its events.
    ///
    /// # Errors
    /// It did not end in time, said it failed, did not say `sensor_stop`, or wrote what the schema does not allow.
    pub fn stop(self) -> Result<Events> {
        let events = Events::from_lines(&self.stop_unread()?);
        events.0.iter().try_for_each(|event| schema::check(&event.0))?;
        Ok(events)
    }

    /// The same, with the events as lines of which only the last is parsed: for more events than fit into memory parsed.
    ///
    /// # Errors
    /// It did not end in time, said it failed, or did not say `sensor_stop`.
    pub fn stop_unread(mut self) -> Result<Vec<String>> {
        self.process.signal(Signal::SIGINT)?;
        let status = self.process.wait(STOP_LIMIT)?;
        if !status.success() {
            bail!("ftpmon ended with {status}: {}", self.diagnostics());
        }
        let lines = self.process.stdout.all();
        let last = lines.last().map_or("", String::as_str);
        if !last.contains("\"event\":\"sensor_stop\"") {
            bail!("the last event is no sensor_stop: {last}");
        }
        Ok(lines)
    }
}
