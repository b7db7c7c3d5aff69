//! Adds to events which local processes own the ends of their connections.
//!
//! Each look-up is requested as early as possible: when a session begins, when an endpoint is announced, when a data
//! connection is opened. An event whose answer has not come waits, and so do later ones of its session, for
//! [`WAIT_MAX`] at most.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use smol_str::SmolStr;
use tokio::sync::Notify;

use super::session_queues::SessionQueues;
use crate::bounded::BoundedMap;
use crate::process::{Answer, Asked, PATIENCE, ProcessLookup};
use crate::telemetry::{Kind, Sampled, Snapshot};
use ftpmon_core::engine::SelectorUpdate;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::{Event, EventKind, FoundBy, LocalProcess, LoginOutcome, Mode, SessionIdentity, Transfer};

/// The longest wait of an event for an answer. A look-up takes some milliseconds, [`PATIENCE`] at most on an idle machine.
const WAIT_MAX: Duration = PATIENCE.saturating_mul(8);
/// Events that may wait. When more come, all go as they are: a thread that hangs must not fill the memory.
pub(crate) const WAITING_EVENTS_MAX: usize = 16_384;
/// Sessions whose processes are remembered, for data connections that were over too soon.
pub(crate) const SESSIONS_MAX: usize = 16_384;
/// Data connections whose processes are remembered until their transfers are reported.
pub(crate) const CONNECTIONS_MAX: usize = 16_384;

/// The processes that own the two ends of a connection.
#[derive(Clone, Debug, Default)]
struct EndProcesses {
    initiator: Option<Arc<LocalProcess>>,
    listener: Option<Arc<LocalProcess>>,
}

/// A look-up, and its answer where that is known. An earlier look-up's answer stands until then.
#[derive(Debug)]
struct LookupState {
    ticket: Option<u64>,
    ends: EndProcesses,
}

/// The connection of a look-up.
enum Subject {
    Session(SmolStr),
    Connection(Endpoint, Endpoint),
}

/// Counters of the look-ups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OwnerCounters {
    /// Connections looked up.
    asked: u64,
    /// EndProcesses that were found on this host.
    found: u64,
    /// Events that went without an answer because it came too late.
    late: u64,
    /// Look-ups that were not made because too many waited.
    refused: u64,
    /// Connections that were not looked up because neither end is on this host.
    foreign: u64,
}

/// The processes at the ends of connections, and the events that wait for them.
pub(crate) struct Attribution {
    lookup: ProcessLookup,
    subjects: HashMap<u64, Subject>,
    sessions: BoundedMap<SmolStr, LookupState>,
    connections: BoundedMap<(Endpoint, Endpoint), LookupState>,
    waiting: SessionQueues,
    /// Those that wait no longer.
    ready: VecDeque<Event>,
    counters: OwnerCounters,
}

impl Sampled for Attribution {
    fn sample(&self, into: &mut Snapshot) {
        let (counters, thread) = (self.counters, self.lookup.counters());
        let counters = [
            ("owner_lookups", counters.asked),
            ("owner_found", counters.found),
            ("owner_late", counters.late),
            ("owner_refused", counters.refused),
            ("owner_foreign", counters.foreign),
            ("owner_scans", thread.scans),
            ("owner_unreadable", thread.unreadable),
        ];
        into.extend(Kind::Agent, counters);
    }
}

impl Attribution {
    pub(crate) fn new(lookup: ProcessLookup) -> Self {
        Self {
            lookup,
            subjects: HashMap::new(),
            sessions: BoundedMap::new(SESSIONS_MAX),
            connections: BoundedMap::new(CONNECTIONS_MAX),
            waiting: SessionQueues::new(WAIT_MAX, WAITING_EVENTS_MAX),
            ready: VecDeque::new(),
            counters: OwnerCounters::default(),
        }
    }

    /// Notifies when there are answers.
    pub(crate) fn answered(&self) -> Arc<Notify> {
        self.lookup.answered()
    }

    /// A data connection is announced or was found.
    pub(crate) fn update(&mut self, update: &SelectorUpdate) {
        match *update {
            SelectorUpdate::Expect { listener, .. } => {
                let taken = self.lookup.listener(listener);
                self.counters.refused += u64::from(!taken);
            }
            SelectorUpdate::Adopt { initiator, listener, .. } => {
                self.ask(initiator, listener, false, Subject::Connection(initiator, listener));
            }
            _ => {}
        }
    }

    /// Requests the look-ups of the next event. It has to wait: [`Self::hold`] takes it.
    pub(crate) fn must_wait(&mut self, event: &mut Event) -> bool {
        if let Some(identity) = &event.session {
            let logged_in = matches!(&event.kind, EventKind::Login(login) if login.login.outcome == LoginOutcome::Success);
            if logged_in || matches!(event.kind, EventKind::SessionStart(_)) {
                self.ask_session(&Arc::clone(identity));
            }
        }
        let Self { waiting, sessions, connections, .. } = self;
        let known = Known { sessions, connections };
        waiting.must_wait(event, |event, _| known.complete(event, false))
    }

    /// Takes an event that has to wait.
    pub(crate) fn hold(&mut self, event: Event) {
        self.waiting.hold(event, Instant::now());
        if self.waiting.is_over() {
            self.release();
        }
    }

    /// The next event that waits no longer. It comes before any later one.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    /// Releases the events that waited too long.
    pub(crate) fn handle_timeout(&mut self) {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.release();
        }
    }

    /// When [`Self::handle_timeout`] is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.waiting.due()
    }

    /// Takes the answers that came.
    pub(crate) fn take_answers(&mut self) {
        let mut came = false;
        while let Some(answer) = self.lookup.answer() {
            self.handle_answer(answer);
            came = true;
        }
        if came && !self.waiting.is_empty() {
            self.release();
        }
    }

    /// Waits for an answer, as long as an event waits for one.
    pub(crate) fn await_answer(&mut self) {
        let Some(until) = self.due() else { return };
        if let Some(answer) = self.lookup.answer_within(until.saturating_duration_since(Instant::now())) {
            self.handle_answer(answer);
        }
        self.release();
    }

    /// Events whose answers came, or that waited for too long, are ready.
    fn release(&mut self) {
        let Self { waiting, ready, sessions, connections, counters, .. } = self;
        let known = Known { sessions, connections };
        let complete = |event: &mut Event, last: bool| {
            let is_complete = known.complete(event, last);
            counters.late += u64::from(last && !is_complete);
            is_complete
        };
        waiting.release(Instant::now(), false, complete, |event| ready.push_back(event));
    }

    fn ask_session(&mut self, identity: &SessionIdentity) {
        self.ask(identity.client, identity.server, true, Subject::Session(SmolStr::new(identity.id())));
    }

    fn ask(&mut self, initiator: Endpoint, listener: Endpoint, youngest: bool, subject: Subject) {
        let ticket = match self.lookup.connection(initiator, listener, youngest) {
            Asked::Ticket(ticket) => {
                self.counters.asked += 1;
                Some(ticket)
            }
            Asked::Refused => {
                self.counters.refused += 1;
                None
            }
            Asked::Foreign => {
                self.counters.foreign += 1;
                return;
            }
        };
        let state = LookupState { ticket, ends: EndProcesses::default() };
        match &subject {
            Subject::Session(id) => match self.sessions.get_mut(id) {
                Some(known) => known.ticket = ticket,
                None => self.sessions.insert(id.clone(), state),
            },
            // A later connection between the same ports may belong to other processes.
            Subject::Connection(from, to) => self.connections.insert((*from, *to), state),
        }
        if let Some(ticket) = ticket {
            self.subjects.insert(ticket, subject);
        }
    }

    fn handle_answer(&mut self, answer: Answer) {
        let (state, mixes) = match self.subjects.remove(&answer.ticket) {
            Some(Subject::Session(id)) => (self.sessions.get_mut(&id), true),
            // An earlier look-up may be about an earlier connection between the same ports.
            Some(Subject::Connection(from, to)) => (self.connections.get_mut(&(from, to)), false),
            None => return,
        };
        let Some(state) = state else { return };
        let latest = state.ticket == Some(answer.ticket);
        if latest {
            state.ticket = None;
        }
        for (slot, process) in
            [(&mut state.ends.initiator, answer.initiator), (&mut state.ends.listener, answer.listener)]
        {
            if process.is_some() && (latest || (mixes && slot.is_none())) {
                self.counters.found += 1;
                *slot = process;
            }
        }
    }
}

/// The answers so far.
struct Known<'a> {
    sessions: &'a BoundedMap<SmolStr, LookupState>,
    connections: &'a BoundedMap<(Endpoint, Endpoint), LookupState>,
}

impl Known<'_> {
    /// Adds the processes to an event, unless it waits for an answer and this is not the `last` chance. False if an answer
    /// has not come.
    fn complete(&self, event: &mut Event, last: bool) -> bool {
        if !matches!(event.kind, EventKind::SessionStart(_) | EventKind::Transfer(_)) {
            return true;
        }
        let waits = self.waits(event);
        if !waits || last {
            self.fill(event);
        }
        !waits
    }

    fn waits(&self, event: &Event) -> bool {
        let session = event.session.as_ref().and_then(|identity| self.sessions.get(identity.id()));
        let asked = |state: Option<&LookupState>| state.is_some_and(|state| state.ticket.is_some());
        match &event.kind {
            EventKind::SessionStart(_) => asked(session),
            EventKind::Transfer(transfer) => {
                ends_of(transfer).is_some_and(|ends| asked(session) || asked(self.connections.get(&ends)))
            }
            _ => false,
        }
    }

    fn fill(&self, event: &mut Event) {
        let Some(identity) = &event.session else { return };
        let session = self.sessions.get(identity.id()).map(|state| state.ends.clone()).unwrap_or_default();
        match &mut event.kind {
            EventKind::SessionStart(start) => {
                let EndProcesses { initiator, listener } = session;
                (start.client_process, start.server_process) = (initiator, listener);
            }
            EventKind::Transfer(transfer) => {
                let Some(key) = ends_of(transfer) else { return };
                let found = self.connections.get(&key).map(|state| state.ends.clone()).unwrap_or_default();
                let (client, server) = by_side(identity, transfer, key, found);
                transfer.client_process = best(client, identity.client.ip, session.initiator);
                transfer.server_process = best(server, identity.server.ip, session.listener);
            }
            _ => {}
        }
    }
}

/// The two ends of a transfer's data connection, as the engine names them.
fn ends_of(transfer: &Transfer) -> Option<(Endpoint, Endpoint)> {
    let data = transfer.data.as_ref()?;
    Some((data.initiator?, data.listener?))
}

/// An end of a connection, and the process that owns it.
type OwnedEnd = (Endpoint, Option<Arc<LocalProcess>>);

/// The ends of a data connection by what they are in the session: the client's, then the server's.
fn by_side(
    identity: &SessionIdentity,
    transfer: &Transfer,
    (initiator, listener): (Endpoint, Endpoint),
    found: EndProcesses,
) -> (OwnedEnd, OwnedEnd) {
    let announced = transfer.data.as_ref().and_then(|data| data.announced.mode);
    let server_listens = announced.map_or(listener.ip == identity.server.ip, |mode| mode == Mode::Passive);
    let (from, to) = ((initiator, found.initiator), (listener, found.listener));
    if server_listens { (from, to) } else { (to, from) }
}

/// The process that owns an end of a data connection, given the one that owns the same end of the control connection. That
/// one is preferred to the process that listened: a server may have a process with more privileges listen.
fn best(
    (end, found): OwnedEnd,
    control: IpAddr,
    holder: Option<Arc<LocalProcess>>,
) -> Option<Arc<LocalProcess>> {
    if found.as_ref().is_some_and(|found| found.found_by == FoundBy::Connection) {
        return found;
    }
    match holder.filter(|_| end.ip == control) {
        Some(holder) if holder.found_by == FoundBy::Connection => {
            Some(Arc::new(LocalProcess { found_by: FoundBy::Control, ..(*holder).clone() }))
        }
        holder => found.or(holder),
    }
}
