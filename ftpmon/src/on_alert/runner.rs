//! The process that starts the operator's command.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::{error, warn};

use super::environment::variables;
use super::purpose::Purpose;
use crate::sandbox::Account;
use ftpmon_event::EventLine;

/// Longest event, bytes: more than the longest line of an output.
const MESSAGE_MAX: usize = 128 << 10;
/// Commands at a time. Stops alerts and files from filling the host with processes where a command is slow.
const RUNNING_MAX: usize = 4;
/// Commands for alerts a minute. Stops a peer that provokes alerts from keeping the host busy.
const PER_MINUTE: u32 = 60;
/// A command that runs longer is killed.
const TIME_MAX: Duration = Duration::from_secs(30);
/// Between two looks at commands that run.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// The `PATH` of commands.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The life of the runner: to the end of the agent.
pub(super) fn life(purpose: Purpose, socket: &OwnedFd, command: &Path, account: Option<&Account>) {
    ignore_stop_signals();
    if let Err(error) = account.map_or(Ok(()), Account::become_for_good) {
        error!("{}: {error}", purpose.option());
        return;
    }
    let (minute, running) = (Instant::now(), Vec::new());
    let mut runner = Runner { purpose, command, running, minute, started: 0, skipped: 0 };
    let mut message = vec![0; MESSAGE_MAX];
    loop {
        runner.look();
        let mut fds = [PollFd::new(socket, PollFlags::IN)];
        let wait = if runner.running.is_empty() { None } else { Some(&LOOK) };
        match poll(&mut fds, wait) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => break,
        }
        match rustix::net::recv(socket.as_fd(), &mut message[..], rustix::net::RecvFlags::empty()) {
            Ok((0, _)) | Err(_) => break,
            Ok((length, _)) => runner.event(message.get(..length).unwrap_or_default()),
        }
    }
    runner.finish();
}

/// Signals for the agent's process group are the agent's: it closes the socket when it ends.
fn ignore_stop_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: SIG_IGN is no function of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

struct Runner<'a> {
    purpose: Purpose,
    command: &'a Path,
    running: Vec<(Child, Instant)>,
    /// When the minute began in which commands are counted.
    minute: Instant,
    started: u32,
    skipped: u32,
}

impl Runner<'_> {
    fn event(&mut self, message: &[u8]) {
        while self.purpose == Purpose::File && self.running.len() >= RUNNING_MAX {
            self.look();
            std::thread::sleep(Duration::from_millis(20));
        }
        if self.minute.elapsed() >= Duration::from_secs(60) {
            self.report_skipped();
            (self.minute, self.started) = (Instant::now(), 0);
        }
        let is_too_fast = self.started >= PER_MINUTE || self.running.len() >= RUNNING_MAX;
        if self.purpose == Purpose::Alert && is_too_fast {
            self.skipped += 1;
            return;
        }
        let Ok(json) = std::str::from_utf8(message) else { return };
        let Ok(line) = serde_json::from_str::<EventLine>(json) else { return };
        self.started += 1;
        let started = Command::new(self.command)
            .env_clear()
            .env("PATH", PATH)
            .envs(variables(&line, json))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn();
        match started {
            Ok(child) => self.running.push((child, Instant::now())),
            Err(error) => {
                let (option, command) = (self.purpose.option(), self.command.display());
                error!("{option}: cannot run {command}: {error}");
            }
        }
    }

    /// Takes note of commands that ended, and kills those that do not.
    fn look(&mut self) {
        let (option, command) = (self.purpose.option(), self.command.display());
        self.running.retain_mut(|(child, since)| match child.try_wait() {
            Ok(None) if since.elapsed() < TIME_MAX => true,
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                warn!("{option}: {command} was killed after {} s", TIME_MAX.as_secs());
                false
            }
            Ok(Some(status)) => {
                if !status.success() {
                    warn!("{option}: {command} failed ({status})");
                }
                false
            }
            Err(_) => false,
        });
    }

    fn report_skipped(&mut self) {
        if self.skipped > 0 {
            warn!(
                "--on-alert: not run for {} alerts: {PER_MINUTE} a minute and {RUNNING_MAX} at a time are the most",
                self.skipped
            );
            self.skipped = 0;
        }
    }

    /// The agent ended: commands that run may end, those that do not are killed.
    fn finish(mut self) {
        self.report_skipped();
        while !self.running.is_empty() {
            self.look();
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
