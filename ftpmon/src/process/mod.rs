//! The local processes that own the ends of connections: socket diagnostics give a socket's inode, the kernel's iterator or `/proc` its
//! process. The iterator knows the sockets of other network namespaces as well.
//!
//! | file | what |
//! |---|---|
//! | `addresses` | the addresses of this host: other ends are not looked up |
//! | `sockets` | sockets by socket diagnostics |
//! | `socket_table` | sockets that processes have open, in all network namespaces, by the kernel's iterator |
//! | `processes`, `descriptors` | the process that owns a socket |
//! | `cgroup` | the container that a process belongs to |
//! | `cpu_budget` | a cap on the processor time of look-ups |
//! | `request` | what passes between the caller and the thread |
//! | `worker` | the thread that looks up, until it has a final answer |
//!
//! The caller never waits: requests are queued, within a bound, and answers are fetched later.

mod addresses;
mod cgroup;
mod cpu_budget;
mod descriptors;
mod processes;
mod request;
mod socket_table;
mod sockets;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub use addresses::ADDRESSES_MAX;
pub use processes::{CANDIDATES_MAX, NEWCOMERS_MAX, PROCESSES_MAX, ProcessCounters, USERS_MAX};
pub use request::{Answer, PENDING_MAX};
pub use socket_table::OPEN_SOCKETS_MAX;
pub use worker::LISTENERS_MAX;

use crate::kernel::OpenSockets;
use addresses::{Addresses, Scopes};
use ftpmon_event::addr::Endpoint;
use request::{Request, Shared};
use socket_table::SocketTable;
use sockets::Sockets;
use worker::Worker;

/// Requests that may wait; a further one is refused. Announcements, which a hostile peer makes by the million, may fill
/// half of them.
pub const REQUESTS_MAX: usize = 1_024;
/// The longest time that a look-up may take on an idle machine.
pub const PATIENCE: Duration = Duration::from_millis(60);

/// Time between two look-ups of ends that are not this host's while no other network namespace has sockets.
const OTHERS_EVERY: Duration = Duration::from_secs(1);

/// The fate of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The answer will have this number.
    Ticket(u64),
    /// Neither end is on this host.
    Foreign,
    /// Too many requests wait.
    Refused,
}

/// This process runs in a container.
pub fn is_in_container() -> bool {
    // Inside its own cgroup namespace a container does not see its id.
    let marked = ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| std::path::Path::new(mark).exists());
    marked || own_cgroup().is_some_and(|path| cgroup::container_id(&path).is_some())
}

fn own_cgroup() -> Option<String> {
    let groups = procfs::process::Process::myself().ok()?.cgroups().ok()?;
    let lines = groups.0.iter().map(|line| (&line.controllers[..], line.pathname.as_str()));
    cgroup::best(lines).map(str::to_owned)
}

/// The look-up thread, from its user's side.
pub struct ProcessLookup {
    requests: SyncSender<Request>,
    answers: Receiver<Answer>,
    answered: Arc<Notify>,
    shared: Arc<Shared>,
    addresses: Addresses,
    tickets: u64,
    /// When it was last asked whether other network namespaces have sockets.
    others_asked: Option<Instant>,
}

impl ProcessLookup {
    /// Starts the thread. `open` tells the sockets that processes have open, where the kernel can.
    ///
    /// # Errors
    /// The kernel has no socket diagnostics, or the system gives no thread.
    pub fn start(open: Option<OpenSockets>) -> io::Result<Self> {
        let sockets = Sockets::open()?;
        let table = open.map(SocketTable::new);
        let (requests, to_do) = sync_channel(REQUESTS_MAX);
        let (done, answers) = channel();
        let (answered, shared) = (Arc::new(Notify::new()), Arc::new(Shared::default()));
        let worker = Worker::new(sockets, table, done, Arc::clone(&answered), Arc::clone(&shared));
        std::thread::Builder::new().name("owners".to_owned()).spawn(move || worker.run(&to_do))?;
        Ok(Self {
            requests,
            answers,
            answered,
            shared,
            addresses: Addresses::default(),
            tickets: 0,
            others_asked: None,
        })
    }

    /// Notified when there are answers.
    pub fn answered(&self) -> Arc<Notify> {
        Arc::clone(&self.answered)
    }

    /// An endpoint was announced: remembers the process that listens there, for its connection. False where too many requests
    /// wait.
    pub fn listener(&mut self, endpoint: Endpoint) -> bool {
        let scopes = self.addresses.scopes(endpoint.ip, Instant::now());
        !scopes.is_here()
            || (self.shared.waiting.load(Ordering::Relaxed) < REQUESTS_MAX as u64 / 2
                && self.ask(Request::Listener(endpoint, scopes)))
    }

    /// Requests the owners of a connection's ends; with `youngest`, a process that was started for it is preferred to a known
    /// one.
    pub fn connection(&mut self, initiator: Endpoint, listener: Endpoint, youngest: bool) -> Asked {
        let now = Instant::now();
        let own = [initiator, listener].map(|end| self.addresses.scopes(end.ip, now));
        if !own.iter().any(Scopes::is_here) && !self.may_be_elsewhere(now) {
            return Asked::Foreign;
        }
        self.tickets += 1;
        let ticket = self.tickets;
        match self.ask(Request::Connection { ticket, initiator, listener, own, youngest }) {
            true => Asked::Ticket(ticket),
            false => Asked::Refused,
        }
    }

    /// Processes of other network namespaces may own the ends of connections. That there are none is asked again in a while.
    fn may_be_elsewhere(&mut self, now: Instant) -> bool {
        if self.shared.others.load(Ordering::Relaxed) {
            return true;
        }
        let is_due = self.others_asked.is_none_or(|asked| now.duration_since(asked) >= OTHERS_EVERY);
        if is_due {
            self.others_asked = Some(now);
        }
        is_due
    }

    /// The next answer.
    pub fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }

    /// The next answer, waited for.
    pub fn answer_within(&self, limit: Duration) -> Option<Answer> {
        self.answers.recv_timeout(limit).ok()
    }

    /// The counters of the thread so far.
    pub fn counters(&self) -> ProcessCounters {
        let Shared { scans, unreadable, .. } = &*self.shared;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ProcessCounters { scans: load(scans), unreadable: load(unreadable) }
    }

    fn ask(&self, request: Request) -> bool {
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        let taken = self.requests.try_send(request).is_ok();
        if !taken {
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }
}
