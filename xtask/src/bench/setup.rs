//! The setup that all benchmarks share: the agent, a folder for what they make, the captures, and how often.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ftpmon_tests::script::bulk::{self, Summary};

/// Set up once a run; what was made goes with it.
#[derive(Debug)]
pub(crate) struct Setup {
    agent: PathBuf,
    folder: PathBuf,
    rounds: Option<usize>,
    /// Sessions of the large capture.
    pub(crate) sessions: u64,
    /// Size of a download, bytes.
    pub(crate) download: u64,
}

/// A capture that was made.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) path: PathBuf,
    pub(crate) holds: Summary,
}

impl Setup {
    pub(crate) fn new(agent: PathBuf, rounds: Option<usize>, sessions: u64, download: u64) -> Result<Self> {
        let folder = bench_folder()?.join(format!("work-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { agent, folder, rounds, sessions, download })
    }

    /// The agent's program.
    pub(crate) fn agent(&self) -> &Path {
        &self.agent
    }

    /// For files that are no longer wanted afterwards.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// As many rounds as were asked for, or these.
    pub(crate) fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(usual).max(1)
    }

    /// A capture of so many sessions. The same number always gives the same bytes.
    pub(crate) fn capture(&self, sessions: u64) -> Result<Capture> {
        let path = self.folder.join(format!("{sessions}.pcap"));
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let holds = bulk::write(&mut file, sessions)?;
        file.flush().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Capture { path, holds })
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        // Files left below target/ do no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder of results and scratch files.
pub(crate) fn bench_folder() -> Result<PathBuf> {
    Ok(ftpmon_tests::machine::target()?.join("bench"))
}
