//! Transfers are reported, and the endpoints of those that had no connection passed on.

use smol_str::format_smolstr;

use super::super::contenders::{Chosen, DataState};
use super::super::outbox::{Effect, Outbox};
use super::super::outcome::{ReportedTransfer, transfer_event};
use super::super::transfer::{Announced, Request, Transfer};
use super::{REPORTED_MAX, SessionRef, Transfers};
use crate::addr::Endpoint;
use crate::event::{Anomaly, AnomalyDetail, AnomalyId, EventKind};
use crate::time::Timestamp;
use crate::timing::GRACE_NS;

/// Unfinished transfers beside which an endpoint that was superseded in the same flush is still waited for. Stops a client
/// that only announces.
const UNHEARD_MAX: usize = 16;

impl Transfers {
    /// Reports every transfer that is due, and asks to be called again for those that will be.
    pub(in super::super) fn report_due(&mut self, at: Timestamp, session: SessionRef<'_>, out: &mut Outbox) {
        self.report_where(at, true, session, out);
    }

    /// Reports every transfer that waits for no connection. Of one that was announced just now it is not known yet whether its
    /// connection came: after a gap much is received at once.
    pub(in super::super) fn report_decided(
        &mut self,
        at: Timestamp,
        session: SessionRef<'_>,
        out: &mut Outbox,
    ) {
        self.report_where(at, false, session, out);
    }

    fn report_where(&mut self, at: Timestamp, waiting: bool, session: SessionRef<'_>, out: &mut Outbox) {
        self.disown_unclaimed(at);
        let mut wake =
            self.current.as_ref().and_then(|current| current.moved_at?.plus_nanos(GRACE_NS).into());
        let mut index = 0;
        while let Some(transfer) = self.open.get(index) {
            match transfer.due() {
                Some(due) if due <= at && (waiting || !transfer.waits_for_connection()) => {
                    let mut transfer = self.open.remove(index);
                    self.hand_back(&mut transfer, out);
                    self.hand_on(&mut transfer);
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

    /// The dialogue ended: what waits for a reply or for a connection is reported. Connections that are still open are
    /// waited for, unless `all` are to end.
    pub(in super::super) fn finish(
        &mut self,
        at: Timestamp,
        all: bool,
        session: SessionRef<'_>,
        out: &mut Outbox,
    ) {
        self.supersede(at, out);
        let late: Vec<_> = self.open.iter_mut().filter_map(|transfer| transfer.split_late()).collect();
        self.open.extend(late.into_iter().map(|late| Transfer::boxed(Request::default(), Some(late))));
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

    /// The current endpoint is given up: retracted where no connection came, else its connection is a transfer of its own.
    pub(super) fn supersede(&mut self, at: Timestamp, out: &mut Outbox) {
        let Some(current) = self.current.take() else { return };
        let waits = matches!(current.state(None), DataState::Waiting);
        if waits && self.open.len() < UNHEARD_MAX && out.announces_behind_a_gap(current.id) {
            // Both were received at once: the first one's connection may have been opened and closed meanwhile.
            let decided_at = Some(at);
            let transfer = Transfer { decided_at, ..Transfer::new(Request::default(), Some(current)) };
            self.open.push(Box::new(transfer));
        } else if waits && !current.contacted {
            out.effects.push(Effect::Retract { id: current.id, endpoints: current.endpoints });
        } else {
            // What is refused or never answered does not keep it.
            let decided_at = Some(at);
            let transfer = Transfer { decided_at, ..Transfer::new(Request::default(), Some(current)) };
            self.open.push(Box::new(transfer));
        }
    }

    /// A data connection that ended a while ago without a command is a transfer of its own.
    fn disown_unclaimed(&mut self, at: Timestamp) {
        let ended = self.current.as_ref().and_then(|current| current.moved_at);
        if ended.is_some_and(|ended| ended.plus_nanos(GRACE_NS) <= at)
            && let Some(current) = self.current.take()
        {
            self.open.push(Transfer::boxed(Request::default(), Some(current)));
        }
    }

    /// Connections that came when the server was through with a transfer wait for the next command: its own connection may end after that.
    fn hand_on(&mut self, transfer: &mut Transfer) {
        match transfer.split_late() {
            Some(late) if self.current.is_none() => self.current = Some(late),
            Some(late) => self.open.push(Transfer::boxed(Request::default(), Some(late))),
            None => {}
        }
    }

    /// The endpoint of a refused command waits for the next one, unless another was announced meanwhile.
    fn hand_back(&mut self, transfer: &mut Transfer, out: &mut Outbox) {
        if !transfer.frees_endpoint() || self.current.is_some() {
            return;
        }
        let in_force_since = self.in_force_since;
        let Some(announced) = transfer.announced.as_mut().filter(|it| it.said >= in_force_since) else {
            return;
        };
        if !matches!(announced.state(None), DataState::Waiting) || announced.waits_by_default() {
            return;
        }
        // The transfer takes nothing back any more.
        let endpoints = core::mem::take(&mut announced.endpoints);
        let handed = Box::new(Announced {
            refused: true,
            contacted: announced.contacted,
            contenders: announced.contenders.take_open(),
            said: announced.said,
            ..Announced::waiting(announced.id, announced.data, endpoints)
        });
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

    /// Connections that came when the transfer of `tx` was over are the next one's, which may have been asked for already where the dialogue
    /// is known late.
    fn pass_on(&mut self, tx: u64, late: Box<Announced>, out: &mut Outbox) {
        let is_next = |next: &&mut Box<Transfer>| {
            next.request.tx > tx && next.announced.as_deref().is_none_or(Announced::waits_by_default)
        };
        match self.open.iter_mut().find(is_next) {
            Some(next) => {
                if let Some(Announced { id, endpoints, .. }) = next.announced.replace(late).map(|it| *it) {
                    out.effects.push(Effect::Retract { id, endpoints });
                }
            }
            None if self.current.is_none() => self.current = Some(late),
            None => self.open.push(Transfer::boxed(Request::default(), Some(late))),
        }
    }

    /// The endpoint of a refused command serves the next one: servers keep listening, clients keep the connection.
    pub(super) fn reclaim(&mut self) -> Option<Box<Announced>> {
        let in_force_since = self.in_force_since;
        let in_force = |announced: &Announced| announced.said >= in_force_since;
        let refused = self.open.iter_mut().rev().find(|transfer| {
            transfer.frees_endpoint() && transfer.announced.as_deref().is_some_and(in_force)
        })?;
        refused.announced.take()
    }

    pub(super) fn report(
        &mut self,
        at: Timestamp,
        mut transfer: Box<Transfer>,
        session: SessionRef<'_>,
        out: &mut Outbox,
    ) {
        if let Some(next) = transfer.split_late() {
            self.pass_on(transfer.request.tx, next, out);
        }
        let waits = matches!(transfer.state(), Some(DataState::Waiting));
        let Chosen { summary, turned_down, strangers } = choose(&mut transfer);
        if let Some(Announced { id, endpoints, contacted, .. }) = transfer.announced.as_deref() {
            let (id, endpoints) = (*id, endpoints.clone());
            if self.reported.len() >= REPORTED_MAX {
                self.reported.remove(0);
            }
            self.reported.push((id, transfer.request.tx));
            self.reported_at = at;
            out.effects.push(match contacted {
                true => Effect::Used { id, endpoints, turned_down },
                false => Effect::Retract { id, endpoints },
            });
        }
        let tx = transfer.request.tx;
        for stranger in &strangers {
            tell_stranger(at, tx, stranger.initiator, stranger.chosen, session, out);
        }
        // Where the server did not connect to the default port, no announcement said that it would.
        transfer.announced.take_if(|announced| announced.unannounced && waits && summary.is_none());
        let moved = summary.as_ref().is_some_and(|summary| summary.has_moved());
        if tx == 0 && !moved && (waits || strangers.iter().any(|it| it.chosen)) {
            return;
        }
        let nobodys = tx == 0 && transfer.announced.as_ref().is_some_and(|it| it.refused);
        // Another endpoint may have been announced unseen, or this one was known too late for connections of other hosts.
        let said = transfer.announced.as_deref().map_or(Timestamp::LATEST, |announced| announced.said);
        let all_read = said.min(transfer.request.at) > self.missing_told;
        let ReportedTransfer { event, up, down } = transfer_event(*transfer, summary, all_read, out);
        if nobodys && up == 0 && down == 0 {
            return;
        }
        self.totals.transfers += 1;
        self.totals.bytes_up += up;
        self.totals.bytes_down += down;
        session.tell(at, EventKind::Transfer(event), out);
    }
}

/// Decides which connection a transfer had.
fn choose(transfer: &mut Transfer) -> Chosen {
    let Some(announced) = &mut transfer.announced else { return Chosen::default() };
    let completed = matches!(transfer.code, Some(200..=299));
    let chosen = core::mem::take(&mut announced.contenders).choose(transfer.request.direction, completed);
    if let Some(summary) = &chosen.summary
        && let Some(other) = announced.alternative.take_if(|other| other.port == summary.listener.port)
    {
        announced.data = *other;
    }
    chosen
}

/// A host that was not expected connected to the endpoint of a transfer.
pub(in super::super) fn tell_stranger(
    at: Timestamp,
    tx: u64,
    initiator: Endpoint,
    chosen: bool,
    session: SessionRef<'_>,
    out: &mut Outbox,
) {
    let what =
        if chosen { "the transfer had its connection" } else { "the transfer did not have its connection" };
    let detail = format_smolstr!("{initiator} connected to the announced endpoint: {what}");
    let anomaly = AnomalyDetail { id: AnomalyId::UnexpectedPeer, detail, repeated: None };
    let anomaly = Anomaly { tx: Some(tx).filter(|&tx| tx != 0), anomaly };
    session.tell(at, EventKind::Anomaly(anomaly), out);
}
