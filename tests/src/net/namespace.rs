//! A network namespace without a name: the kernel takes it away with its last user.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use nix::sched::{CloneFlags, setns, unshare};

use crate::process::run_ok;

/// A network namespace. Clones stand for the same one; it goes with the last clone and the last process in it, and
/// takes its devices and the kernel programs on them along. So nothing stays behind even when a test is killed.
#[derive(Clone, Debug)]
pub struct Namespace {
    handle: Arc<File>,
    label: String,
}

impl Namespace {
    /// Makes a namespace with `lo` up. `label` is for messages.
    ///
    /// # Errors
    /// No right to make one (CAP_SYS_ADMIN), or `ip` is missing.
    pub fn new(label: &str) -> Result<Self> {
        let handle = thread::spawn(|| -> Result<File> {
            unshare(CloneFlags::CLONE_NEWNET).context("cannot make a network namespace (root needed)")?;
            File::open("/proc/thread-self/ns/net").context("/proc/thread-self/ns/net")
        })
        .join()
        .map_err(|_| anyhow!("the thread that makes a namespace panicked"))??;
        let namespace = Self { handle: Arc::new(handle), label: label.to_owned() };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Its label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// A path that names it to other processes while this one lives: `ip link set … netns PATH`, `nsenter --net=PATH`.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.handle.as_raw_fd())
    }

    /// A command that will run in it. Only the network changes: mounts (and so `/sys`) stay the caller's.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let handle = Arc::clone(&self.handle);
        let enter = move || setns(&*handle, CloneFlags::CLONE_NEWNET).map_err(Into::into);
        // SAFETY: between fork and exec only setns(2) is called, which is async-signal-safe and allocates nothing.
        unsafe { command.pre_exec(enter) };
        command
    }

    /// Runs `work` on a thread inside it. Sockets that `work` opens and threads that it starts belong to the namespace.
    ///
    /// # Errors
    /// The namespace cannot be entered, `work` failed or panicked.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&*self.handle, CloneFlags::CLONE_NEWNET)
                    .with_context(|| format!("cannot enter the namespace {}", self.label))?;
                work()
            });
            match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Runs `ip` with these words, in it.
    ///
    /// # Errors
    /// `ip` is missing or failed.
    pub fn ip(&self, words: &str) -> Result<String> {
        run_ok(self.command("ip").args(words.split_whitespace()))
            .with_context(|| format!("in namespace {}", self.label))
    }

    /// Sets a switch below `/proc/sys/net`, as `ipv4/ip_forward`.
    ///
    /// # Errors
    /// There is no such switch, or no right to turn it.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        if name.contains("..") {
            bail!("no switch below /proc/sys/net: {name}");
        }
        self.run(|| {
            // The kernel looks up /proc/sys/net in the namespace of whoever opens it.
            fs::write(format!("/proc/sys/net/{name}"), value).with_context(|| format!("sysctl net/{name}"))
        })
    }
}
