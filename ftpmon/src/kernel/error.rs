//! Errors of live capture.

use std::io;

use super::preflight::Missing;

/// An error that keeps live capture from starting, or from watching an interface.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// Rights or kernel features are missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The kernel refused the object's maps or programs.
    #[error("the kernel refused to load {what}: {cause}")]
    Load {
        /// The program, or the part of the object.
        what: &'static str,
        /// The kernel's reason.
        cause: String,
    },
    /// The kernel object lacks a map or a program: it belongs to another version.
    #[error(
        "the kernel object has no {0}: it belongs to another version of ftpmon; rebuild it with `cargo xtask ebpf`"
    )]
    NotInObject(&'static str),
    /// No such interface.
    #[error("no interface is called {name}; there are: {present}")]
    UnknownInterface {
        /// The name that the operator gave.
        name: String,
        /// The interfaces that exist.
        present: String,
    },
    /// No interface was named, and there is no default route.
    #[error("no default route leads to an interface to watch; name one with --iface (there are: {0})")]
    NoDefaultRoute(String),
    /// No hook takes the programs.
    #[error("cannot attach to {interface}: {cause}; {way_out}")]
    Attach {
        /// The interface.
        interface: String,
        /// The reason.
        cause: String,
        /// The operator's way out.
        way_out: String,
    },
    /// Another agent watches the interface.
    #[error(
        "{interface} is watched by ftpmon already{}; end that one, or give --share, and both report everything", process(.agent)
    )]
    Watched {
        /// The interface.
        interface: String,
        /// The process id of that agent, where it can be read.
        agent: Option<u32>,
    },
    /// The list of interfaces cannot be read.
    #[error("cannot ask the kernel about its interfaces: {0}")]
    Links(String),
    /// A map operation failed.
    #[error("kernel map {map}: {cause}")]
    Map {
        /// The map.
        map: &'static str,
        /// The reason.
        cause: String,
    },
    /// Something cannot be pinned, or what is pinned cannot be used.
    #[error("--pin {path}: {cause}")]
    Pin {
        /// The folder or the pin.
        path: String,
        /// The reason.
        cause: String,
    },
    /// Something that a killed agent left cannot be removed.
    #[error("cannot remove what is left on {interface}: {cause}; this needs root, or CAP_NET_ADMIN")]
    Detach {
        /// The interface.
        interface: String,
        /// The reason.
        cause: String,
    },
    /// The ring cannot be waited for.
    #[error("cannot wait for the kernel's ring: {0}")]
    Ring(io::Error),
    /// The interface does not become promiscuous.
    #[error("cannot set {interface} promiscuous: {error}; leave out --promisc")]
    Promiscuous {
        /// The interface.
        interface: String,
        /// The reason.
        error: io::Error,
    },
}

fn process(agent: &Option<u32>) -> String {
    agent.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
