//! The transfers of a session: each transfer command, the endpoint that was announced for it, the connection that came,
//! and the replies are brought together into one event, whatever the order in which they are seen.

mod aside;
mod closing;
mod missing;
mod report;

use std::sync::Arc;

pub(super) use report::tell_stranger;

use super::allowance::Allowance;
use super::contenders::DataState;
use super::data::{ConnectionId, Contact, DataSummary, EndpointId, FoundData};
use super::login::Logins;
use super::outbox::{Effect, ExpectedEndpoints, Outbox};
use super::restart::Restart;
use super::transfer::{Announced, Aside, Missed, Request, Transfer};
use crate::event::{DataAnnouncement, EventKind, Mode, SessionIdentity};
use crate::fill::Fills;
use crate::text::Text;
use crate::time::Timestamp;
use crate::timing::{BORDER_NS, DISORDER_NS};

/// Totals over the reported transfers, for `session_end`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) transfers: u64,
    pub(super) bytes_up: u64,
    pub(super) bytes_down: u64,
}

/// Reported transfers to whose endpoints strangers may have come.
const REPORTED_MAX: usize = 4;

/// The session that events of transfers belong to.
#[derive(Clone, Copy)]
pub(super) struct SessionRef<'a> {
    pub(super) identity: &'a Arc<SessionIdentity>,
    pub(super) user: Option<&'a Arc<Text>>,
    pub(super) allowance: &'a Allowance,
}

impl<'a> SessionRef<'a> {
    /// The session of these parts, with the user that it has now.
    pub(super) fn new(
        identity: &'a Arc<SessionIdentity>,
        logins: &'a Logins,
        allowance: &'a Allowance,
    ) -> Self {
        Self { identity, user: logins.user.as_ref(), allowance }
    }

    /// Tells an event of the session, if it may have more.
    #[inline]
    pub(super) fn tell(&self, at: Timestamp, kind: EventKind, out: &mut Outbox) {
        if self.allowance.spend(at, &kind, out) {
            out.event(at, self.identity, self.user, kind);
        }
    }
}

/// The endpoint of a transfer's data, as far as is known when its command comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataSource {
    /// To the endpoint announced last.
    Announced,
    /// Over the connection of a transfer before it.
    OpenConnection,
    /// Nothing was announced, or not yet.
    Unknown,
}

/// The answer to a connection to an announced endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reception {
    /// It may be the transfer's.
    Taken,
    /// Nothing is known of the endpoint.
    Unknown,
    /// Too many connections came to the endpoint.
    Full,
    /// The transfer of this command was reported with another one.
    Late { tx: u64 },
}

/// The unfinished transfers of a session, the oldest first. An idle session holds nothing here.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// The latest announced endpoint, as long as no command claimed it.
    pub(super) current: Option<Box<Announced>>,
    #[expect(clippy::vec_box, reason = "most sessions have one at a time, and a list makes room for four")]
    open: Vec<Box<Transfer>>,
    /// The announced endpoint that was used last. It is the default for transfers without one of their own: RFC 959 section
    /// 4.1.2 has the server remember the last value of a parameter, and servers keep listening on a passive port.
    last_used: Option<Box<(DataAnnouncement, ExpectedEndpoints)>>,
    /// Endpoints whose transfers were reported last, and the commands of these: a stranger may come to be known later.
    reported: Vec<(EndpointId, u64)>,
    /// When the last of them was.
    reported_at: Timestamp,
    aside: Option<Box<Aside>>,
    /// When the latest endpoint was announced that was not refused: what was announced before it is not in force any longer.
    in_force_since: Timestamp,
    /// When bytes of the dialogue were last found to be missing.
    missing_told: Timestamp,
    next_id: u32,
    pub(super) totals: Totals,
}

impl Transfers {
    /// Nothing is unfinished but perhaps an endpoint that waits.
    pub(super) fn is_empty(&self) -> bool {
        let waits = |current: &Announced| matches!(current.state(None), DataState::Waiting);
        self.open.is_empty() && self.current.as_deref().is_none_or(waits)
    }

    /// Notes the fill, beside the cap on unfinished transfers of commands. Others have a connection each, of which there is a cap.
    pub(super) fn note_fill(&self, cap: usize, fills: &mut Fills) {
        let of_commands = self.open.iter().filter(|transfer| transfer.request.tx != 0).count();
        fills.note("transfers_of_session", of_commands, cap);
        fills.note("reported_of_session", self.reported.len(), REPORTED_MAX);
        let open = self.open.iter().filter_map(|transfer| transfer.announced.as_deref());
        open.chain(self.current.as_deref()).for_each(|announced| announced.contenders.note_fill(fills));
    }

    /// A transfer command comes, and another may have been lost before it: the connection that had ended before belongs to the
    /// lost command.
    pub(super) fn disown_spent(&mut self, at: Timestamp) {
        let over = |current: &mut Box<Announced>| match current.state(None) {
            DataState::Ended(summary) => summary.last.plus_nanos(DISORDER_NS) < at,
            DataState::Waiting | DataState::Open => false,
        };
        if let Some(spent) = self.current.take_if(over) {
            self.open.push(Transfer::boxed(Request::default(), Some(spent)));
        }
    }

    /// Transfers that are not reported yet.
    pub(super) fn open(&self) -> &[Box<Transfer>] {
        &self.open
    }

    /// An endpoint was learned by the command `tx` or its reply. It supersedes the one before, and goes to a transfer
    /// command that was sent before the endpoint was known.
    pub(super) fn announce(
        &mut self,
        at: Timestamp,
        tx: u64,
        data: DataAnnouncement,
        endpoints: ExpectedEndpoints,
        session: SessionRef<'_>,
        out: &mut Outbox,
    ) {
        self.aside = None;
        if data.mode == Some(Mode::Active) {
            self.put_aside(tx);
        }
        self.supersede(at, out);
        self.in_force_since = at;
        self.last_used = None;
        let mut announced = self.expect(at, data, endpoints, session, out);
        announced.announced_by = tx;
        let sent_early = |transfer: &&mut Box<Transfer>| {
            tx != 0 && transfer.announced.is_none() && transfer.request.tx > tx && transfer.code.is_none()
        };
        match self.open.iter_mut().find(sent_early) {
            Some(transfer) => transfer.announced = Some(announced),
            None => self.current = Some(announced),
        }
    }

    /// Nothing was announced for the command `tx`: the server connects to the port that the control connection comes from
    /// (RFC 959 section 3.2). So it does after a transfer with PORT: servers fall back to it.
    pub(super) fn expect_default(
        &mut self,
        at: Timestamp,
        tx: u64,
        data: DataAnnouncement,
        endpoints: ExpectedEndpoints,
        session: SessionRef<'_>,
        out: &mut Outbox,
    ) {
        let last = self.last_used.as_deref().cloned();
        if let Some(transfer) = self.by_command(tx)
            && let Some(announced) = transfer.announced.as_mut()
        {
            announced.also_at(at, data, &endpoints, session.identity, out);
            return;
        }
        let announced = match last {
            Some((last, used)) if last.mode == Some(Mode::Passive) => {
                let mut announced = self.expect(at, last, used, session, out);
                announced.also_at(at, data, &endpoints, session.identity, out);
                *announced
            }
            Some((last, used)) => {
                let both = used.iter().chain(&endpoints).copied().collect();
                let alternative = Some(Box::new(last));
                Announced { alternative, ..*self.expect(at, data, both, session, out) }
            }
            None if endpoints.is_empty() => return,
            None => *self.expect(at, data, endpoints, session, out),
        };
        if let Some(transfer) = self.by_command(tx) {
            transfer.announced = Some(Box::new(Announced { unannounced: true, ..announced }));
        }
    }

    /// The command `tx` has the port that the client announced for one that was refused. The server may have forgotten it, and
    /// connect to the default port.
    pub(super) fn may_use_default(&mut self, tx: u64) -> bool {
        let announced = self.by_command(tx).and_then(|transfer| transfer.announced.as_deref());
        announced
            .is_some_and(|it| it.refused && it.data.mode == Some(Mode::Active) && it.alternative.is_none())
    }

    fn expect(
        &mut self,
        said: Timestamp,
        data: DataAnnouncement,
        endpoints: ExpectedEndpoints,
        session: SessionRef<'_>,
        out: &mut Outbox,
    ) -> Box<Announced> {
        let id = self.fresh_id();
        let (client, server) = (session.identity.client.ip, session.identity.server.ip);
        let (announcer, peer) = match data.mode {
            Some(Mode::Active) => (client, server),
            _ => (server, client),
        };
        let mode = data.mode;
        out.effects.push(Effect::Announce { said, id, endpoints: endpoints.clone(), mode, peer, announcer });
        Box::new(Announced { said, ..Announced::waiting(id, data, endpoints) })
    }

    /// A data connection without a readable announcement: reported when it ends.
    pub(super) fn infer(&mut self, data: DataAnnouncement) -> EndpointId {
        let id = self.fresh_id();
        let announced = Box::new(Announced::inferred(id, data));
        self.open.push(Transfer::boxed(Request::default(), Some(announced)));
        id
    }

    /// A transfer whose endpoint was lost waits for such a connection.
    pub(super) fn lack(&self, found: &FoundData) -> bool {
        self.open.iter().any(|transfer| transfer.lacks(found, DISORDER_NS))
    }

    /// The connection of such a transfer, the oldest one, was found.
    pub(super) fn find(&mut self, data: DataAnnouncement, found: &FoundData) -> EndpointId {
        let id = self.fresh_id();
        let lacking = |disorder| self.open.iter().position(|transfer| transfer.lacks(found, disorder));
        let index = lacking(0).or_else(|| lacking(DISORDER_NS));
        match index.and_then(|index| self.open.get_mut(index)) {
            Some(transfer) => transfer.announced = Some(Box::new(Announced::inferred(id, data))),
            None => return self.infer(data),
        }
        id
    }

    /// A transfer command: it claims the endpoint announced last, unless the reply to PASV or its like is still to come
    /// (`endpoint_due`). `connection_due`: it would have
    /// a connection of its own, as nothing of the dialogue before is missing and none stays open by MODE.
    pub(super) fn begin(&mut self, request: Request, connection_due: bool, endpoint_due: bool) -> DataSource {
        let mut announced = if endpoint_due {
            None
        } else {
            let latest = |open: &mut Vec<Box<Transfer>>| open.last_mut().and_then(|it| it.split_late());
            self.current.take().or_else(|| self.reclaim()).or_else(|| latest(&mut self.open))
        };
        if let Some(announced) = &mut announced {
            announced.contenders.forget_spent(request.at, announced.refused);
        }
        let stays_open = |transfer: &Transfer| {
            matches!(transfer.state(), Some(DataState::Open)) && matches!(transfer.code, Some(200..=299))
        };
        let source = match &announced {
            Some(announced) if !announced.unannounced => DataSource::Announced,
            Some(_) => DataSource::Unknown,
            None if connection_due && !endpoint_due && self.open.iter().map(Box::as_ref).any(stays_open) => {
                DataSource::OpenConnection
            }
            None => DataSource::Unknown,
        };
        self.open.push(Box::new(Transfer {
            endpoint_lost: announced.is_none() && source == DataSource::Unknown && !connection_due,
            shares_connection: source == DataSource::OpenConnection,
            ..Transfer::new(request, announced)
        }));
        source
    }

    /// The server took what the client announced by the command `tx`, or began a transfer with it.
    pub(super) fn confirm(&mut self, tx: u64, out: &mut Outbox) {
        let its = |transfer: &&mut Box<Transfer>| {
            transfer.request.tx == tx || transfer.announced.as_ref().is_some_and(|it| it.announced_by == tx)
        };
        let claimed = self.open.iter_mut().find(its).and_then(|transfer| transfer.announced.as_deref_mut());
        let announced = match claimed {
            Some(announced) => Some(announced),
            None => self.current.as_deref_mut().filter(|current| current.announced_by == tx),
        };
        if let Some(announced) = announced
            && !core::mem::replace(&mut announced.confirmed, true)
        {
            out.effects.push(Effect::Confirmed { id: announced.id, endpoints: announced.endpoints.clone() });
        }
    }

    /// The other party took an announcement; one that is reported already was.
    pub(super) fn is_confirmed(&self, id: EndpointId) -> bool {
        let claimed = self.open.iter().filter_map(|transfer| transfer.announced.as_deref());
        let mut known = claimed.chain(self.current.as_deref());
        known.find(|announced| announced.id == id).is_none_or(|announced| announced.confirmed)
    }

    /// Evicts the oldest transfer at the cap.
    pub(super) fn evict_oldest(&mut self, at: Timestamp, session: SessionRef<'_>, out: &mut Outbox) {
        if !self.open.is_empty() {
            let transfer = self.open.remove(0);
            self.report(at, transfer, session, out);
        }
    }

    /// The transfer of a command.
    pub(super) fn by_command(&mut self, tx: u64) -> Option<&mut Transfer> {
        self.open.iter_mut().map(Box::as_mut).find(|transfer| transfer.request.tx == tx && tx != 0)
    }

    /// ABOR: every transfer that still runs is meant. True when there is one.
    pub(super) fn abort(&mut self) -> bool {
        let mut any = false;
        for transfer in self.open.iter_mut().filter(|transfer| transfer.code.is_none()) {
            transfer.aborted = true;
            any = true;
        }
        any
    }

    /// A REST command has its reply: transfers that were sent behind it have what that shows.
    pub(super) fn settle_restarts(&mut self, settle: impl Fn(&mut Restart)) {
        self.open.iter_mut().for_each(|transfer| settle(&mut transfer.request.restart));
    }

    /// A transfer command has no final reply, and will have none.
    pub(super) fn abandon(&mut self, at: Timestamp, tx: u64) {
        if let Some(transfer) = self.by_command(tx) {
            transfer.decided_at.get_or_insert(at);
        }
    }

    /// The final reply to a transfer command.
    pub(super) fn decide(&mut self, at: Timestamp, tx: u64, code: u16, missed: Missed) {
        if let Some(transfer) = self.by_command(tx) {
            transfer.decide(at, code, missed);
        }
    }

    /// A preliminary reply to a transfer command: what was its final reply was none. The second one ends it, with some servers.
    pub(super) fn is_begun(&mut self, at: Timestamp, tx: u64) {
        if let Some(transfer) = self.by_command(tx) {
            let again = core::mem::replace(&mut transfer.preliminary, true) && transfer.code.is_none();
            (transfer.code, transfer.decided_at) = (None, None);
            transfer.through_at = Some(at).filter(|_| again);
        }
    }

    /// A connection to an announced endpoint was opened at `at`, or established. `expected`: the host that was to open it did, by who
    /// listens. False if the endpoint takes none any longer.
    pub(super) fn contact(
        &mut self,
        at: Timestamp,
        id: EndpointId,
        contact: Contact,
        expected: impl Fn(Mode) -> bool,
        out: &mut Outbox,
    ) -> Reception {
        let Some(announced) = self.contacted_at(at, id, contact, &expected) else {
            return match self.reported.iter().find(|known| known.0 == id) {
                Some(&(_, tx)) => Reception::Late { tx },
                None => Reception::Unknown,
            };
        };
        let mode = announced.mode_at(contact.listener.port);
        let expected = expected(mode.unwrap_or(Mode::Passive));
        let taken = announced.contenders.contact(at, contact, expected, mode);
        let endpoints = announced.endpoints.clone();
        let used = (contact.established && !announced.unannounced).then_some(announced.data);
        if !core::mem::replace(&mut announced.contacted, true) {
            out.effects.push(Effect::Contacted { id, endpoints: endpoints.clone() });
        }
        if let Some(data) = used {
            self.last_used = Some(Box::new((data, endpoints)));
        }
        if taken { Reception::Taken } else { Reception::Full }
    }

    /// A connection to an announced endpoint ended. Returns the time at which that is known together with its final reply,
    /// which may have come before.
    pub(super) fn ended(
        &mut self,
        at: Timestamp,
        id: EndpointId,
        connection: ConnectionId,
        summary: Box<DataSummary>,
    ) -> Timestamp {
        let knows = |it: &Announced| it.id == id && it.contenders.knows(connection);
        let its = |transfer: &&Transfer| transfer.announced.as_deref().is_some_and(knows);
        let decided = self.open.iter().map(Box::as_ref).find(its).and_then(|transfer| transfer.decided_at);
        if let Some(announced) = self.announced(id, connection)
            && announced.contenders.ended(connection, summary)
        {
            announced.moved_at.get_or_insert(at);
        }
        decided.map_or(at, |decided| decided.max(at))
    }

    /// An announced endpoint waits for its connection, or one may come that is more like it.
    pub(super) fn awaits_connection(&self) -> bool {
        let waits = |announced: &Announced| matches!(announced.state(None), DataState::Waiting);
        self.current.as_deref().is_some_and(waits)
            || self.open.iter().any(|it| it.announced.as_deref().is_some_and(waits) || it.ended_empty())
    }

    /// An announced endpoint was used since the last exchange between partitions, or may have been.
    pub(super) fn used_lately(&self, at: Timestamp) -> bool {
        !self.reported.is_empty() && at.nanos_since(self.reported_at) <= BORDER_NS
    }

    fn fresh_id(&mut self) -> EndpointId {
        let id = EndpointId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        id
    }

    /// The endpoint that a connection came to, or comes to: one that serves again has its name still.
    fn announced(&mut self, id: EndpointId, connection: ConnectionId) -> Option<&mut Announced> {
        let known = |announced: &Announced| announced.id == id && announced.contenders.knows(connection);
        let claimed = self.open.iter().filter_map(|transfer| transfer.announced.as_deref());
        let is_known = claimed.chain(self.current.as_deref()).any(known);
        let current = self.current.as_deref_mut().into_iter();
        let claimed = self.open.iter_mut().rev().filter_map(|transfer| transfer.announced.as_deref_mut());
        current.chain(claimed).find(|it| it.id == id && (!is_known || it.contenders.knows(connection)))
    }
}
