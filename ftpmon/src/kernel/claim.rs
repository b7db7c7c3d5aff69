//! Claims on interfaces: a second agent on an interface would report everything twice.
//!
//! An agent holds abstract sockets for each interface that it watches: one of the interface, which only one agent can have, and
//! one that has the agent's process id in its name, so that others can tell who it is. Abstract sockets belong to a network
//! namespace, as interfaces do, and the kernel closes them however a process ends. With `--share` an agent has the second one only.
//!
//! All hooks of an interface are one claim: every agent attaches the same program on egress.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use super::error::KernelError;

/// The sockets of this network namespace, those of abstract names among them.
const SOCKETS: &str = "/proc/thread-self/net/unix";
/// The longest wait for the claim of an agent that has ended: its attacher ends a moment after it.
const AFTER_ITS_END: Duration = Duration::from_secs(1);
/// The interval at which that claim is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// This agent, as it claims interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The process id of the agent, which is not the process that attaches.
    pub pid: u32,
    /// Other agents may watch the same interfaces (`--share`).
    pub share: bool,
}

/// A claim on an interface; dropping it gives it up.
pub(super) struct InterfaceClaim {
    _interface: Option<UnixDatagram>,
    /// None where an agent of another PID namespace has the same process id.
    _agent: Option<UnixDatagram>,
}

impl Claimant {
    /// Claims an interface.
    ///
    /// # Errors
    /// Another agent watches it.
    pub(super) async fn claim(self, name: &str, ifindex: u32) -> Result<InterfaceClaim, KernelError> {
        let mut waited = Duration::ZERO;
        loop {
            let holder = match self.attempt(ifindex) {
                Ok(claim) => return Ok(claim),
                Err(holder) => holder,
            };
            if waited >= AFTER_ITS_END || !holder.is_some_and(has_ended) {
                return Err(KernelError::Watched { interface: name.to_owned(), agent: holder });
            }
            tokio::time::sleep(TRY_AGAIN).await;
            waited += TRY_AGAIN;
        }
    }

    /// The claim, or the process id of the agent that has it, where that can be read.
    fn attempt(self, ifindex: u32) -> Result<InterfaceClaim, Option<u32>> {
        let others = || agents_of(ifindex);
        let other = |agents: Vec<u32>| agents.into_iter().find(|&agent| agent != self.pid);
        let interface = if self.share {
            None
        } else {
            match bind(&format!("{ifindex}")) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(other(others())),
                // Where there are no such sockets nothing is known of others.
                Err(_) => None,
                Ok(socket) => match other(others()) {
                    Some(agent) => return Err(Some(agent)),
                    None => Some(socket),
                },
            }
        };
        Ok(InterfaceClaim { _interface: interface, _agent: bind(&format!("{ifindex}/{}", self.pid)).ok() })
    }
}

fn bind(name: &str) -> io::Result<UnixDatagram> {
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(format!("ftpmon/watch/{name}"))?)
}

/// The process ids of the agents that watch an interface, as far as they can be read.
pub(super) fn agents_of(ifindex: u32) -> Vec<u32> {
    fs::read_to_string(SOCKETS).map(|sockets| agents(&sockets, ifindex)).unwrap_or_default()
}

/// The agents that watch an interface, by the text of [`SOCKETS`].
fn agents(sockets: &str, ifindex: u32) -> Vec<u32> {
    let prefix = format!("@ftpmon/watch/{ifindex}/");
    let name = |line: &str| line.split_whitespace().last()?.strip_prefix(&prefix)?.parse().ok();
    sockets.lines().filter_map(name).collect()
}

/// The process is gone, or nothing but its exit status is left of it.
fn has_ended(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // The name, in parentheses, may hold anything.
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| matches!(rest.trim_start().bytes().next(), Some(b'Z' | b'X')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel gives no process an id above 2^22.
    const NOBODY: u32 = 1 << 23;

    fn agent(pid: u32, share: bool) -> Claimant {
        Claimant { pid, share }
    }

    #[test]
    fn agents_are_read_from_the_names_of_their_sockets() {
        let sockets = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                       00000000: 00000002 00000000 00000000 0002 01 21 @ftpmon/watch/7\n\
                       00000000: 00000002 00000000 00000000 0002 01 22 @ftpmon/watch/7/31\n\
                       00000000: 00000002 00000000 00000000 0002 01 23 @ftpmon/watch/71/32\n\
                       00000000: 00000002 00000000 00000000 0002 01 24\n\
                       00000000: 00000002 00000000 00000000 0002 01 25 /run/ftpmon/watch/7/33\n";
        assert_eq!(agents(sockets, 7), [31]);
        assert_eq!(agents(sockets, 71), [32]);
        assert!(agents(sockets, 8).is_empty());
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn an_interface_is_one_agents_unless_both_share_it() {
        // No interface has this number, so that no agent of this machine is met.
        let ifindex = 4_000_000_000;
        let pid = std::process::id();
        let first = agent(pid, false).attempt(ifindex).ok().unwrap();
        assert_eq!(agent(NOBODY, false).attempt(ifindex).err(), Some(Some(pid)));
        assert!(agent(NOBODY, false).attempt(ifindex + 1).is_ok(), "another interface");
        let sharing = agent(NOBODY, true).attempt(ifindex).ok().unwrap();
        drop(first);
        assert_eq!(agent(pid, false).attempt(ifindex).err(), Some(Some(NOBODY)));
        drop(sharing);
        assert!(agent(pid, false).attempt(ifindex).is_ok());
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn a_process_that_ended_is_told_from_one_that_runs() {
        assert!(has_ended(NOBODY) && !has_ended(std::process::id()));
    }
}
