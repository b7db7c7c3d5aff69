//! Looks up who holds the ends of connections, on a thread of its own.
//!
//! A connection may be asked for before its server has accepted it, and a server may hand it to a process that it makes
//! for it. So a look-up that has no good answer yet is repeated a few times within [`super::PATIENCE`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::addresses::Scopes;
use super::cpu_budget::CpuBudget;
use super::processes::{First, Processes};
use super::sockets::{Found, Sockets};
use super::{Answer, PENDING_MAX, Request, Shared};
use crate::bounded::BoundedMap;
use crate::notice::notice;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::{FoundBy, LocalProcess};

/// Announced endpoints whose listeners are remembered until their connections come.
pub const LISTENERS_MAX: usize = 4_096;
/// A listener is remembered for this long.
const LISTENER_FOR: Duration = Duration::from_secs(300);
/// Pauses between the tries of a look-up. Their sum is [`super::PATIENCE`] at most.
const PAUSES_MS: [u64; 6] = [1, 2, 4, 8, 15, 30];
/// Within this time a server that makes a process for each session has made it.
const FORK_WAIT: Duration = Duration::from_millis(10);

/// A look-up that has no answer yet.
struct Pending {
    ticket: u64,
    first: First,
    begun: Instant,
    due: Instant,
    tries: usize,
    ends: [End; 2],
}

struct End {
    own: Endpoint,
    scopes: Scopes,
    peer: Endpoint,
    /// It was connected to.
    listens: bool,
    best: Option<Arc<LocalProcess>>,
    done: bool,
}

/// What the thread has.
pub(super) struct Worker {
    sockets: Sockets,
    processes: Processes,
    listeners: BoundedMap<Endpoint, (Arc<LocalProcess>, Instant)>,
    pending: Vec<Pending>,
    answers: Sender<Answer>,
    answered: Arc<Notify>,
    shared: Arc<Shared>,
    cpu_budget: CpuBudget,
    said: bool,
}

impl Worker {
    pub(super) fn new(
        sockets: Sockets,
        answers: Sender<Answer>,
        answered: Arc<Notify>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            sockets,
            processes: Processes::new(),
            listeners: BoundedMap::new(LISTENERS_MAX),
            pending: Vec::new(),
            answers,
            answered,
            shared,
            cpu_budget: CpuBudget::default(),
            said: false,
        }
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        loop {
            let due = self.pending.iter().map(|pending| pending.due).min();
            let idle_since = Instant::now();
            let request = match due {
                None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => requests.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            let begun = Instant::now();
            self.cpu_budget.rested(begun - idle_since);
            if request.is_ok() {
                self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            }
            match request {
                Ok(Request::Listener(endpoint, scopes)) => self.listener(endpoint, &scopes),
                Ok(Request::Connection { ticket, initiator, listener, own: [from, to], youngest }) => {
                    let end = |own, peer, listens, scopes: Scopes| {
                        let done = !scopes.is_here();
                        End { own, scopes, peer, listens, best: None, done }
                    };
                    let ends = [end(initiator, listener, false, from), end(listener, initiator, true, to)];
                    let first = if youngest { First::Youngest } else { First::Known };
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

    /// An endpoint was announced: who listens there now may be gone when it is asked for.
    fn listener(&mut self, endpoint: Endpoint, scopes: &Scopes) {
        if let Some(inode) = self.listening(endpoint, scopes)
            && let Some(holder) = self.processes.holder(inode, None, First::Known, FoundBy::Listener)
        {
            self.listeners.insert(endpoint, (holder.process, Instant::now()));
        }
    }

    fn proceed(&mut self, mut pending: Pending) {
        let Pending { first, begun, .. } = pending;
        for end in pending.ends.iter_mut().filter(|end| !end.done) {
            self.look(end, first, begun.elapsed());
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
        // Nobody takes it when the run is over.
        let _ = self.answers.send(Answer { ticket: pending.ticket, initiator, listener });
        self.answered.notify_one();
    }

    /// One look at one end.
    fn look(&mut self, end: &mut End, first: First, since: Duration) {
        match self.sockets.find(end.own, &end.scopes, Some(end.peer)) {
            Ok(Some(Found::Held(inode))) => self.held(end, inode, first, since),
            Ok(Some(Found::Opening(inode))) => {
                self.held(end, inode, first, since);
                end.done = false;
            }
            Ok(Some(Found::Waiting)) => self.listens(end),
            // Its SYN is still to be handled, or it is over.
            Ok(Some(Found::Listening(_))) if end.listens => self.listens(end),
            Ok(Some(Found::Listening(_) | Found::Left) | None) | Err(_) => {
                end.done = true;
                self.listens(end);
            }
        }
    }

    /// Whoever listens for it stands in for who has it, until that is known.
    fn listens(&mut self, end: &mut End) {
        if end.best.is_some() || !end.listens {
            return;
        }
        if let Some(inode) = self.listening(end.own, &end.scopes) {
            let holder = self.processes.holder(inode, None, First::Known, FoundBy::Listener);
            end.best = holder.map(|holder| holder.process);
        }
        if end.best.is_none() {
            let kept = self.listeners.get(&end.own).filter(|(_, at)| at.elapsed() < LISTENER_FOR);
            end.best = kept.map(|(process, _)| Arc::clone(process));
        }
    }

    /// The socket that listens at an endpoint of this host.
    fn listening(&mut self, endpoint: Endpoint, scopes: &Scopes) -> Option<u32> {
        match self.sockets.find(endpoint, scopes, None) {
            Ok(Some(Found::Listening(inode))) => Some(inode),
            _ => None,
        }
    }

    fn held(&mut self, end: &mut End, inode: u32, first: First, since: Duration) {
        let unreadable = self.processes.counters.unreadable;
        let listener = if end.listens { self.listening(end.own, &end.scopes) } else { None };
        let Some(holder) = self.processes.holder(inode, listener, first, FoundBy::Connection) else {
            self.say_what_is_missing(unreadable);
            self.listens(end);
            return;
        };
        let pid = holder.process.pid;
        end.best = Some(holder.process);
        end.done = true;
        if end.listens && !holder.settled {
            let serves_itself = listener.is_none_or(|inode| !Processes::holds(pid, inode));
            if serves_itself {
                return;
            }
            // It took the connection, and may be about to make a process for it.
            end.done = since >= FORK_WAIT;
            if end.done {
                self.processes.settle(pid);
            }
        }
    }

    fn say_what_is_missing(&mut self, unreadable: u64) {
        if self.processes.counters.unreadable > unreadable && !self.said {
            self.said = true;
            notice(format_args!(
                "cannot look into all processes: some connections will have no process in the events; it takes root, or \
                 CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH (or --owners off)"
            ));
        }
    }
}
