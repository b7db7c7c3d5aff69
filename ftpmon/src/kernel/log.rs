//! The kernel programs' own log (`--kernel-log`), one notice a line. Off unless asked for: the verifier then drops every
//! log statement from the programs.

use aya_log::EbpfLogger;
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error::{KernelError, root_cause};
use super::object::Object;
use crate::notice::notice;

/// `--kernel-log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KernelLogLevel {
    /// What should not happen
    Error,
    /// And what is odd
    Warn,
    /// And what is rare
    Info,
    /// And more
    Debug,
    /// And everything
    Trace,
}

impl KernelLogLevel {
    /// As the programs have it.
    pub(super) const fn raw(self) -> u8 {
        let level = match self {
            Self::Error => aya_log::Level::Error,
            Self::Warn => aya_log::Level::Warn,
            Self::Info => aya_log::Level::Info,
            Self::Debug => aya_log::Level::Debug,
            Self::Trace => aya_log::Level::Trace,
        };
        level as u8
    }
}

/// Writes the programs' log as notices for as long as the runtime lives.
///
/// # Errors
/// Where the object holds no log statement.
pub fn follow(object: &mut Object) -> Result<(), KernelError> {
    let refused = |cause: String| KernelError::Load { what: "its log", cause };
    let logger = EbpfLogger::init_with_logger(object.ebpf(), Notices).map_err(|e| refused(root_cause(&e)))?;
    // SAFETY: the logger owns its ring buffer and is moved into the `AsyncFd`: the descriptor stays open and the same.
    let logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) };
    let mut logger = logger.map_err(|e| KernelError::Ring(e.into()))?;
    tokio::spawn(async move {
        while let Ok(mut guard) = logger.readable_mut().await {
            guard.clear_ready();
            guard.get_inner_mut().flush();
        }
    });
    Ok(())
}

struct Notices;

impl log::Log for Notices {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        notice(format_args!("kernel {}: {}", record.level(), record.args()));
    }

    fn flush(&self) {}
}
