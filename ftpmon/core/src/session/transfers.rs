//! The transfers of a session: each transfer command, the endpoint that was announced for it, the connection that came,
//! and the replies are brought together into one event, whatever the order in which they are seen.

use std::sync::Arc;

use super::data::{DataSummary, EndpointId, FoundData};
use super::outbox::{Effect, ExpectedEndpoints, Outbox};
use super::outcome::{ReportedTransfer, transfer_event};
use super::transfer::{Announced, DataState, Request, Transfer};
use crate::event::{DataAnnouncement, EventKind, Mode, SessionIdentity};
use crate::text::Text;
use crate::time::Timestamp;
use crate::timing::{DISORDER_NS, GRACE_NS};

/// Unfinished transfers beside which an endpoint that was superseded in the same flush is still waited for. Stops a client that only
/// announces.
const UNHEARD_MAX: usize = 16;

/// Totals over the reported transfers, for `session_end`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) transfers: u64,
    pub(super) bytes_up: u64,
    pub(super) bytes_down: u64,
}

/// The session that events of transfers belong to.
#[derive(Clone, Copy)]
pub(super) struct SessionRef<'a> {
    pub(super) identity: &'a Arc<SessionIdentity>,
    pub(super) user: Option<&'a Arc<Text>>,
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

/// The unfinished transfers of a session, the oldest first. An idle session holds nothing here.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// The latest announced endpoint, as long as no command claimed it.
    current: Option<Box<Announced>>,
    #[expect(clippy::vec_box, reason = "most sessions have one at a time, and a list makes room for four")]
    open: Vec<Box<Transfer>>,
    /// The announced endpoint that was used last. It is the default for transfers without one of their own: RFC 959 section 4.1.2 has
    /// the server remember the last value of a parameter, and servers keep listening on a passive port.
    last_used: Option<Box<(DataAnnouncement, ExpectedEndpoints)>>,
    next_id: u32,
    pub(super) totals: Totals,
}

impl Transfers {
    /// Nothing is unfinished but perhaps an endpoint that waits.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
            && self.current.as_ref().is_none_or(|current| matches!(current.state, DataState::Waiting))
    }

    /// A transfer command comes, and another may have been lost before it: the connection that was over by then had that one.
    pub(super) fn disown_spent(&mut self, at: Timestamp) {
        let over = |current: &mut Box<Announced>| match &current.state {
            DataState::Ended(summary) => summary.last.plus_nanos(DISORDER_NS) < at,
            DataState::Waiting | DataState::Open => false,
        };
        if let Some(spent) = self.current.take_if(over) {
            self.open.push(Transfer::boxed(Request::default(), Some(spent)));
        }
    }

    /// Transfers that are not reported yet.
    pub(super) fn open_len(&self) -> usize {
        self.open.len()
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
        self.supersede(at, out);
        self.last_used = None;
        let announced = self.expect(at, data, endpoints, session, out);
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
        let (data, endpoints, alternative) = match self.last_used.as_deref() {
            Some((last, used)) if last.mode == Some(Mode::Passive) => (*last, used.clone(), None),
            Some((last, used)) => {
                let both = used.iter().chain(&endpoints).copied().collect();
                (data, both, Some(Box::new(*last)))
            }
            None => (data, endpoints, None),
        };
        if endpoints.is_empty() {
            return;
        }
        let announced = self.expect(at, data, endpoints, session, out);
        if let Some(transfer) = self.by_command(tx) {
            transfer.announced = Some(Box::new(Announced { unannounced: true, alternative, ..*announced }));
        }
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
        Box::new(Announced::waiting(id, data, endpoints))
    }

    /// A data connection that nobody announced readably: reported when it ends.
    pub(super) fn infer(&mut self, data: DataAnnouncement) -> EndpointId {
        let id = self.fresh_id();
        let announced = Box::new(Announced::inferred(id, data));
        self.open.push(Transfer::boxed(Request::default(), Some(announced)));
        id
    }

    /// A transfer whose endpoint was lost waits for such a connection.
    pub(super) fn lack(&self, found: &FoundData) -> bool {
        self.open.iter().any(|transfer| transfer.lacks(found))
    }

    /// The connection of such a transfer, the oldest one, was found.
    pub(super) fn find(&mut self, data: DataAnnouncement, found: &FoundData) -> EndpointId {
        let id = self.fresh_id();
        match self.open.iter_mut().find(|transfer| transfer.lacks(found)) {
            Some(transfer) => transfer.announced = Some(Box::new(Announced::inferred(id, data))),
            None => return self.infer(data),
        }
        id
    }

    /// A transfer command: it claims the endpoint announced last, unless the reply to PASV or its like is still to come
    /// (`endpoint_due`). `connection_due`: it would have
    /// a connection of its own, as nothing that was said before is missing and none stays open by MODE.
    pub(super) fn begin(&mut self, request: Request, connection_due: bool, endpoint_due: bool) -> DataSource {
        let announced = if endpoint_due { None } else { self.current.take().or_else(|| self.reclaim()) };
        let stays_open = |transfer: &Transfer| {
            matches!(transfer.state(), Some(DataState::Open)) && matches!(transfer.code, Some(200..=299))
        };
        let source = match &announced {
            Some(_) => DataSource::Announced,
            None if connection_due && !endpoint_due && self.open.iter().map(Box::as_ref).any(stays_open) => {
                DataSource::OpenConnection
            }
            None => DataSource::Unknown,
        };
        self.open.push(Box::new(Transfer {
            endpoint_lost: source == DataSource::Unknown && !connection_due,
            shares_connection: source == DataSource::OpenConnection,
            ..Transfer::new(request, announced)
        }));
        source
    }

    /// The command `tx` that asked for an endpoint was refused: a transfer that was sent behind it has the endpoint before.
    pub(super) fn endpoint_refused(&mut self, tx: u64) {
        let lacks_one = |transfer: &&mut Box<Transfer>| {
            transfer.request.tx > tx && transfer.announced.is_none() && transfer.code.is_none()
        };
        if let Some(transfer) = self.open.iter_mut().find(lacks_one)
            && let Some(current) = self.current.take()
        {
            transfer.announced = Some(current);
        }
    }

    /// The oldest transfer gives way at the cap.
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

    /// The REST command `tx` was refused: what was to start at its offset starts at 0.
    pub(super) fn void_offset(&mut self, tx: u64) {
        for transfer in self.open.iter_mut().filter(|transfer| transfer.request.offset_from == Some(tx)) {
            transfer.request.offset = 0;
        }
    }

    /// A transfer command has no final reply, and will have none.
    pub(super) fn abandon(&mut self, at: Timestamp, tx: u64) {
        if let Some(transfer) = self.by_command(tx) {
            transfer.decided_at.get_or_insert(at);
        }
    }

    /// The final reply to a transfer command.
    pub(super) fn decide(&mut self, at: Timestamp, tx: u64, code: u16) {
        if let Some(transfer) = self.by_command(tx) {
            transfer.code = Some(code);
            transfer.decided_at = Some(at);
        }
    }

    /// A connection to an announced endpoint was opened. False where another one came before it.
    pub(super) fn opened(&mut self, id: EndpointId, out: &mut Outbox) -> bool {
        let announced = self.announced(id);
        let Some(announced) = announced.filter(|it| matches!(it.state, DataState::Waiting)) else {
            return false;
        };
        announced.state = DataState::Open;
        let endpoints = core::mem::take(&mut announced.endpoints);
        if !announced.unannounced {
            self.last_used = Some(Box::new((announced.data, endpoints.clone())));
        }
        out.effects.push(Effect::Used { id, endpoints });
        true
    }

    /// A connection to an announced endpoint ended. Gives the time at which that is known together with its final reply, which
    /// may have come before.
    pub(super) fn ended(&mut self, at: Timestamp, id: EndpointId, summary: Box<DataSummary>) -> Timestamp {
        let announced = self.announced(id);
        if let Some(announced) = announced.filter(|it| matches!(it.state, DataState::Open)) {
            if let Some(other) = announced.alternative.take_if(|other| other.port == summary.listener.port) {
                announced.data = *other;
            }
            announced.state = DataState::Ended(summary);
            announced.ended_at = Some(at);
        }
        let its = |transfer: &&Transfer| transfer.announced.as_ref().is_some_and(|it| it.id == id);
        let decided = self.open.iter().map(Box::as_ref).find(its).and_then(|transfer| transfer.decided_at);
        decided.map_or(at, |decided| decided.max(at))
    }

    /// An announced endpoint waits for its connection.
    pub(super) fn awaits_connection(&self) -> bool {
        let waits = |announced: &Announced| matches!(announced.state, DataState::Waiting);
        self.current.as_deref().is_some_and(waits)
            || self.open.iter().filter_map(|transfer| transfer.announced.as_deref()).any(waits)
    }

    /// Reports every transfer that is due, and asks to be called again for those that will be.
    pub(super) fn report_due(&mut self, at: Timestamp, session: SessionRef<'_>, out: &mut Outbox) {
        self.report_where(at, true, session, out);
    }

    /// Reports every transfer that waits for no connection. Of one that was announced by what was heard just now nobody knows yet
    /// whether it came: much may be heard at once, behind a gap.
    pub(super) fn report_decided(&mut self, at: Timestamp, session: SessionRef<'_>, out: &mut Outbox) {
        self.report_where(at, false, session, out);
    }

    fn report_where(&mut self, at: Timestamp, waiting: bool, session: SessionRef<'_>, out: &mut Outbox) {
        self.disown_unclaimed(at);
        let mut wake =
            self.current.as_ref().and_then(|current| current.ended_at?.plus_nanos(GRACE_NS).into());
        let mut index = 0;
        while let Some(transfer) = self.open.get(index) {
            match transfer.due() {
                Some(due) if due <= at && (waiting || !transfer.waits_for_connection()) => {
                    let mut transfer = self.open.remove(index);
                    self.hand_back(&mut transfer, out);
                    self.report(at, transfer, session, out);
                }
                due => {
                    wake = [wake, due].into_iter().flatten().min();
                    index += 1;
                }
            }
        }
        if self.open.is_empty() {
            self.open = Vec::new();
        }
        out.effects.extend(wake.map(Effect::Wake));
    }

    /// The dialogue is over: what waits for a reply or for a connection is reported. Connections that are still open are
    /// waited for, unless `all` are to end.
    pub(super) fn finish(&mut self, at: Timestamp, all: bool, session: SessionRef<'_>, out: &mut Outbox) {
        self.supersede(at, out);
        let waits = |transfer: &Transfer| !all && matches!(transfer.state(), Some(DataState::Open));
        let (open, rest): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.open).into_iter().partition(|transfer| waits(transfer));
        self.open = open;
        for transfer in &mut self.open {
            transfer.decided_at.get_or_insert(at);
        }
        for transfer in rest {
            self.report(at, transfer, session, out);
        }
    }

    fn fresh_id(&mut self) -> EndpointId {
        let id = EndpointId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        id
    }

    fn announced(&mut self, id: EndpointId) -> Option<&mut Announced> {
        self.open
            .iter_mut()
            .filter_map(|transfer| transfer.announced.as_deref_mut())
            .chain(self.current.as_deref_mut())
            .find(|announced| announced.id == id)
    }

    /// The current endpoint is given up: retracted where no connection came, else its connection is a transfer of its own.
    fn supersede(&mut self, at: Timestamp, out: &mut Outbox) {
        let Some(current) = self.current.take() else { return };
        if matches!(current.state, DataState::Waiting)
            && self.open.len() < UNHEARD_MAX
            && out.announces_behind_a_gap(current.id)
        {
            // Both were heard at once: the first one's connection may have come and gone meanwhile.
            let decided_at = Some(at);
            let transfer = Transfer { decided_at, ..Transfer::new(Request::default(), Some(current)) };
            self.open.push(Box::new(transfer));
        } else if matches!(current.state, DataState::Waiting) {
            out.effects.push(Effect::Retract { id: current.id, endpoints: current.endpoints });
        } else {
            self.open.push(Transfer::boxed(Request::default(), Some(current)));
        }
    }

    /// A data connection that ended a while ago without a command is a transfer of its own.
    fn disown_unclaimed(&mut self, at: Timestamp) {
        let ended = self.current.as_ref().and_then(|current| current.ended_at);
        if ended.is_some_and(|ended| ended.plus_nanos(GRACE_NS) <= at)
            && let Some(current) = self.current.take()
        {
            self.open.push(Transfer::boxed(Request::default(), Some(current)));
        }
    }

    /// The endpoint of a refused command waits for the next one, unless another was announced meanwhile.
    fn hand_back(&mut self, transfer: &mut Transfer, out: &mut Outbox) {
        if !transfer.frees_endpoint() || self.current.is_some() {
            return;
        }
        let Some(announced) = &mut transfer.announced else { return };
        if !matches!(announced.state, DataState::Waiting) || announced.waits_by_default() {
            return;
        }
        // The transfer takes nothing back any more.
        let endpoints = core::mem::take(&mut announced.endpoints);
        let waiting = Announced::waiting(announced.id, announced.data, endpoints);
        let handed = Box::new(Announced { refused: true, ..waiting });
        let lacks_one = |transfer: &&mut Box<Transfer>| {
            transfer.code.is_none() && transfer.announced.as_deref().is_none_or(Announced::waits_by_default)
        };
        match self.open.iter_mut().find(lacks_one) {
            Some(next) => {
                if let Some(replaced) = next.announced.replace(handed) {
                    let Announced { id, endpoints, .. } = *replaced;
                    out.effects.push(Effect::Retract { id, endpoints });
                }
            }
            None => self.current = Some(handed),
        }
    }

    /// The endpoint of a refused command serves the next one: servers keep listening, clients keep the connection.
    fn reclaim(&mut self) -> Option<Box<Announced>> {
        let refused = self
            .open
            .iter_mut()
            .rev()
            .find(|transfer| transfer.frees_endpoint() && transfer.announced.is_some())?;
        refused.announced.take()
    }

    fn report(
        &mut self,
        at: Timestamp,
        mut transfer: Box<Transfer>,
        session: SessionRef<'_>,
        out: &mut Outbox,
    ) {
        if let Some(Announced { id, state: DataState::Waiting, endpoints, .. }) =
            transfer.announced.as_deref()
        {
            out.effects.push(Effect::Retract { id: *id, endpoints: endpoints.clone() });
        }
        // Where the server did not connect to the default port, nobody said that it would.
        transfer.announced.take_if(|announced| announced.waits_by_default());
        if transfer.request.tx == 0 && matches!(transfer.state(), Some(DataState::Waiting)) {
            return;
        }
        let nobodys = transfer.request.tx == 0 && transfer.announced.as_ref().is_some_and(|it| it.refused);
        let ReportedTransfer { event, up, down } = transfer_event(*transfer);
        if nobodys && up == 0 && down == 0 {
            return;
        }
        self.totals.transfers += 1;
        self.totals.bytes_up += up;
        self.totals.bytes_down += down;
        out.event(at, session.identity, session.user, EventKind::Transfer(event));
    }
}
