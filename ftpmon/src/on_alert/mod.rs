//! A command of the operator's for each alert (`--on-alert`), or for each file that was stored (`--on-file`).
//!
//! Threads that handle what peers send may start no program. So a copy of the agent, made before it has a thread or reads a
//! packet, starts the commands: the runner. A socket pair is between the two; a message is an event as a line of
//! `--format json`. When the agent ends, however it ends, the socket closes and the runner ends.
//!
//! | file | what |
//! |---|---|
//! | `environment` | an event as variables of a command |
//! | `purpose` | the events that a command is for |
//! | `runner` | the process that starts the commands |

mod environment;
mod purpose;
mod runner;

pub(crate) use purpose::Purpose;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::companion;
use crate::sandbox::Account;
use crate::telemetry::{Kind, Sampled, Snapshot};
use ftpmon_event::{Event, EventLine, Origin};

/// The runner, from the agent's side.
pub(crate) struct OnEvent {
    purpose: Purpose,
    socket: OwnedFd,
    origin: Origin,
    /// Events that were not handed over: the runner was behind, or is gone.
    lost: u64,
}

impl OnEvent {
    /// Starts the runner: `command` runs as `account`. To be called while this process has one thread.
    ///
    /// # Errors
    /// The system gives no process or socket pair.
    pub(crate) fn start(
        purpose: Purpose,
        command: &Path,
        account: Option<&Account>,
        origin: Origin,
    ) -> io::Result<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let ours = companion::start(ours, move || {
            runner::life(purpose, &theirs, command, account);
            0
        })?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        Ok(Self { purpose, socket: ours, origin, lost: 0 })
    }

    /// Hands an event to the runner. It is never waited for.
    pub(crate) fn event(&mut self, event: &Event) {
        let line = EventLine { origin: self.origin.clone(), seq: 0, event: event.clone() };
        let sent = serde_json::to_vec(&line)
            .map_err(io::Error::other)
            .and_then(|line| Ok(rustix::net::send(&self.socket, &line, rustix::net::SendFlags::NOSIGNAL)?));
        self.lost += u64::from(sent.is_err());
    }
}

impl Sampled for OnEvent {
    fn sample(&self, into: &mut Snapshot) {
        into.add(Kind::Lost, self.purpose.loss(), self.lost);
    }
}
