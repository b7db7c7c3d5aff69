//! The resources that a process used: time, CPU and memory.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Between two looks at a process's memory.
const LOOK: Duration = Duration::from_millis(2);

/// The resources that a process used from its start to its end.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// The outcome.
    pub status: ExitStatus,
    /// From start to end.
    pub elapsed: Duration,
    /// CPU time, its own and the kernel's on its behalf.
    pub cpu: Duration,
    /// The most memory that was seen resident, bytes; looked at every two milliseconds, 0 for a process shorter than that.
    pub peak_bytes: u64,
}

/// Runs `command` to its end.
///
/// # Errors
/// It could not be started.
pub fn of(command: &mut Command) -> Result<Usage> {
    let begin = Instant::now();
    let name = command.get_program().display().to_string();
    let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    finish(child, begin).with_context(|| format!("cannot wait for {name}"))
}

/// Waits for a child that was started at `begin`.
///
/// # Errors
/// The kernel does not tell.
pub fn finish(child: Child, begin: Instant) -> Result<Usage> {
    let id = i32::try_from(child.id()).context("process id")?;
    let over = AtomicBool::new(false);
    let (status, usage, peak_bytes) = thread::scope(|scope| {
        let peak = scope.spawn(|| peak(child.id(), &over));
        let waited = wait(id);
        over.store(true, Ordering::Release);
        let peak = peak.join().unwrap_or(0);
        waited.map(|(status, usage)| (status, usage, peak))
    })?;
    let time =
        |value: libc::timeval| Duration::from_micros(value.tv_sec as u64 * 1_000_000 + value.tv_usec as u64);
    Ok(Usage {
        status: ExitStatus::from_raw(status),
        elapsed: begin.elapsed(),
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_bytes,
    })
}

/// Waits for a child.
fn wait(id: i32) -> io::Result<(i32, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both places outlive the call, and whoever calls this owns the child: nothing else waits for it.
    while unsafe { libc::wait4(id, &raw mut status, 0, usage.as_mut_ptr()) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: zeroes are a value of it, and the kernel has filled it in.
    Ok((status, unsafe { usage.assume_init() }))
}

/// The most memory of a process, looked at until it ended. The kernel's own account of a child (`ru_maxrss`) begins with what
/// its parent had.
fn peak(process: u32, over: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !over.load(Ordering::Acquire) {
        peak = peak.max(memory(process, "VmHWM").unwrap_or(0));
        thread::sleep(LOOK);
    }
    peak
}

/// CPU time that the living threads of a process have used.
///
/// # Errors
/// There is no such process.
pub fn cpu(process: u32) -> Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{process}/task")).context("the process's threads")? {
        // A thread may end meanwhile.
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        nanos += text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

/// Memory of a process that is resident (`VmRSS`), or was at the most (`VmHWM`), bytes.
///
/// # Errors
/// There is no such process.
pub fn memory(process: u32, field: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).context("the process's status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
    let kibibytes: u64 = line.trim_matches(|c: char| !c.is_ascii_digit()).parse().context("a number")?;
    Ok(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured() {
        let used = of(Command::new("sleep").arg("0.1")).unwrap();
        assert!(used.status.success() && used.peak_bytes > 0 && used.cpu <= used.elapsed * 64);
        let own = std::process::id();
        assert!(cpu(own).unwrap() > Duration::ZERO);
        assert!(memory(own, "VmHWM").unwrap() >= memory(own, "VmRSS").unwrap() / 2);
    }
}
