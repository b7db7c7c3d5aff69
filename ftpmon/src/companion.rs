//! A copy of the agent that does what the agent itself may not do: it is made before the agent gives up its rights.

use std::io;

use nix::unistd::{ForkResult, fork};

/// Starts a copy of this process, which lives `life` and ends with its exit code. The copy closes `ours`, the agent's end of what is
/// between the two, and the agent gets it back. To be called while this process has one thread.
///
/// # Errors
/// The system gives no process.
pub(crate) fn start<T>(ours: T, life: impl FnOnce() -> i32) -> io::Result<T> {
    // SAFETY: this process has one thread, so that no lock is held by another one that the copy does not have.
    match unsafe { fork() }? {
        ForkResult::Parent { .. } => Ok(ours),
        ForkResult::Child => {
            drop(ours);
            let code = life();
            // Nothing of the agent's is to be written or removed by its copy.
            // SAFETY: ends this process; no other thread is left to notice.
            unsafe { libc::_exit(code) }
        }
    }
}
