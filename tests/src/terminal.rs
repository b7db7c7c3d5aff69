//! A terminal for programs that need one: tmux.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::poll;
use crate::process::run_ok;

/// The longest wait for a picture.
const SOON: Duration = Duration::from_secs(60);

/// A terminal of its own server, which ends with it.
#[derive(Debug)]
pub struct Screen<'s> {
    socket: &'s Path,
}

impl<'s> Screen<'s> {
    /// Runs a command line in a terminal of this size.
    ///
    /// # Errors
    /// There is no tmux, or it fails.
    pub fn open(socket: &'s Path, [columns, rows]: [u16; 2], line: &str) -> Result<Self> {
        let screen = Self { socket };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        // The status line would take a row; the terminal stays when the program ends, so that its last words can be read.
        screen.tmux(&["new-session", "-d", "-s", "top", "-x", &columns, "-y", &rows, "sleep 1000"])?;
        screen.tmux(&["set-option", "-g", "status", "off"])?;
        screen.tmux(&["set-option", "-g", "remain-on-exit", "on"])?;
        screen.tmux(&["resize-window", "-t", "top", "-x", &columns, "-y", &rows])?;
        screen.tmux(&["respawn-window", "-k", "-t", "top", line])?;
        Ok(screen)
    }

    /// A command of tmux's.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.socket).args(["-f", "/dev/null", "-u"]).args(arguments);
        run_ok(command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8"))
    }

    /// Presses keys, by tmux's names of them.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn keys(&self, keys: &[&str]) -> Result<()> {
        self.tmux(&[&["send-keys", "-t", "top"], keys].concat()).map(drop)
    }

    /// The text on it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn picture(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p", "-t", "top"])
    }

    /// Waits for a picture that is as it should be.
    ///
    /// # Errors
    /// It does not come; with the last one.
    pub fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) -> Result<String> {
        let mut last = String::new();
        let found = poll::until(what, SOON, || {
            last = self.picture()?;
            Ok(is_so(&last).then(|| last.clone()))
        });
        found.with_context(|| format!("the picture is\n{last}"))
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}
