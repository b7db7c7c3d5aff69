//! A network namespace other than the process's own.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot enter the network namespace {}: {error}; {way_out}", .path.display())]
pub(crate) struct NetnsError {
    path: PathBuf,
    error: io::Error,
    way_out: &'static str,
}

/// A network namespace (`--netns`). It lives while this is held.
#[derive(Debug)]
pub(crate) struct NetworkNamespace {
    path: PathBuf,
    file: File,
}

impl NetworkNamespace {
    /// The namespace at a path: `/run/netns/NAME`, `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// The path cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Self, NetnsError> {
        let file = File::open(path).map_err(|error| NetnsError {
            path: path.to_owned(),
            error,
            way_out: "give a path such as /run/netns/NAME or /proc/PID/ns/net",
        })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Moves this thread into it, and with it the threads that it starts.
    ///
    /// # Errors
    /// It is no network namespace, or the right to enter it is missing.
    pub(crate) fn enter(&self) -> Result<(), NetnsError> {
        move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|errno| {
            let way_out = match errno {
                rustix::io::Errno::PERM => "this needs root, or CAP_SYS_ADMIN",
                _ => "it has to be a network namespace",
            };
            NetnsError { path: self.path.clone(), error: errno.into(), way_out }
        })
    }

    /// Does `work` on a thread inside it. Sockets that it opens belong to the namespace.
    ///
    /// # Errors
    /// As [`Self::enter`].
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        let result = thread::scope(|scope| scope.spawn(|| self.enter().map(|()| work())).join());
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
