//! Data connections whose announcement and command were lost before they came here. The connection was seen, and the
//! session's gap; each alone says nothing, together they tell a transfer.
//!
//! A connection between the hosts of a session is its own where what announces one of its kind may have been said in the gap:
//! it was opened after what was heard last before, and before anything that way was heard behind it (or soon after, where a
//! transfer without an endpoint was); and, since 227 and 229 come from the server, PORT and EPRT from the client, the bytes
//! are missing in the direction that announces it. Its bytes went one way only, as those of data connections do. Where several
//! sessions may have announced it, it is nobody's, unless one alone has a transfer whose endpoint was lost. An announcement that
//! comes late takes it first.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::control::Dialogue;
use super::flow::{Control, Flow, Role};
use super::infer::mode_of;
use super::table::{Class, FlowId};
use super::unclaimed::Window;
use super::{Engine, FilesMode};
use crate::account::Side;
use crate::addr::Endpoint;
use crate::event::{DataAnnouncement, Direction, Mode, Nat, Via};
use crate::session::FoundData;
use crate::tcp::Keep;
use crate::time::Timestamp;

/// Nobody listens below for a data connection that was not announced readably.
const UNCLAIMED_PORT_MIN: u16 = 1024;
/// An announcement that was seen may be so late, nanoseconds. Less than a final reply waits for its connection.
const ANNOUNCED_LATE_NS: i64 = 1_000_000_000;

/// Another session that lost something meanwhile is known by so long after, mostly, nanoseconds.
const OTHERS_KNOWN_NS: i64 = 5_000_000_000;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// No session lost what could have announced it.
    Nobody,
    /// Several sessions did; until then something may tell which.
    Several(Timestamp),
    One(Claim),
}

/// A session that may have announced a connection unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    session: FlowId,
    mode: Mode,
    /// It has a transfer that waits for just such a connection.
    wanted: bool,
    /// Until then something may speak against it.
    due: Timestamp,
}

impl Engine {
    /// A connection that may turn out to be a data connection is in the table.
    pub(super) fn keep_unclaimed(&mut self, at: Timestamp, id: FlowId) {
        let Some((initiator, listener)) = self.ends_of(id) else { return };
        if listener.port >= UNCLAIMED_PORT_MIN
            && let Some(oldest) = self.unclaimed.add(initiator.ip, listener.ip, id)
            && self.is_over_unclaimed(oldest)
        {
            self.flows.move_to(oldest, Class::Ended, at);
        }
    }

    /// A session said what was not seen.
    pub(super) fn missed(&mut self, at: Timestamp, window: Window) {
        let Some(Role::Control(control)) = self.role(window.session) else { return };
        let (client, server) = control.hosts();
        let left_out = self.unclaimed.miss(client, server, window);
        if left_out.windows > 0 {
            self.counters.lose("missed_full", left_out.windows);
        }
        if left_out.flows {
            self.counters.lose("unclaimed_full", 1);
        }
        let told_now = |known: &Window| known.session == window.session && known.told == window.told;
        self.look_at_covered(at, client, server, told_now);
    }

    /// Something was heard of a session behind what was missing.
    pub(super) fn heard_again(&mut self, session: FlowId, direction: Direction, heard: Timestamp) {
        let Some(Role::Control(control)) = self.role(session) else { return };
        let (client, server) = control.hosts();
        self.unclaimed.heard_again(client, server, session, direction, heard);
    }

    /// A transfer of a session began whose endpoint was announced unseen.
    pub(super) fn endpoint_missed(&mut self, at: Timestamp, session: FlowId, began: Timestamp) {
        let Some(Role::Control(control)) = self.role(session) else { return };
        let (client, server) = control.hosts();
        self.unclaimed.began(client, server, session, began);
        self.look_at_covered(at, client, server, |known| known.session == session && known.until >= began);
    }

    fn look_at_covered(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        server: IpAddr,
        some: impl Fn(&Window) -> bool,
    ) {
        for id in self.covered(client, server, some) {
            if self.is_over_unclaimed(id) {
                self.schedule(id, at.plus_nanos(ANNOUNCED_LATE_NS));
            }
        }
    }

    /// A connection that nobody claimed so far ended, or leaves the table (`last_call`).
    pub(super) fn end_unclaimed(&mut self, at: Timestamp, id: FlowId, last_call: bool) {
        let Some(flow) = self.flows.get(id) else { return };
        let (initiator, listener, first) = (flow.initiator, flow.listener, flow.first);
        let sender = sender(flow);
        if sender == Sender::Both {
            self.answering.insert(initiator.ip, listener);
        }
        let kept = self.unclaimed.flows(initiator.ip, listener.ip).contains(&id);
        if !kept || !matches!(sender, Sender::Only(_)) {
            self.unclaimed.forget(initiator.ip, listener.ip, id);
            self.flows.move_to(id, Class::Ended, at);
            return;
        }
        self.flows.move_to(id, Class::Unclaimed, at);
        if last_call {
            self.decide_unclaimed(at, id, true);
        } else if self.unclaimed.windows(initiator.ip, listener.ip).iter().any(|known| known.covers(first)) {
            self.schedule(id, at.plus_nanos(ANNOUNCED_LATE_NS));
        }
    }

    /// Adopts a connection that ended where it is one session's. Where it may be several's it is nobody's. Waits until something
    /// may speak against that, unless this is the `last_call`.
    pub(super) fn decide_unclaimed(&mut self, at: Timestamp, id: FlowId, last_call: bool) {
        match self.owner_of(id) {
            Owner::One(Claim { due, .. }) | Owner::Several(due) if due > at && !last_call => {
                self.schedule(id, due);
            }
            Owner::One(claim) => self.adopt_unclaimed(at, id, claim),
            Owner::Several(_) => self.let_go_unclaimed(at, id),
            Owner::Nobody => {}
        }
    }

    /// A session ends: what may be its own is decided while it is known. A connection that is still open outlives it, unless
    /// `all` are to end.
    pub(super) fn settle_missed(&mut self, at: Timestamp, session: FlowId, all: bool) {
        if self.unclaimed.nothing_missed() {
            return;
        }
        let Some(Role::Control(control)) = self.role(session) else { return };
        let (client, server) = control.hosts();
        for id in self.covered(client, server, |known| known.session == session) {
            if !all || self.is_over_unclaimed(id) {
                match self.owner_of(id) {
                    Owner::One(claim) if claim.session == session => self.adopt_unclaimed(at, id, claim),
                    // It does not become the other's because this one is over.
                    Owner::Several(_) => self.let_go_unclaimed(at, id),
                    _ => {}
                }
            }
        }
        self.unclaimed.session_over(client, server, session);
    }

    /// The input is over: what a session's streams hold is handed on, so that all that is missing is known before any
    /// connection that nobody claimed is decided.
    pub(super) fn tell_missed(&mut self, at: Timestamp, id: FlowId) {
        let Some(Role::Control(control)) = self.role(id) else { return };
        let (client, server) = control.hosts();
        if self.unclaimed.flows(client, server).is_empty() {
            return;
        }
        let ring_full = self.lost_lately(at);
        let Self { flows, config, out, .. } = self;
        let Some(Flow { connection, role: Role::Control(control), .. }) = flows.get_mut(id) else { return };
        connection.finish(at, Keep::Bytes, &mut Dialogue { control, config, out, ring_full });
        self.apply_effects(at, id);
    }

    /// A connection that nobody claimed is over.
    pub(super) fn is_over_unclaimed(&self, id: FlowId) -> bool {
        self.flows.class_of(id) == Some(Class::Unclaimed)
    }

    /// A candidate that may be told to be a data connection by what is found to be missing later: the kernel counts it on.
    pub(super) fn counts_on(&mut self, id: FlowId) -> bool {
        let Some(flow) = self.flows.get(id) else { return false };
        let counts_on = matches!(sender(flow), Sender::Only(_))
            && self.unclaimed.flows(flow.initiator.ip, flow.listener.ip).contains(&id)
            && !self.serves_something_else(flow);
        if counts_on && self.config.files != FilesMode::Off {
            self.want_no_bytes(id);
        }
        counts_on
    }

    /// It is no single session's, and stays a connection like any other. It may still be announced.
    fn let_go_unclaimed(&mut self, at: Timestamp, id: FlowId) {
        let over = self.is_over_unclaimed(id);
        if let Some((initiator, listener)) = self.ends_of(id) {
            self.counters.not_inferred += 1;
            self.unclaimed.forget(initiator.ip, listener.ip, id);
            if over {
                self.flows.move_to(id, Class::Ended, at);
            }
        }
    }

    fn ends_of(&self, id: FlowId) -> Option<(Endpoint, Endpoint)> {
        self.flows.get(id).map(|flow| (flow.initiator, flow.listener))
    }

    /// Connections of two hosts that were opened within some of the times in which sessions of theirs said what was not seen.
    fn covered(&self, one: IpAddr, other: IpAddr, some: impl Fn(&Window) -> bool) -> SmallVec<[FlowId; 8]> {
        let windows: SmallVec<[&Window; 8]> =
            self.unclaimed.windows(one, other).iter().filter(|window| some(window)).collect();
        let opened_in = |flow: &Flow| windows.iter().any(|window| window.covers(flow.first));
        let flows = self.unclaimed.flows(one, other).iter().copied();
        flows.filter(|id| self.flows.get(*id).is_some_and(opened_in)).collect()
    }

    fn serves_something_else(&self, flow: &Flow) -> bool {
        let (who, listener) = (flow.initiator.ip, flow.listener);
        self.services.contains(who, listener) || self.answering.contains(who, listener)
    }

    /// Whose it is, by what is missing.
    fn owner_of(&self, id: FlowId) -> Owner {
        let Some(flow) = self.flows.get(id).filter(|flow| !self.serves_something_else(flow)) else {
            return Owner::Nobody;
        };
        let Sender::Only(sender) = sender(flow) else { return Owner::Nobody };
        let mut claims: SmallVec<[Claim; 4]> = SmallVec::new();
        for window in self.unclaimed.windows(flow.initiator.ip, flow.listener.ip) {
            if claims.iter().all(|claim| claim.session != window.session)
                && let Some(claim) = self.claim_of(flow, sender, window)
            {
                claims.push(claim);
            }
        }
        let one_of = |wanted: bool| {
            let mut some = claims.iter().filter(|claim| claim.wanted || !wanted);
            let first = some.next()?;
            let latest = some.map(|claim| claim.due).max();
            Some(latest.map_or(Owner::One(*first), |due| Owner::Several(due.max(first.due))))
        };
        one_of(true).or_else(|| one_of(false)).unwrap_or(Owner::Nobody)
    }

    fn claim_of(&self, flow: &Flow, sender: Side, window: &Window) -> Option<Claim> {
        let control = self.readable(window.session).filter(|_| window.covers(flow.first))?;
        let mode = mode_of(control, flow.initiator, flow.listener)?;
        let announced_by = match mode {
            Mode::Passive => Direction::Reply,
            Mode::Active => Direction::Command,
        };
        if window.direction != announced_by {
            return None;
        }
        let found = found(flow, mode, sender);
        let wanted = control.session.lacks(&found);
        let wait = if wanted { ANNOUNCED_LATE_NS } else { OTHERS_KNOWN_NS };
        let due = found.last.max(window.told).plus_nanos(wait);
        Some(Claim { session: window.session, mode, wanted, due })
    }

    /// A control session that can be read and has not ended.
    fn readable(&self, id: FlowId) -> Option<&Control> {
        match self.role(id)? {
            Role::Control(control) if !control.session.is_unreadable() && !control.session.is_ended() => {
                Some(control)
            }
            _ => None,
        }
    }

    fn adopt_unclaimed(&mut self, at: Timestamp, id: FlowId, claim: Claim) {
        let over = self.is_over_unclaimed(id);
        let Some(flow) = self.flows.get(id) else { return };
        let Sender::Only(sender) = sender(flow) else { return };
        let found = found(flow, claim.mode, sender);
        let (ip, port) = (flow.listener.ip, flow.listener.port);
        let (mode, via, nat) = (Some(claim.mode), Via::Inferred, Nat::None);
        let data = DataAnnouncement { mode, via, ip, port, advertised_ip: None, nat };
        let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(claim.session) else {
            return;
        };
        let endpoint = if claim.wanted {
            control.session.data_found(data, &found)
        } else {
            control.session.data_inferred(data)
        };
        self.become_data(at, id, SmallVec::from_elem((claim.session, endpoint), 1), true);
        self.counters.inferred += 1;
        if over {
            self.end(at, id, None);
        }
    }
}

/// Who sent payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    Nobody,
    Only(Side),
    Both,
}

/// Who sent payload on a connection whose opening was seen; nobody on another.
fn sender(flow: &Flow) -> Sender {
    let sent = |side| flow.account(side).bytes > 0;
    match (sent(Side::Initiator), sent(Side::Listener)) {
        _ if flow.handshake().is_none() => Sender::Nobody,
        (false, false) => Sender::Nobody,
        (true, false) => Sender::Only(Side::Initiator),
        (false, true) => Sender::Only(Side::Listener),
        (true, true) => Sender::Both,
    }
}

/// What its session is told of it.
fn found(flow: &Flow, mode: Mode, sender: Side) -> FoundData {
    let upload = matches!((mode, sender), (Mode::Passive, Side::Initiator) | (Mode::Active, Side::Listener));
    let last = flow.record.as_ref().map_or(flow.last, |record| record.last);
    FoundData { upload, first: flow.first, last }
}
