//! The look-ups, on a thread of their own.
//!
//! A connection may be looked up before its server has accepted it, and a server may pass it to a process that it starts for
//! it. So a look-up without a final answer is repeated a few times within [`super::PATIENCE`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tracing::warn;

use super::addresses::Scopes;
use super::cpu_budget::CpuBudget;
use super::processes::{Preference, Processes, SocketOwner};
use super::request::{Answer, PENDING_MAX, Request, Shared};
use super::socket_table::SocketTable;
use super::sockets::{SocketState, Sockets};
use crate::bounded::BoundedMap;
use crate::sandbox::{self, Role};
use ftpmon_event::addr::Endpoint;
use ftpmon_event::{FoundBy, LocalProcess};

/// Announced endpoints whose listeners are remembered until their connections come.
pub const LISTENERS_MAX: usize = 4_096;
/// A listener is remembered for this long.
const LISTENER_FOR: Duration = Duration::from_secs(300);
/// Pauses between the tries of a look-up. Their sum is [`super::PATIENCE`] at most.
const PAUSES_MS: [u64; 6] = [1, 2, 4, 8, 15, 30];
/// Within this time a server that starts a process for each session has started it.
const FORK_WAIT: Duration = Duration::from_millis(10);

/// A look-up that has no answer yet.
struct Pending {
    ticket: u64,
    first: Preference,
    begun: Instant,
    due: Instant,
    tries: usize,
    ends: [EndLookup; 2],
}

struct EndLookup {
    own: Endpoint,
    scopes: Scopes,
    peer: Endpoint,
    /// It was connected to.
    listens: bool,
    best: Option<Arc<LocalProcess>>,
    done: bool,
}

/// The state of the look-up thread.
pub(super) struct Worker {
    sockets: Sockets,
    /// The sockets that processes have open; none where the kernel does not tell them.
    table: Option<SocketTable>,
    processes: Processes,
    listeners: BoundedMap<Endpoint, (Arc<LocalProcess>, Instant)>,
    pending: Vec<Pending>,
    answers: Sender<Answer>,
    answered: Arc<Notify>,
    shared: Arc<Shared>,
    cpu_budget: CpuBudget,
    warned: bool,
    /// When this round of look-ups began: what the kernel said since then is recent enough.
    round: Instant,
}

impl Worker {
    pub(super) fn new(
        sockets: Sockets,
        table: Option<SocketTable>,
        answers: Sender<Answer>,
        answered: Arc<Notify>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            sockets,
            table,
            processes: Processes::new(),
            listeners: BoundedMap::new(LISTENERS_MAX),
            pending: Vec::new(),
            answers,
            answered,
            shared,
            cpu_budget: CpuBudget::default(),
            warned: false,
            round: Instant::now(),
        }
    }

    /// Answers requests until the other side is gone.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        sandbox::enter_or_exit(Role::Owners);
        loop {
            let due = self.pending.iter().map(|pending| pending.due).min();
            let idle_since = Instant::now();
            let request = match due {
                None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => requests.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            let begun = Instant::now();
            self.round = begun;
            self.cpu_budget.rested(begun - idle_since);
            if request.is_ok() {
                self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            match request {
                Ok(Request::Listener(endpoint, scopes)) => self.remember_listener(endpoint, &scopes),
                Ok(Request::Connection { ticket, initiator, listener, own: [from, to], youngest }) => {
                    let knows_others = self.table.is_some();
                    let end = |own, peer, listens, scopes: Scopes| {
                        let done = !scopes.is_here() && !knows_others;
                        EndLookup { own, scopes, peer, listens, best: None, done }
                    };
                    let ends = [end(initiator, listener, false, from), end(listener, initiator, true, to)];
                    let first = if youngest { Preference::Youngest } else { Preference::Known };
                    let now = Instant::now();
                    self.proceed(Pending { ticket, first, begun: now, due: now, tries: 0, ends });
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            while let Some(at) = self.pending.iter().position(|pending| pending.due <= now) {
                let pending = self.pending.swap_remove(at);
                self.proceed(pending);
            }
            self.shared.update(&self.processes.counters);
            if let Some(rest) = self.cpu_budget.worked(begun.elapsed()) {
                std::thread::sleep(rest);
                self.cpu_budget.rested(rest);
            }
        }
    }

    /// An endpoint was announced: the process that listens there now may have stopped listening when its connection is looked up.
    fn remember_listener(&mut self, endpoint: Endpoint, scopes: &Scopes) {
        if let Some(inode) = self.listening_socket(endpoint, scopes)
            && let Some(owner) = self.owner(inode, None, Preference::Known, FoundBy::Listener)
        {
            self.listeners.insert(endpoint, (owner.process, Instant::now()));
        }
    }

    fn proceed(&mut self, mut pending: Pending) {
        let Pending { first, begun, .. } = pending;
        for end in pending.ends.iter_mut().filter(|end| !end.done) {
            self.look_up(end, first, begun.elapsed());
        }
        let pause = PAUSES_MS.get(pending.tries).filter(|_| self.pending.len() < PENDING_MAX);
        if let Some(&pause) = pause
            && pending.ends.iter().any(|end| !end.done)
        {
            pending.tries += 1;
            pending.due = Instant::now() + Duration::from_millis(pause);
            self.pending.push(pending);
            return;
        }
        let [initiator, listener] = pending.ends.map(|end| end.best);
        // The run may be over already.
        let _ = self.answers.send(Answer { ticket: pending.ticket, initiator, listener });
        self.answered.notify_one();
    }

    /// One look-up of one end.
    fn look_up(&mut self, end: &mut EndLookup, first: Preference, since: Duration) {
        match self.find(end.own, &end.scopes, Some(end.peer)) {
            Ok(Some(SocketState::Owned(inode))) => self.handle_owned(end, inode, first, since),
            Ok(Some(SocketState::Opening(inode))) => {
                self.handle_owned(end, inode, first, since);
                end.done = false;
            }
            Ok(Some(SocketState::Waiting)) => self.use_listener(end),
            // Its SYN is still to be handled, or it is over.
            Ok(Some(SocketState::Listening(_))) if end.listens => self.use_listener(end),
            Ok(Some(SocketState::Listening(_) | SocketState::Orphaned) | None) | Err(_) => {
                end.done = true;
                self.use_listener(end);
            }
        }
    }

    /// Takes the process that listens for a connection as its owner, until the owner is known.
    fn use_listener(&mut self, end: &mut EndLookup) {
        if end.best.is_some() || !end.listens {
            return;
        }
        if let Some(inode) = self.listening_socket(end.own, &end.scopes) {
            let owner = self.owner(inode, None, Preference::Known, FoundBy::Listener);
            end.best = owner.map(|owner| owner.process);
        }
        if end.best.is_none() {
            let kept = self.listeners.get(&end.own).filter(|(_, at)| at.elapsed() < LISTENER_FOR);
            end.best = kept.map(|(process, _)| Arc::clone(process));
        }
    }

    /// The socket at an end, of this host or of another network namespace on it.
    fn find(
        &mut self,
        own: Endpoint,
        scopes: &Scopes,
        peer: Option<Endpoint>,
    ) -> std::io::Result<Option<SocketState>> {
        let asked = if scopes.is_here() { self.sockets.find(own, scopes, peer) } else { Ok(None) };
        let Some(table) = &mut self.table else { return asked };
        // A kernel without the diagnostics of TCP answers as if there were no socket.
        if matches!(asked, Ok(Some(_))) {
            return asked;
        }
        table.refresh(self.round);
        self.shared.others.store(table.has_others(), Ordering::Relaxed);
        Ok(if scopes.is_here() { table.find_here(own, peer) } else { table.find_elsewhere(own, peer) })
    }

    /// The socket that listens at an endpoint of this host.
    fn listening_socket(&mut self, endpoint: Endpoint, scopes: &Scopes) -> Option<u32> {
        match self.find(endpoint, scopes, None) {
            Ok(Some(SocketState::Listening(inode))) => Some(inode),
            _ => None,
        }
    }

    /// The process that owns a socket.
    fn owner(
        &mut self,
        inode: u32,
        listener: Option<u32>,
        first: Preference,
        found_by: FoundBy,
    ) -> Option<SocketOwner> {
        let (table, round) = (&mut self.table, self.round);
        let holders = |inode| {
            let table = table.as_mut()?;
            table.refresh(round);
            table.holders(inode)
        };
        self.processes.owner(inode, listener, first, found_by, holders)
    }

    fn handle_owned(&mut self, end: &mut EndLookup, inode: u32, first: Preference, since: Duration) {
        let unreadable = self.processes.counters.unreadable;
        let listener = if end.listens { self.listening_socket(end.own, &end.scopes) } else { None };
        let Some(owner) = self.owner(inode, listener, first, FoundBy::Connection) else {
            self.warn_of_missing_privileges(unreadable);
            self.use_listener(end);
            return;
        };
        let pid = owner.process.pid;
        end.best = Some(owner.process);
        end.done = true;
        if end.listens && !owner.serves_itself {
            let serves_itself = listener.is_none_or(|inode| !Processes::has_socket(pid, inode));
            if serves_itself {
                return;
            }
            // It accepted the connection, and may be about to start a process for it.
            end.done = since >= FORK_WAIT;
            if end.done {
                self.processes.mark_serving_itself(pid);
            }
        }
    }

    fn warn_of_missing_privileges(&mut self, unreadable: u64) {
        if self.processes.counters.unreadable > unreadable && !self.warned {
            self.warned = true;
            warn!(
                "cannot read all processes: some connections will have no process in the events; this needs root, or \
                 CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH (or --owners off)"
            );
        }
    }
}
