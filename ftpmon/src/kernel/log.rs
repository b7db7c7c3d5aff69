//! The kernel programs' own log (`--kernel-log`), one line a message. It is off by default, and the verifier then removes every
//! log statement from the programs.

use aya::Ebpf;
use aya_log::EbpfLogger;
use ftpmon_common::Counter;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::{debug, error, info, trace, warn};

use super::cause::root_cause;
use super::error::KernelError;
use crate::diagnostics::{KERNEL_PROGRAMS, LogLevel};

/// A level as the programs have it.
pub(super) const fn raw(level: LogLevel) -> u8 {
    let level = match level {
        LogLevel::Error => aya_log::Level::Error,
        LogLevel::Warn => aya_log::Level::Warn,
        LogLevel::Info => aya_log::Level::Info,
        LogLevel::Debug => aya_log::Level::Debug,
        LogLevel::Trace => aya_log::Level::Trace,
    };
    level as u8
}

/// The programs' log, which is not read yet.
pub struct Log(EbpfLogger<Lines>);

impl Log {
    /// Takes the log out of the object.
    ///
    /// # Errors
    /// The object holds no log statement.
    pub(super) fn take(object: &mut Ebpf) -> Result<Self, KernelError> {
        let refused = |cause: String| KernelError::Load { what: "its log", cause };
        let logger = EbpfLogger::init_with_logger(object, Lines);
        logger.map(Self).map_err(|e| refused(root_cause(&e)))
    }

    /// Writes it for as long as the runtime lives. Needs a tokio runtime.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn follow(self) -> Result<(), KernelError> {
        // SAFETY: the logger owns its ring buffer and is moved into the `AsyncFd`: the descriptor stays open and the same.
        let logger = unsafe { AsyncFd::register_with_interest(self.0, Interest::READABLE) };
        let mut logger = logger.map_err(|e| KernelError::Ring(e.into()))?;
        tokio::spawn(async move {
            while let Ok(mut guard) = logger.readable_mut().await {
                guard.clear_ready();
                guard.get_inner_mut().flush();
            }
        });
        Ok(())
    }
}

/// A message with the name of the counter in place of the number that it begins with.
fn with_reason(message: &str) -> String {
    let named = message.split_once(' ').and_then(|(number, rest)| {
        let counter = Counter::ALL.get(number.parse::<usize>().ok()?)?;
        Some(format!("{}: {rest}", counter.name()))
    });
    named.unwrap_or_else(|| message.to_owned())
}

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let message = with_reason(&record.args().to_string());
        match record.level() {
            log::Level::Error => error!(target: KERNEL_PROGRAMS, "kernel: {message}"),
            log::Level::Warn => warn!(target: KERNEL_PROGRAMS, "kernel: {message}"),
            log::Level::Info => info!(target: KERNEL_PROGRAMS, "kernel: {message}"),
            log::Level::Debug => debug!(target: KERNEL_PROGRAMS, "kernel: {message}"),
            log::Level::Trace => trace!(target: KERNEL_PROGRAMS, "kernel: {message}"),
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use ftpmon_common::Counter;

    use super::with_reason;

    #[test]
    fn a_message_names_its_counter() {
        let message = format!("{} 192.0.2.1 port 40000 to 192.0.2.2 port 21", Counter::LostControl as u32);
        let expected = "lost_ring_control: 192.0.2.1 port 40000 to 192.0.2.2 port 21";
        assert_eq!(with_reason(&message), expected);
        assert_eq!(with_reason("99999 no such counter"), "99999 no such counter");
        assert_eq!(with_reason("text"), "text");
    }
}
