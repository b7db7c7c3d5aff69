//! The process that owns a socket, found in `/proc` and described.
//!
//! Reading the descriptors of all processes is expensive. So likely processes are searched first: those that had FTP sockets
//! before, then new ones. All others are searched at intervals only.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use procfs::process::Process;
use smol_str::SmolStr;

use super::cgroup;
use super::descriptors::{Descriptor, Descriptors, FindResult};
use crate::bounded::BoundedMap;
use ftpmon_event::{FoundBy, LocalProcess};

/// Processes that had FTP sockets before and are searched first: a server with one process per session has many.
pub const CANDIDATES_MAX: usize = 64;
/// Processes that are searched first because they are new.
pub const NEWCOMERS_MAX: usize = 4_096;
/// Processes of a host that are known; on a host with more, the others are not found.
pub const PROCESSES_MAX: usize = 262_144;
/// Names of users that are remembered.
pub const USERS_MAX: usize = 1_024;
/// A process is new for this long.
const NEW_FOR: Duration = Duration::from_secs(10);
/// Time between two scans of all processes.
const ALL_EVERY: Duration = Duration::from_millis(50);
/// A user's name is looked up again after this long.
const USER_FOR: Duration = Duration::from_secs(60);
/// Longest path of an executable and of a cgroup in an event, bytes; a longer one is cut.
const PATH_MAX: usize = 4_096;

/// The processes that are searched first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preference {
    /// Those that had FTP sockets before.
    Known,
    /// The youngest: a server may have started a process for this session.
    Youngest,
}

/// The process that owns a socket.
#[derive(Clone, Debug)]
pub(super) struct SocketOwner {
    /// Its description for events.
    pub(super) process: Arc<LocalProcess>,
    /// It is known to serve its connections itself, although it listens for them too.
    pub(super) serves_itself: bool,
}

/// Counters of the searches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessCounters {
    /// Scans of all processes.
    pub scans: u64,
    /// Processes that this agent may not read.
    pub unreadable: u64,
}

struct Candidate {
    pid: u32,
    started: u64,
    serves_itself: bool,
}

/// The processes of this host.
pub(super) struct Processes {
    /// The process ids of the last scan, in order.
    known: Vec<u32>,
    newcomers: VecDeque<(u32, Instant)>,
    candidates: VecDeque<Candidate>,
    users: BoundedMap<u32, (Option<SmolStr>, Instant)>,
    looked_at_all: Option<Instant>,
    pub(super) counters: ProcessCounters,
}

/// A process that owns the socket, to be compared with others that do.
struct Match {
    pid: u32,
    started: u64,
    descriptors: Descriptors,
    descriptor: Descriptor,
}

impl Processes {
    /// The processes that run now, none of which was searched.
    pub(super) fn new() -> Self {
        Self {
            known: list(),
            newcomers: VecDeque::new(),
            candidates: VecDeque::new(),
            users: BoundedMap::new(USERS_MAX),
            looked_at_all: None,
            counters: ProcessCounters::default(),
        }
    }

    /// The process that owns the socket; of several the youngest, which is the one that serves. `listener` is the socket that
    /// accepted its connection: its owner is remembered where a scan of all processes did not find the other. `holders` gives the
    /// processes that have a socket open, where the kernel tells them: then none is scanned.
    pub(super) fn owner(
        &mut self,
        inode: u32,
        listener: Option<u32>,
        first: Preference,
        found_by: FoundBy,
        holders: impl FnOnce(u32) -> Option<Vec<u32>>,
    ) -> Option<SocketOwner> {
        // One that serves itself starts no process for a session.
        let known = |candidate: &&Candidate| first == Preference::Known || candidate.serves_itself;
        let likely: Vec<u32> = self.candidates.iter().filter(known).map(|candidate| candidate.pid).collect();
        let found = self.youngest(&likely, inode).or_else(|| match holders(inode) {
            // Nobody has it now, or has it yet.
            Some(pids) if pids.is_empty() => None,
            // The kernel numbers processes as the first PID namespace does: an agent in another one does not find them by it.
            Some(pids) => self.youngest(&pids, inode).or_else(|| self.search(inode, listener, &likely)),
            None => self.search(inode, listener, &likely),
        })?;
        let process = self.describe(&found, inode, found_by)?;
        let serves_itself = self.remember(found.pid, found.started);
        Some(SocketOwner { process: Arc::new(process), serves_itself })
    }

    /// The process owns this socket too.
    pub(super) fn has_socket(pid: u32, inode: u32) -> bool {
        Descriptors::open(pid)
            .is_ok_and(|mut descriptors| matches!(descriptors.find(inode), FindResult::There(_)))
    }

    /// Remembers that the process serves its connections itself.
    pub(super) fn mark_serving_itself(&mut self, pid: u32) {
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.pid == pid) {
            candidate.serves_itself = true;
        }
    }

    /// Searches new processes, those that had FTP sockets before, and at intervals all; but none of `seen` twice.
    fn search(&mut self, inode: u32, listener: Option<u32>, seen: &[u32]) -> Option<Match> {
        let now = Instant::now();
        let all = list();
        let known = core::mem::replace(&mut self.known, all);
        let new = |pid: &&u32| known.binary_search(pid).is_err();
        self.newcomers.extend(self.known.iter().filter(new).map(|&pid| (pid, now)));
        let all = &self.known;
        self.newcomers
            .retain(|(pid, since)| now.duration_since(*since) < NEW_FOR && all.binary_search(pid).is_ok());
        while self.newcomers.len() > NEWCOMERS_MAX {
            self.newcomers.pop_front();
        }
        let unseen = |pid: &u32| !seen.contains(pid);
        let new: Vec<u32> = self.newcomers.iter().rev().map(|&(pid, _)| pid).filter(unseen).collect();
        let likely = self.candidates.iter().map(|candidate| candidate.pid).filter(unseen);
        let likely: Vec<u32> = likely.filter(|pid| !new.contains(pid)).collect();
        if let Some(found) = self.youngest(&new, inode).or_else(|| self.youngest(&likely, inode)) {
            return Some(found);
        }
        if self.looked_at_all.is_some_and(|last| now.duration_since(last) < ALL_EVERY) {
            return None;
        }
        self.looked_at_all = Some(now);
        self.counters.scans += 1;
        let all = self.known.clone();
        let found = self.youngest(&all, inode);
        if found.is_none()
            && let Some(listener) = listener.and_then(|listener| self.youngest(&all, listener))
        {
            self.remember(listener.pid, listener.started);
        }
        found
    }

    /// The youngest of these processes that owns the socket.
    fn youngest(&mut self, pids: &[u32], inode: u32) -> Option<Match> {
        let mut best: Option<Match> = None;
        for &pid in pids {
            let mut descriptors = match Descriptors::open(pid) {
                Ok(descriptors) => descriptors,
                Err(error) => {
                    let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
                    self.counters.unreadable += u64::from(denied);
                    if !denied {
                        self.forget(pid);
                    }
                    continue;
                }
            };
            let descriptor = match descriptors.find(inode) {
                FindResult::There(descriptor) => descriptor,
                FindResult::Elsewhere => continue,
                FindResult::Ended => {
                    self.forget(pid);
                    continue;
                }
            };
            let Some(started) = started(pid) else { continue };
            if best.as_ref().is_none_or(|best| (started, pid) > (best.started, best.pid)) {
                best = Some(Match { pid, started, descriptors, descriptor });
            }
        }
        best
    }

    /// A process ended, and makes room for one that lives.
    fn forget(&mut self, pid: u32) {
        self.candidates.retain(|candidate| candidate.pid != pid);
        self.newcomers.retain(|&(newcomer, _)| newcomer != pid);
    }

    /// The description of a process; none where it ended meanwhile, so that its id may belong to another.
    fn describe(&mut self, found: &Match, inode: u32, found_by: FoundBy) -> Option<LocalProcess> {
        let process = Process::new(i32::try_from(found.pid).ok()?).ok()?;
        let name = process.stat().ok().map(|stat| SmolStr::from(stat.comm));
        let exe = process.exe().ok().map(|path| cut(&path.to_string_lossy()).to_owned());
        let uid = process.status().ok().map(|status| status.euid);
        let groups = process.cgroups().ok();
        let lines = groups.iter().flat_map(|groups| &groups.0);
        let cgroup = cgroup::best(lines.map(|line| (&line.controllers[..], line.pathname.as_str()))).map(cut);
        let described = LocalProcess {
            pid: found.pid,
            name,
            exe,
            uid,
            user: uid.and_then(|uid| self.user(uid)),
            cgroup: cgroup.map(SmolStr::from),
            container: cgroup.and_then(cgroup::container_id).map(SmolStr::from),
            found_by,
        };
        found.descriptors.still(&found.descriptor, inode).then_some(described)
    }

    fn user(&mut self, uid: u32) -> Option<SmolStr> {
        let now = Instant::now();
        if let Some((name, at)) = self.users.get(&uid)
            && now.duration_since(*at) < USER_FOR
        {
            return name.clone();
        }
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
        let name = user.map(|user| SmolStr::from(user.name));
        self.users.insert(uid, (name.clone(), now));
        name
    }

    /// Puts a process before the other candidates. True where it was known to serve its connections itself.
    fn remember(&mut self, pid: u32, started: u64) -> bool {
        let known = self.candidates.iter().position(|candidate| candidate.pid == pid);
        let known = known.and_then(|at| self.candidates.remove(at));
        // An id may be reused by another process.
        let serves_itself = known.is_some_and(|known| known.started == started && known.serves_itself);
        self.candidates.push_front(Candidate { pid, started, serves_itself });
        self.candidates.truncate(CANDIDATES_MAX);
        serves_itself
    }
}

/// The start time of a process, ticks since boot.
fn started(pid: u32) -> Option<u64> {
    Some(Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()?.starttime)
}

/// The ids of all processes, in order.
fn list() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let number = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let mut pids: Vec<u32> = entries.filter_map(number).take(PROCESSES_MAX).collect();
    pids.sort_unstable();
    pids
}

/// The beginning of a text that is too long for an event.
fn cut(text: &str) -> &str {
    let end = (0..=PATH_MAX.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd as _;

    use super::*;

    fn inode_of(listener: &TcpListener) -> u32 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        let link = link.to_str().unwrap();
        link.trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap()
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn the_own_process_is_found_and_described() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut processes = Processes::new();
        let inode = inode_of(&listener);
        for first in [Preference::Youngest, Preference::Known] {
            let owner = processes.owner(inode, None, first, FoundBy::Listener, |_| None).unwrap();
            let process = &owner.process;
            assert_eq!(process.pid, std::process::id());
            assert_eq!(process.uid, Some(nix::unistd::Uid::effective().as_raw()));
            assert_eq!(process.exe.as_deref(), std::env::current_exe().unwrap().to_str());
            assert!(process.name.as_ref().is_some_and(|name| !name.is_empty()));
            assert!(!owner.serves_itself);
        }
        assert_eq!(processes.counters.scans, 1, "the second time it is looked at first");
        processes.mark_serving_itself(std::process::id());
        assert!(
            processes
                .owner(inode, None, Preference::Youngest, FoundBy::Listener, |_| None)
                .unwrap()
                .serves_itself
        );
        assert!(Processes::has_socket(std::process::id(), inode));
        drop(listener);
        assert!(processes.owner(inode, None, Preference::Known, FoundBy::Listener, |_| None).is_none());
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn a_new_process_is_found_without_a_look_at_all() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = inode_of(&listener);
        let mut processes = Processes::new();
        processes.looked_at_all = Some(Instant::now() + Duration::from_secs(3600));
        assert!(processes.owner(inode, None, Preference::Youngest, FoundBy::Connection, |_| None).is_none());
        // The child has the socket as its standard input.
        let socket = std::os::fd::OwnedFd::from(listener);
        let mut child = std::process::Command::new("sleep").arg("60").stdin(socket).spawn().unwrap();
        let owner = processes.owner(inode, None, Preference::Youngest, FoundBy::Connection, |_| None);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(owner.unwrap().process.pid, child.id());
        assert!(
            processes.owner(inode, None, Preference::Youngest, FoundBy::Connection, |_| None).is_none(),
            "it ended"
        );
    }

    #[test]
    fn candidates_stay_below_their_cap() {
        let mut processes = Processes::new();
        for pid in 0..10_000 {
            assert!(!processes.remember(pid, 1));
            assert!(processes.candidates.len() <= CANDIDATES_MAX);
        }
        processes.mark_serving_itself(9_999);
        assert!(processes.remember(9_999, 1));
        assert!(!processes.remember(9_999, 2), "an id that is another process's now");
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let long = "ü".repeat(PATH_MAX);
        assert_eq!(cut(&long).len(), PATH_MAX);
        assert_eq!(cut("short"), "short");
    }
}
