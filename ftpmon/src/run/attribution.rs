//! Puts into events who holds the ends of their connections, without holding up anything but the events.
//!
//! Questions are asked as early as can be: when a session begins, when an endpoint is announced, when a data connection
//! comes. An event whose answer is still due waits, and those behind it wait with it, so that the order stays; but not for
//! longer than [`WAIT_MAX`].

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use smol_str::SmolStr;
use tokio::sync::Notify;

use crate::addr::Endpoint;
use crate::engine::PortUpdate;
use crate::event::{Event, EventKind, FoundBy, LocalProcess, LoginOutcome, Mode, SessionIdentity, Transfer};
use crate::owner::{Answer, Bounded, Owners, PATIENCE};

/// How long an event may wait for an answer. A look-up takes some milliseconds, [`PATIENCE`] at most on an idle machine.
const WAIT_MAX: Duration = PATIENCE.saturating_mul(8);
/// Events that may wait. When more come, the oldest goes as it is: a thread that hangs must not fill the memory.
pub(super) const HELD_EVENTS_MAX: usize = 16_384;
/// Sessions whose processes are remembered, for data connections that were over too soon.
pub(super) const SESSIONS_MAX: usize = 16_384;
/// Data connections whose processes are remembered until their transfers are reported.
pub(super) const CONNECTIONS_MAX: usize = 16_384;

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

struct Waiting {
    event: Event,
    until: Instant,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnerCounters {
    /// Connections asked for.
    pub(super) asked: u64,
    /// Ends that were found on this host.
    pub(super) found: u64,
    /// Events that went without an answer because it came too late.
    pub(super) late: u64,
    /// Questions that were not asked because too many waited.
    pub(super) refused: u64,
}

/// See the module's text.
pub(super) struct Attribution {
    owners: Owners,
    subjects: HashMap<u64, Subject>,
    sessions: Bounded<SmolStr, Question>,
    connections: Bounded<(Endpoint, Endpoint), Question>,
    held: VecDeque<Waiting>,
    pub(super) counters: OwnerCounters,
}

impl Attribution {
    pub(super) fn new(owners: Owners) -> Self {
        Self {
            owners,
            subjects: HashMap::new(),
            sessions: Bounded::new(SESSIONS_MAX),
            connections: Bounded::new(CONNECTIONS_MAX),
            held: VecDeque::new(),
            counters: OwnerCounters::default(),
        }
    }

    /// Tells when there are answers.
    pub(super) fn answered(&self) -> Arc<Notify> {
        self.owners.answered()
    }

    pub(super) fn owners(&self) -> &Owners {
        &self.owners
    }

    /// A data connection is announced or was found.
    pub(super) fn update(&mut self, update: &PortUpdate) {
        match *update {
            PortUpdate::Expect { listener, .. } => {
                let taken = self.owners.listener(listener);
                self.counters.refused += u64::from(!taken);
            }
            PortUpdate::Adopt { initiator, listener, .. } => {
                let ticket =
                    self.ask(initiator, listener, false, || Subject::Connection(initiator, listener));
                self.connections.insert((initiator, listener), Question { ticket, ends: Ends::default() });
            }
            _ => {}
        }
    }

    /// Takes the next event.
    pub(super) fn push(&mut self, event: Event) {
        if let Some(identity) = &event.session {
            let logged_in = matches!(&event.kind, EventKind::Login(login) if login.login.outcome == LoginOutcome::Success);
            if logged_in || matches!(event.kind, EventKind::SessionStart(_)) {
                self.ask_session(&Arc::clone(identity));
            }
        }
        self.held.push_back(Waiting { event, until: Instant::now() + WAIT_MAX });
    }

    /// The next event that is ready.
    pub(super) fn pop(&mut self) -> Option<Event> {
        let head = self.held.front()?;
        if self.waits(&head.event) {
            if self.held.len() <= HELD_EVENTS_MAX && Instant::now() < head.until {
                return None;
            }
            self.counters.late += 1;
        }
        let mut event = self.held.pop_front()?.event;
        self.fill(&mut event);
        Some(event)
    }

    /// When the next event goes, answered or not.
    pub(super) fn due(&self) -> Option<Instant> {
        self.held.front().map(|held| held.until)
    }

    /// Takes the answers that came.
    pub(super) fn take_answers(&mut self) {
        while let Some(answer) = self.owners.answer() {
            self.take(answer);
        }
    }

    /// Waits for the answer that the next event waits for.
    pub(super) fn await_answer(&mut self) {
        let Some(until) = self.due() else { return };
        if let Some(answer) = self.owners.answer_within(until.saturating_duration_since(Instant::now())) {
            self.take(answer);
        }
    }

    fn ask_session(&mut self, identity: &SessionIdentity) {
        let id = identity.id.clone();
        let ticket = self.ask(identity.client, identity.server, true, || Subject::Session(id.clone()));
        match self.sessions.get_mut(&id) {
            Some(known) => known.ticket = ticket,
            None => self.sessions.insert(id, Question { ticket, ends: Ends::default() }),
        }
    }

    fn ask(
        &mut self,
        initiator: Endpoint,
        listener: Endpoint,
        youngest: bool,
        subject: impl FnOnce() -> Subject,
    ) -> Option<u64> {
        let ticket = self.owners.connection(initiator, listener, youngest);
        match ticket {
            Some(ticket) => {
                self.counters.asked += 1;
                self.subjects.insert(ticket, subject());
            }
            None => self.counters.refused += 1,
        }
        ticket
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

    fn waits(&self, event: &Event) -> bool {
        let session = event.session.as_ref().and_then(|identity| self.sessions.get(&identity.id));
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
            self.sessions.get(&identity.id).map(|question| question.ends.clone()).unwrap_or_default();
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
