//! Which process of this host holds an end of a connection: socket diagnostics say by which inode, `/proc` says who.
//!
//! | file | what |
//! |---|---|
//! | `addresses` | which ends are on this host at all |
//! | `sockets` | what the kernel says of a socket |
//! | `processes`, `descriptors` | who holds it, and who that is |
//! | `cgroup` | which container that belongs to |
//! | `worker` | the thread that asks, until it has a good answer |
//!
//! Nothing here holds up the caller: questions wait in a bounded queue, and answers come when they come.

mod addresses;
mod cgroup;
mod cpu_budget;
mod descriptors;
mod processes;
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
pub use worker::LISTENERS_MAX;

use addresses::{Addresses, Scopes};
use ftpmon_event::LocalProcess;
use ftpmon_event::addr::Endpoint;
use sockets::Sockets;
use worker::Worker;

/// Questions that may wait; a further one is not asked. Announcements, which a hostile peer makes by the million, may
/// fill half of it.
pub const REQUESTS_MAX: usize = 1_024;
/// Look-ups that may be repeated at a time; a further one gets the answer that there is.
pub const PENDING_MAX: usize = 1_024;
/// How long a look-up may take on an idle machine.
pub const PATIENCE: Duration = Duration::from_millis(60);

/// A question.
enum Request {
    /// An endpoint was announced.
    Listener(Endpoint, Scopes),
    /// Who holds the two ends of a connection? Only those on this host are asked for: the initiator's, the listener's.
    Connection { ticket: u64, initiator: Endpoint, listener: Endpoint, own: [Scopes; 2], youngest: bool },
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The answer will have this number.
    Ticket(u64),
    /// It is about no address of this host: there is nothing to ask.
    Foreign,
    /// Too many questions wait.
    Refused,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Of which question.
    pub ticket: u64,
    /// Who holds the end that sent the SYN.
    pub initiator: Option<Arc<LocalProcess>>,
    /// Who holds the other.
    pub listener: Option<Arc<LocalProcess>>,
}

/// What the thread counts.
#[derive(Default)]
struct Shared {
    waiting: AtomicU64,
    scans: AtomicU64,
    unreadable: AtomicU64,
}

impl Shared {
    fn update(&self, counters: &ProcessCounters) {
        self.scans.store(counters.scans, Ordering::Relaxed);
        self.unreadable.store(counters.unreadable, Ordering::Relaxed);
    }
}

/// Asks, and is answered.
pub struct ProcessLookup {
    requests: SyncSender<Request>,
    answers: Receiver<Answer>,
    answered: Arc<Notify>,
    shared: Arc<Shared>,
    addresses: Addresses,
    tickets: u64,
}

impl ProcessLookup {
    /// Starts the thread.
    ///
    /// # Errors
    /// The kernel has no socket diagnostics, or the system gives no thread.
    pub fn start() -> io::Result<Self> {
        let sockets = Sockets::open()?;
        let (requests, to_do) = sync_channel(REQUESTS_MAX);
        let (done, answers) = channel();
        let (answered, shared) = (Arc::new(Notify::new()), Arc::new(Shared::default()));
        let worker = Worker::new(sockets, done, Arc::clone(&answered), Arc::clone(&shared));
        std::thread::Builder::new().name("owners".to_owned()).spawn(move || worker.run(&to_do))?;
        Ok(Self { requests, answers, answered, shared, addresses: Addresses::default(), tickets: 0 })
    }

    /// Tells when there are answers.
    pub fn answered(&self) -> Arc<Notify> {
        Arc::clone(&self.answered)
    }

    /// An endpoint was announced: who listens there will be known when its connection comes. False where too many questions
    /// wait.
    pub fn listener(&mut self, endpoint: Endpoint) -> bool {
        let scopes = self.addresses.scopes(endpoint.ip, Instant::now());
        !scopes.is_here()
            || (self.shared.waiting.load(Ordering::Relaxed) < REQUESTS_MAX as u64 / 2
                && self.ask(Request::Listener(endpoint, scopes)))
    }

    /// Asks who holds the ends of a connection; with `youngest`, a process that was made for it rather than one that is
    /// known.
    pub fn connection(&mut self, initiator: Endpoint, listener: Endpoint, youngest: bool) -> Asked {
        let now = Instant::now();
        let own = [initiator, listener].map(|end| self.addresses.scopes(end.ip, now));
        if !own.iter().any(Scopes::is_here) {
            return Asked::Foreign;
        }
        self.tickets += 1;
        let ticket = self.tickets;
        match self.ask(Request::Connection { ticket, initiator, listener, own, youngest }) {
            true => Asked::Ticket(ticket),
            false => Asked::Refused,
        }
    }

    /// The next answer.
    pub fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }

    /// The next answer, waited for.
    pub fn answer_within(&self, limit: Duration) -> Option<Answer> {
        self.answers.recv_timeout(limit).ok()
    }

    /// What the thread counted so far.
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
