//! An agent with a configuration file, which it is told to read again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use crate::agent::Agent;
use crate::bed::Scratch;
use crate::events::{Event, Events};
use crate::net::{Direct, Namespace};
use crate::poll;

/// The longest wait for a configuration to be read.
const LIMIT: Duration = Duration::from_secs(20);

/// The agent, and its configuration file, which is removed with it.
#[derive(Debug)]
pub struct Configured {
    /// The agent.
    pub agent: Agent,
    path: PathBuf,
    _folder: Scratch,
    reloads: usize,
}

impl Configured {
    /// Starts an agent that watches the device of a wire in `namespace`.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(name: &str, namespace: &Namespace, text: &str) -> Result<Self> {
        let folder = Scratch::new(name)?;
        let path = folder.write("ftpmon.toml", text)?;
        let options = ["--config", path.to_str().context("path")?, "--iface", Direct::DEVICE];
        let agent = Agent::start(namespace, &options)?;
        Ok(Self { agent, path, _folder: folder, reloads: 0 })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file anew and has it read. Returns the event that tells what came of it.
    ///
    /// # Errors
    /// Nothing is told.
    pub fn reload(&mut self, text: &str) -> Result<Event> {
        fs::write(&self.path, text)?;
        self.agent.process().signal(Signal::SIGHUP)?;
        self.reloads += 1;
        let lines = self.agent.lines();
        let line = poll::until("the config event", LIMIT, || {
            let mut told = lines.all().into_iter().filter(|line| line.contains("\"event\":\"config\""));
            Ok(told.nth(self.reloads - 1))
        })?;
        Events::from_lines(&[line]).0.pop().context("no config event")
    }

    /// Sessions that ended.
    pub fn sessions(&self) -> usize {
        self.agent.lines().all().iter().filter(|line| line.contains("\"event\":\"session_end\"")).count()
    }
}
