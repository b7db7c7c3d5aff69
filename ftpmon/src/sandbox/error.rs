//! The error of giving up rights.

use std::io;

/// Rights could not be given up.
#[derive(Debug, thiserror::Error)]
#[error("cannot give up {what}: {error}; {way_out}")]
pub struct SandboxError {
    pub(super) what: &'static str,
    pub(super) error: io::Error,
    pub(super) way_out: &'static str,
}

/// Gives an error of the system the step that failed.
pub(super) fn step(
    what: &'static str,
    way_out: &'static str,
) -> impl FnOnce(rustix::io::Errno) -> SandboxError {
    move |error| SandboxError { what, error: error.into(), way_out }
}
