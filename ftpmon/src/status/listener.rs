//! The socket that the state is served at.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::address::StatusAddress;
use crate::sandbox;

/// The directory of the sockets of the system's agents.
const RUN_DIRECTORY: &str = "/run/ftpmon";

/// A listening socket.
#[derive(Debug)]
pub(crate) enum StatusListener {
    /// A Unix socket, with its path.
    Unix(UnixListener, PathBuf),
    /// A TCP socket.
    Tcp(TcpListener),
}

impl StatusListener {
    /// Listens at an address. None where nothing is to be served, and where `auto` finds no place.
    ///
    /// # Errors
    /// The address that the operator gave cannot be used.
    pub(crate) fn open(address: &StatusAddress) -> io::Result<Option<Self>> {
        let listener = match address {
            StatusAddress::Off => return Ok(None),
            StatusAddress::Auto => {
                let Some(folder) = run_directory() else { return Ok(None) };
                let Ok(()) = make(&folder) else { return Ok(None) };
                forget_the_dead(&folder);
                return Ok(bind(&folder.join(format!("{}.sock", std::process::id()))).ok());
            }
            StatusAddress::Unix(path) => {
                if is_dead(path) {
                    fs::remove_file(path)?;
                }
                bind(path)?
            }
            StatusAddress::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Self::Tcp(listener)
            }
        };
        Ok(Some(listener))
    }

    /// The file to be removed in the end.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Unix(_, path) => Some(path),
            Self::Tcp(_) => None,
        }
    }
}

/// Removes the socket of an agent that ends.
pub(crate) fn unlink(path: &Path) {
    let _ = fs::remove_file(path);
}

/// The directory for the socket of an agent that nobody gave an address: that of the unit where systemd made one
/// (`RuntimeDirectory=`, systemd.exec(5)).
fn run_directory() -> Option<PathBuf> {
    let of_unit = std::env::var("RUNTIME_DIRECTORY").ok();
    match of_unit.as_deref().and_then(|folders| folders.split(':').next()) {
        Some(folder) if !folder.is_empty() => Some(folder.into()),
        _ if rustix::process::geteuid().is_root() => Some(RUN_DIRECTORY.into()),
        _ => user_directory(),
    }
}

/// The directory of a user's own agents.
fn user_directory() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("ftpmon"))
}

/// The sockets of all agents that nobody gave an address.
pub(super) fn all_sockets() -> Vec<PathBuf> {
    let folders = [Some(RUN_DIRECTORY.into()), user_directory()];
    folders.iter().flatten().flat_map(|folder| sockets(folder)).collect()
}

/// The sockets in a directory.
fn sockets(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sockets: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "sock")).collect();
    sockets.sort();
    sockets
}

fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sandbox::hand_over_path(folder);
    Ok(())
}

fn bind(path: &Path) -> io::Result<StatusListener> {
    let listener = UnixListener::bind(path)?;
    // Its group may read it.
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    sandbox::hand_over_path(path);
    listener.set_nonblocking(true)?;
    Ok(StatusListener::Unix(listener, path.to_owned()))
}

/// Removes the sockets of agents that were killed.
fn forget_the_dead(folder: &Path) {
    sockets(folder).iter().filter(|path| is_dead(path)).for_each(|path| unlink(path));
}

/// A socket that nobody listens at any more.
fn is_dead(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
