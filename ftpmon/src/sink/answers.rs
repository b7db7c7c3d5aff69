//! Waiting for readers that answer: one set of limits, and one way to say what went wrong.

use std::io;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::open_lines::shown;
use super::socket::CONNECT_TIMEOUT;

/// The longest wait of a write for answers, before the remaining time is checked.
const WRITE_WAIT: Duration = Duration::from_millis(200);
/// The longest time until a connection is there: names, several addresses, TLS and a login.
const CONNECTION_TIMEOUT: Duration = CONNECT_TIMEOUT.saturating_mul(3);
/// The longest time until an answer came.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes what tokio keeps for the whole process, by calls that the rights of a thread that writes refuse. Called where an output is
/// created, before its thread gives up rights.
pub(super) fn prepare() -> io::Result<()> {
    // In an asynchronous context too, where a runtime is not dropped by waiting for it.
    runtime().map(Runtime::shutdown_background)
}

/// A runtime on the thread that writes.
pub(super) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()
}

/// Waits until a connection is there.
pub(super) fn connect(runtime: &Runtime, connection: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let connected = runtime.block_on(async { timeout(CONNECTION_TIMEOUT, connection).await });
    connected.unwrap_or_else(|_| Err(io::Error::other("its reader does not answer")))
}

/// The end of the time that a write has which begins now.
pub(super) fn write_deadline() -> Instant {
    Instant::now() + WRITE_WAIT
}

/// Waits for an answer until `deadline`: then the write would block.
pub(super) fn wait<T>(
    runtime: &Runtime,
    deadline: Instant,
    answer: impl Future<Output = T>,
) -> io::Result<T> {
    let left = deadline.saturating_duration_since(Instant::now());
    runtime.block_on(async { timeout(left, answer).await }).map_err(|_| io::ErrorKind::WouldBlock.into())
}

/// The error where a reader takes lines later.
pub(super) fn says(reason: &str) -> io::Error {
    io::Error::other(format!("its reader says {}", shown(reason.as_bytes())))
}
