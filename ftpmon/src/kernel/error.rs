//! What can go wrong on the kernel's side.

use std::error::Error;
use std::io;

use super::preflight::Missing;

/// Why live capture does not start, or cannot watch an interface.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// Rights or kernel features are missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The kernel took the object's maps or programs badly.
    #[error("the kernel refused to load {what}: {cause}")]
    Load {
        /// What was being loaded.
        what: &'static str,
        /// What the kernel said.
        cause: String,
    },
    /// The kernel object lacks what the agent looks for: it belongs to another version.
    #[error(
        "the kernel object has no {0}: it belongs to another version of ftpmon; build it anew with `cargo xtask ebpf`"
    )]
    NotInObject(&'static str),
    /// No such interface.
    #[error("no interface is called {name}; there are: {present}")]
    UnknownInterface {
        /// What the operator asked for.
        name: String,
        /// What there is.
        present: String,
    },
    /// Nothing was asked for, and there is no default.
    #[error("no default route leads to an interface to watch; name one with --iface (there are: {0})")]
    NoDefaultRoute(String),
    /// No hook could be had.
    #[error("cannot attach to {interface}: {cause}; {way_out}")]
    Attach {
        /// Where.
        interface: String,
        /// Why not.
        cause: String,
        /// What to do.
        way_out: String,
    },
    /// The kernel does not answer about its interfaces.
    #[error("cannot ask the kernel about its interfaces: {0}")]
    Links(String),
    /// A map operation failed.
    #[error("kernel map {map}: {cause}")]
    Map {
        /// Which.
        map: &'static str,
        /// Why.
        cause: String,
    },
    /// The ring cannot be waited for.
    #[error("cannot wait for the kernel's ring: {0}")]
    Ring(io::Error),
    /// The interface does not become promiscuous.
    #[error("cannot set {interface} promiscuous: {error}; leave out --promisc")]
    Promiscuous {
        /// Where.
        interface: String,
        /// Why not.
        error: io::Error,
    },
}

/// The innermost error, in words: what the kernel said, without the wrapping of libraries.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    innermost(error).to_string()
}

/// The system's error number behind `error`, if it has one.
pub(super) fn errno(error: &(dyn Error + 'static)) -> Option<i32> {
    innermost(error).downcast_ref::<io::Error>()?.raw_os_error()
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}
