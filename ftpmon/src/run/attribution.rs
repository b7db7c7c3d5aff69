//! Puts into events who holds the ends of their connections, without holding up anything but the events.
//!
//! Questions are asked as early as can be: when a session begins, when an endpoint is announced, when a data connection
//! comes. An event whose answer is still due waits, and those of its session wait behind it, but not for longer than
//! [`WAIT_MAX`].

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use smol_str::SmolStr;
use tokio::sync::Notify;

use crate::chain::Held;
use crate::owner::{Answer, Asked, Bounded, Owners, PATIENCE};
use crate::telemetry::{Kind, Sampled, Snapshot};
use ftpmon_core::engine::PortUpdate;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::{Event, EventKind, FoundBy, LocalProcess, LoginOutcome, Mode, SessionIdentity, Transfer};

/// How long an event may wait for an answer. A look-up takes some milliseconds, [`PATIENCE`] at most on an idle machine.
const WAIT_MAX: Duration = PATIENCE.saturating_mul(8);
/// Events that may wait. When more come, all go as they are: a thread that hangs must not fill the memory.
pub(crate) const HELD_EVENTS_MAX: usize = 16_384;
/// Sessions whose processes are remembered, for data connections that were over too soon.
pub(crate) const SESSIONS_MAX: usize = 16_384;
/// Data connections whose processes are remembered until their transfers are reported.
pub(crate) const CONNECTIONS_MAX: usize = 16_384;

/// Who holds the two ends of a connection.
#[derive(Clone, Debug, Default)]
struct Ends {
    initiator: Option<Arc<LocalProcess>>,
    listener: Option<Arc<LocalProcess>>,
}

/// A question, and its answer where that is known. An earlier question's answer stands until then.
#[derive(Debug)]
struct Question {
    ticket: Option<u64>,
    ends: Ends,
}

/// What a question is about.
enum Subject {
    Session(SmolStr),
    Connection(Endpoint, Endpoint),
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OwnerCounters {
    /// Connections asked for.
    asked: u64,
    /// Ends that were found on this host.
    found: u64,
    /// Events that went without an answer because it came too late.
    late: u64,
    /// Questions that were not asked because too many waited.
    refused: u64,
    /// Connections neither end of which is this host's: they were not asked for.
    foreign: u64,
}

/// See the module's text.
pub(super) struct Attribution {
    owners: Owners,
    subjects: HashMap<u64, Subject>,
    sessions: Bounded<SmolStr, Question>,
    connections: Bounded<(Endpoint, Endpoint), Question>,
    held: Held,
    /// Those that wait no longer.
    ready: VecDeque<Event>,
    counters: OwnerCounters,
}

impl Sampled for Attribution {
    fn sample(&self, into: &mut Snapshot) {
        let (counters, thread) = (self.counters, self.owners.counters());
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
    pub(super) fn new(owners: Owners) -> Self {
        Self {
            owners,
            subjects: HashMap::new(),
            sessions: Bounded::new(SESSIONS_MAX),
            connections: Bounded::new(CONNECTIONS_MAX),
            held: Held::new(WAIT_MAX, HELD_EVENTS_MAX),
            ready: VecDeque::new(),
            counters: OwnerCounters::default(),
        }
    }

    /// Tells when there are answers.
    pub(super) fn answered(&self) -> Arc<Notify> {
        self.owners.answered()
    }

    /// A data connection is announced or was found.
    pub(super) fn update(&mut self, update: &PortUpdate) {
        match *update {
            PortUpdate::Expect { listener, .. } => {
                let taken = self.owners.listener(listener);
                self.counters.refused += u64::from(!taken);
            }
            PortUpdate::Adopt { initiator, listener, .. } => {
                self.ask(initiator, listener, false, Subject::Connection(initiator, listener));
            }
            _ => {}
        }
    }

    /// Looks at the next event and asks what there is to ask for it. It has to wait: [`Self::hold`] takes it.
    pub(super) fn must_wait(&mut self, event: &mut Event) -> bool {
        if let Some(identity) = &event.session {
            let logged_in = matches!(&event.kind, EventKind::Login(login) if login.login.outcome == LoginOutcome::Success);
            if logged_in || matches!(event.kind, EventKind::SessionStart(_)) {
                self.ask_session(&Arc::clone(identity));
            }
        }
        let Self { held, sessions, connections, .. } = self;
        let known = Known { sessions, connections };
        held.must_wait(event, |event, _| known.settle(event, false))
    }

    /// Takes an event that has to wait.
    pub(super) fn hold(&mut self, event: Event) {
        self.held.hold(event, Instant::now());
        if self.held.is_over() {
            self.release();
        }
    }

    /// The next event that waits no longer: before any that comes behind it.
    pub(super) fn pop(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    /// What has waited for too long waits no longer.
    pub(super) fn wake(&mut self) {
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.release();
        }
    }

    /// When the next event goes, answered or not.
    pub(super) fn due(&self) -> Option<Instant> {
        self.held.due()
    }

    /// Takes the answers that came.
    pub(super) fn take_answers(&mut self) {
        let mut came = false;
        while let Some(answer) = self.owners.answer() {
            self.take(answer);
            came = true;
        }
        if came && !self.held.is_empty() {
            self.release();
        }
    }

    /// Waits for an answer, as long as an event waits for one.
    pub(super) fn await_answer(&mut self) {
        let Some(until) = self.due() else { return };
        if let Some(answer) = self.owners.answer_within(until.saturating_duration_since(Instant::now())) {
            self.take(answer);
        }
        self.release();
    }

    /// Events whose answers came, or that waited for too long, are ready.
    fn release(&mut self) {
        let Self { held, ready, sessions, connections, counters, .. } = self;
        let known = Known { sessions, connections };
        let settle = |event: &mut Event, last: bool| {
            let settled = known.settle(event, last);
            counters.late += u64::from(last && !settled);
            settled
        };
        held.release(Instant::now(), false, settle, |event| ready.push_back(event));
    }

    fn ask_session(&mut self, identity: &SessionIdentity) {
        self.ask(identity.client, identity.server, true, Subject::Session(SmolStr::new(identity.id())));
    }

    fn ask(&mut self, initiator: Endpoint, listener: Endpoint, youngest: bool, subject: Subject) {
        let ticket = match self.owners.connection(initiator, listener, youngest) {
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
        let question = Question { ticket, ends: Ends::default() };
        match &subject {
            Subject::Session(id) => match self.sessions.get_mut(id) {
                Some(known) => known.ticket = ticket,
                None => self.sessions.insert(id.clone(), question),
            },
            // Another connection between the same ports has other holders.
            Subject::Connection(from, to) => self.connections.insert((*from, *to), question),
        }
        if let Some(ticket) = ticket {
            self.subjects.insert(ticket, subject);
        }
    }

    fn take(&mut self, answer: Answer) {
        let (question, mixes) = match self.subjects.remove(&answer.ticket) {
            Some(Subject::Session(id)) => (self.sessions.get_mut(&id), true),
            // An earlier question may be about an earlier connection between the same ports.
            Some(Subject::Connection(from, to)) => (self.connections.get_mut(&(from, to)), false),
            None => return,
        };
        let Some(question) = question else { return };
        let latest = question.ticket == Some(answer.ticket);
        if latest {
            question.ticket = None;
        }
        for (place, process) in
            [(&mut question.ends.initiator, answer.initiator), (&mut question.ends.listener, answer.listener)]
        {
            if process.is_some() && (latest || (mixes && place.is_none())) {
                self.counters.found += 1;
                *place = process;
            }
        }
    }
}

/// What is known of connections.
struct Known<'a> {
    sessions: &'a Bounded<SmolStr, Question>,
    connections: &'a Bounded<(Endpoint, Endpoint), Question>,
}

impl Known<'_> {
    /// Says in an event who holds its connection's ends, where it need not wait for that, or this is the `last` chance.
    /// False where something is still due.
    fn settle(&self, event: &mut Event, last: bool) -> bool {
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
        let asked = |question: Option<&Question>| question.is_some_and(|question| question.ticket.is_some());
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
        let session =
            self.sessions.get(identity.id()).map(|question| question.ends.clone()).unwrap_or_default();
        match &mut event.kind {
            EventKind::SessionStart(start) => {
                let Ends { initiator, listener } = session;
                (start.client_process, start.server_process) = (initiator, listener);
            }
            EventKind::Transfer(transfer) => {
                let Some(key) = ends_of(transfer) else { return };
                let found =
                    self.connections.get(&key).map(|question| question.ends.clone()).unwrap_or_default();
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

/// An end of a connection, and who holds it.
type EndHolder = (Endpoint, Option<Arc<LocalProcess>>);

/// The ends of a data connection by what they are in the session: the client's, then the server's.
fn by_side(
    identity: &SessionIdentity,
    transfer: &Transfer,
    (initiator, listener): (Endpoint, Endpoint),
    found: Ends,
) -> (EndHolder, EndHolder) {
    let announced = transfer.data.as_ref().and_then(|data| data.announced.mode);
    let server_listens = announced.map_or(listener.ip == identity.server.ip, |mode| mode == Mode::Passive);
    let (from, to) = ((initiator, found.initiator), (listener, found.listener));
    if server_listens { (from, to) } else { (to, from) }
}

/// Who holds an end of a data connection, given who holds the same end of the control connection. That one counts for
/// more than whoever listened: a server may have a process with more rights do that.
fn best(
    (end, found): EndHolder,
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
