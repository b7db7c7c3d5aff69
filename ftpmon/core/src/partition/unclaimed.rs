//! Data connections whose announcement and command were lost before they came here. The connection was seen, and so was the
//! session's gap; neither alone is evidence, together they show a transfer.
//!
//! A connection between the hosts of a session is its own where an announcement of one of its kind may be among the missing
//! bytes: it was opened after the last bytes before them, and before the first ones behind them (or soon after, where a
//! transfer without an endpoint began); and the bytes are missing in the direction that announces it. Its own bytes went in
//! one direction only, as those of data connections do. If several sessions may have announced it, it belongs to none,
//! unless one alone has a transfer whose endpoint was lost. An announcement that comes late takes it first.

use smallvec::SmallVec;

use super::Partition;
use super::inference::{INFERRED_PORT_MIN, inferred_announcement};
use crate::account::Side;
use crate::config::FilesMode;
use crate::event::{Direction, Mode};
use crate::flow::{ClaimRef, Class, Control, Flow, FlowId, Role, SessionRef, Timer};
use crate::pair::decide::{Announcer, GapClaim, Gathered, Senders, announcer, may_have_announced};
use crate::pair::{HostPair, Window};
use crate::session::FoundData;
use crate::time::Timestamp;
use crate::timing::{ANNOUNCED_LATE_NS, OTHERS_KNOWN_NS};

impl Partition {
    /// A connection that may turn out to be a data connection is in the table.
    pub(super) fn keep_unclaimed(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        if flow.listener.port >= INFERRED_PORT_MIN
            && let Some(oldest) = self.pairs.keep_unclaimed(flow.pair(), id)
            && self.is_ended_unclaimed(oldest)
        {
            self.flows.move_to(oldest, Class::Ended, self.now);
        }
    }

    /// Bytes of a session are missing.
    pub(super) fn add_window(&mut self, at: Timestamp, window: Window) {
        let Some(Role::Control(control)) = self.role(window.session) else { return };
        let pair = control.pair();
        let left_out = self.pairs.add_window(pair, window);
        if left_out.windows > 0 {
            self.counters.lose("missed_full", left_out.windows);
        }
        if left_out.flows {
            self.counters.lose("unclaimed_full", 1);
        }
        let told_now = |known: &Window| known.session == window.session && known.told == window.told;
        self.look_at_covered(at, pair, told_now);
    }

    /// Bytes of a session were received after missing ones.
    pub(super) fn close_windows(&mut self, session: FlowId, direction: Direction, at: Timestamp) {
        if let Some(Role::Control(control)) = self.role(session) {
            self.pairs.close_windows(control.pair(), session, direction, at);
        }
    }

    /// A transfer of a session began whose endpoint was announced unseen.
    pub(super) fn admit_transfer(&mut self, at: Timestamp, session: FlowId, began: Timestamp) {
        let Some(Role::Control(control)) = self.role(session) else { return };
        let pair = control.pair();
        self.pairs.admit_transfer(pair, session, began);
        self.look_at_covered(at, pair, |known| known.session == session && known.until >= began);
    }

    fn look_at_covered(&mut self, at: Timestamp, pair: HostPair, some: impl Fn(&Window) -> bool) {
        for id in self.covered(pair, some) {
            if self.is_ended_unclaimed(id) {
                self.schedule(id, Timer::Decision, at.plus_nanos(ANNOUNCED_LATE_NS));
            }
        }
    }

    /// A connection that no session claimed so far ended, or leaves the table (`last_call`).
    pub(super) fn end_unclaimed(&mut self, at: Timestamp, id: FlowId, last_call: bool) {
        let Some(flow) = self.flows.get(id) else { return };
        let (initiator, listener, first, pair) = (flow.initiator, flow.listener, flow.first, flow.pair());
        let senders = senders(flow);
        // Beside a session under TLS it may be a data connection of that.
        if senders == Senders::Both && self.pairs.unreadable(pair).next().is_none() {
            self.pairs.note_answering(initiator.ip, listener);
        }
        let kept = self.pairs.unclaimed(pair).contains(&id);
        if !kept || !matches!(senders, Senders::One(_)) {
            self.pairs.forget_unclaimed(pair, id);
            self.flows.move_to(id, Class::Ended, self.now);
            return;
        }
        self.flows.move_to(id, Class::Unclaimed, self.now);
        if last_call {
            self.decide_unclaimed(at, id, true);
        } else if self.pairs.windows(pair).iter().any(|known| known.covers(first)) {
            self.schedule(id, Timer::Decision, at.plus_nanos(ANNOUNCED_LATE_NS));
        }
    }

    /// Adopts a connection that ended if it can belong to one session only. If it can belong to several it belongs to none.
    /// Waits as long as evidence against that may come, unless this is the `last_call`.
    pub(super) fn decide_unclaimed(&mut self, at: Timestamp, id: FlowId, last_call: bool) {
        match self.announcer_of(id) {
            Announcer::One(GapClaim { due, .. }) | Announcer::Several(due) if due > at && !last_call => {
                self.schedule(id, Timer::Decision, due);
            }
            Announcer::One(claim) => self.adopt_unclaimed(at, id, claim),
            Announcer::Several(_) => self.let_go_unclaimed(id),
            Announcer::None => {}
        }
    }

    /// A session ends: what may be its own is decided while it is known. A connection that is still open outlives it, unless
    /// `all` are to end.
    pub(super) fn settle_missed(&mut self, at: Timestamp, session: FlowId, all: bool) {
        if self.pairs.nothing_missed() {
            return;
        }
        let Some(Role::Control(control)) = self.role(session) else { return };
        let pair = control.pair();
        for id in self.covered(pair, |known| known.session == session) {
            if !all || self.is_ended_unclaimed(id) {
                match self.announcer_of(id) {
                    Announcer::One(claim) if claim.session == session => self.adopt_unclaimed(at, id, claim),
                    // It does not become the other's because this one ended.
                    Announcer::Several(_) => self.let_go_unclaimed(id),
                    _ => {}
                }
            }
        }
        self.pairs.forget_windows_of(pair, session);
    }

    /// A connection ended that no session claimed.
    pub(super) fn is_ended_unclaimed(&self, id: FlowId) -> bool {
        self.flows.class_of(id) == Some(Class::Unclaimed)
    }

    /// A connection that the kernel counts may turn out to be a data connection when bytes are found missing later: the
    /// kernel continues to count it.
    pub(super) fn may_be_told_by_a_gap(&mut self, id: FlowId) -> bool {
        let Some(flow) = self.flows.get(id) else { return false };
        let counts_on = matches!(senders(flow), Senders::One(_))
            && self.pairs.unclaimed(flow.pair()).contains(&id)
            && !self.pairs.is_service(flow.initiator.ip, flow.listener);
        if counts_on && self.config.files != FilesMode::Off {
            self.want_no_bytes(id);
        }
        counts_on
    }

    /// It is no single session's, and stays a connection like any other. It may still be announced.
    fn let_go_unclaimed(&mut self, id: FlowId) {
        let ended = self.is_ended_unclaimed(id);
        if let Some(pair) = self.flows.get(id).map(Flow::pair) {
            self.counters.not_inferred += 1;
            self.pairs.forget_unclaimed(pair, id);
            if ended {
                self.flows.move_to(id, Class::Ended, self.now);
            }
        }
    }

    /// Connections of two hosts that were opened within some of the windows of their sessions.
    fn covered(&self, pair: HostPair, some: impl Fn(&Window) -> bool) -> SmallVec<[FlowId; 8]> {
        let windows: SmallVec<[&Window; 8]> =
            self.pairs.windows(pair).iter().filter(|window| some(window)).collect();
        let opened_in = |flow: &Flow| windows.iter().any(|window| window.covers(flow.first));
        let flows = self.pairs.unclaimed(pair).iter().copied();
        flows.filter(|id| self.flows.get(*id).is_some_and(opened_in)).collect()
    }

    /// The announcer of a connection, by the bytes that are missing.
    fn announcer_of(&self, id: FlowId) -> Announcer {
        let Some(flow) = self.flows.get(id) else { return Announcer::None };
        let Senders::One(sender) = senders(flow) else { return Announcer::None };
        if self.pairs.is_service(flow.initiator.ip, flow.listener) {
            return Announcer::None;
        }
        let mut claims: Gathered<GapClaim> = SmallVec::new();
        for window in self.pairs.windows(flow.pair()) {
            if claims.iter().all(|claim| claim.session != window.session)
                && let Some(claim) = self.gap_claim(flow, sender, window)
            {
                claims.push(claim);
            }
        }
        announcer(&claims)
    }

    fn gap_claim(&self, flow: &Flow, sender: Side, window: &Window) -> Option<GapClaim> {
        let control = self.readable_session(window.session)?;
        let mode = control.mode_of(flow.initiator.ip, flow.listener.ip)?;
        if !may_have_announced(window, mode, flow.first) {
            return None;
        }
        let found = found(flow, mode, sender);
        let wanted = control.session.lacks(&found);
        let wait = if wanted { ANNOUNCED_LATE_NS } else { OTHERS_KNOWN_NS };
        let due = found.last.max(window.told).plus_nanos(wait);
        Some(GapClaim { session: window.session, mode, wanted, due })
    }

    /// A session that can be read and has not ended.
    fn readable_session(&self, id: FlowId) -> Option<&Control> {
        match self.role(id)? {
            Role::Control(control) if !control.session.is_unreadable() && !control.session.is_ended() => {
                Some(control)
            }
            _ => None,
        }
    }

    fn adopt_unclaimed(&mut self, at: Timestamp, id: FlowId, claim: GapClaim) {
        let ended = self.is_ended_unclaimed(id);
        let Some(flow) = self.flows.get(id) else { return };
        let Senders::One(sender) = senders(flow) else { return };
        let found = found(flow, claim.mode, sender);
        let data = inferred_announcement(claim.mode, flow.listener);
        let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(claim.session) else {
            return;
        };
        let endpoint = if claim.wanted {
            control.session.data_found(data, &found)
        } else {
            control.session.data_inferred(data)
        };
        let session = SessionRef { partition: self.number, flow: claim.session };
        let claim = ClaimRef::own(session, endpoint);
        self.become_data(id, SmallVec::from_elem(claim, 1), true);
        self.counters.inferred += 1;
        if ended {
            self.end(at, id, None);
        }
    }
}

/// Which ends of a connection sent payload; neither where its opening was not seen.
pub(super) fn senders(flow: &Flow) -> Senders {
    let sent = |side| flow.account(side).bytes > 0;
    match (sent(Side::Initiator), sent(Side::Listener)) {
        _ if flow.handshake().is_none() => Senders::Neither,
        (false, false) => Senders::Neither,
        (true, false) => Senders::One(Side::Initiator),
        (false, true) => Senders::One(Side::Listener),
        (true, true) => Senders::Both,
    }
}

/// The announcement that a session gets for such a connection.
fn found(flow: &Flow, mode: Mode, sender: Side) -> FoundData {
    let upload = matches!((mode, sender), (Mode::Passive, Side::Initiator) | (Mode::Active, Side::Listener));
    FoundData { upload, first: flow.first, last: flow.last_packet() }
}
