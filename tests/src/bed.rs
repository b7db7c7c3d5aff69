//! The needs of a test, and the outcome on a machine that lacks one.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::unistd::Uid;

use crate::agent;
use crate::machine::find;
use crate::oracle::{Unpacked, browser};
use crate::party::Party;
use crate::receiver::Receiver;

/// A need of a test.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// Root: namespaces, raw sockets, kernel programs.
    Root,
    /// A program on the PATH.
    Tool(&'static str),
    /// The ftpmon binary.
    Agent,
    /// A real server or client.
    Party(Party),
    /// A receiver of events, or a client of one.
    Receiver(Receiver),
    /// A program that is unpacked.
    Unpacked(Unpacked),
    /// A browser.
    Browser,
}

impl Need {
    /// The reason why it cannot be had, if so.
    fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!Uid::effective().is_root()).then(|| "needs root".into()),
            Self::Tool(name) => find(name).is_none().then(|| format!("{name} is not installed")),
            Self::Agent => agent::binary().err().map(|error| error.to_string()),
            Self::Party(party) => party.missing(),
            Self::Receiver(receiver) => receiver.missing(),
            Self::Unpacked(program) => program.missing(),
            Self::Browser => browser().is_none().then(|| "there is no Chromium".into()),
        }
    }
}

/// Runs an end-to-end test. If a need is not met it says `SKIP name: why` and passes, or fails when `FTPMON_NO_SKIP`
/// is set. A failure is told with all its causes.
pub fn test(name: &str, needs: &[Need], body: impl FnOnce() -> Result<()>) {
    let always = [Need::Root, Need::Tool("ip")];
    plain_test(name, &[&always, needs].concat(), body);
}

/// The same for a test that needs no root, unless it says so.
pub fn plain_test(name: &str, needs: &[Need], body: impl FnOnce() -> Result<()>) {
    let missing = needs.iter().find_map(|need| need.missing());
    if let Some(why) = missing {
        assert!(!no_skip(), "{name} may not be skipped: {why}");
        say_skip(name, &why);
        return;
    }
    if let Err(error) = body() {
        #[expect(clippy::panic, reason = "this is how a test fails")]
        {
            panic!("{name}: {error:#}");
        }
    }
}

/// Skipping is forbidden.
fn no_skip() -> bool {
    env::var_os("FTPMON_NO_SKIP").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Tells of a skipped test: on standard error, past libtest's capture, and to `FTPMON_SKIP_LOG` where the count is kept.
fn say_skip(name: &str, why: &str) {
    let line = format!("SKIP {name}: {why}\n");
    // A closed standard error changes nothing about the test.
    let _ = io::stderr().write_all(line.as_bytes());
    if let Some(path) = env::var_os("FTPMON_SKIP_LOG") {
        let log = OpenOptions::new().create(true).append(true).open(path);
        let _ = log.and_then(|mut log| log.write_all(line.as_bytes()));
    }
}

/// A folder for a test's files; removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A fresh folder whose name begins with `label`. Anybody may read it: servers give up root.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(label: &str) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("ftpmon-{label}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { path })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file into it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.path.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Files left in the temporary folder do no harm.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
