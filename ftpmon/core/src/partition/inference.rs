//! Data connections of sessions that cannot be read. Between the hosts of such a session every new connection is a
//! candidate: counted from its first packet, and adopted or given up when the evidence is in.
//!
//! Evidence for a session: it sent something just before the connection was opened (the announcement), it sent a reply about
//! when the connection ended (226), and the connection's ClientHello has the cipher suites of the session's own. Two of the
//! three make a data connection. Evidence against it: the banner of another protocol, clear text in both directions, TLS in
//! one direction only, another program's ClientHello or one that offers another protocol, a TLS client where the server
//! should be.

use super::Partition;
use crate::addr::Endpoint;
use crate::event::{DataAnnouncement, EndReason, Mode, Nat, Via};
use crate::flow::{
    Candidate, ClaimRef, Class, Control, DataFlow, Flow, FlowId, InferenceCandidate, InferredData, Role,
    SessionRef, Timer,
};
use crate::pair::HostPair;
use crate::pair::decide::{
    Evidence, POINTS_ENOUGH, Weighed, is_another_protocol, likeliest, same_client, weigh,
};
use crate::selector::SelectorUpdate;
use crate::time::Timestamp;
use crate::timing::{ANSWERED_BEFORE_NS, ANSWERED_NS, ASKED_NS, DISORDER_NS, OVERLAP_NS};

/// Data connections that were not announced readably have no listener below this port.
pub(super) const INFERRED_PORT_MIN: u16 = 1024;
/// Sessions that may have asked for one connection. Bounds the work for each of many sessions of two hosts.
const ASKED_MAX: usize = 8;

impl Partition {
    /// A candidate, where a connection was opened at `at` between the hosts of sessions that cannot be read.
    pub(super) fn inference_candidate(
        &self,
        at: Timestamp,
        initiator: Endpoint,
        listener: Endpoint,
    ) -> Option<InferenceCandidate> {
        if self.pairs.all_readable() || listener.port < INFERRED_PORT_MIN {
            return None;
        }
        let pair = HostPair::new(initiator.ip, listener.ip);
        let mut sessions = self.pairs.unreadable(pair).peekable();
        sessions.peek()?;
        let asked = sessions.filter_map(|session| {
            let control = self.unreadable_session(session).filter(|_| !self.is_closing(session))?;
            let unread = control.unread.as_deref()?;
            let spoke = match control.mode_of(initiator.ip, listener.ip)? {
                Mode::Passive => unread.last_reply,
                Mode::Active => unread.last_request,
            };
            let before = at.nanos_since(spoke);
            (spoke <= at.plus_nanos(DISORDER_NS) && before <= ASKED_NS).then_some((session, before))
        });
        Some(InferenceCandidate {
            data: DataFlow { inferred: true, ..self.new_data() },
            asked: asked.take(ASKED_MAX).collect(),
            ended: false,
            known_service: self.pairs.is_foreign(initiator.ip, listener),
        })
    }

    /// A session that cannot be read sent something; `answer`: its server did.
    pub(super) fn unreadable_spoke(&mut self, at: Timestamp, session: FlowId, answer: bool) {
        let Some(pair) = self.unreadable_session(session).map(Control::pair) else { return };
        self.note_unreadable(pair, session);
        if answer {
            let ended = |id: &FlowId| self.candidate(*id).is_some_and(|candidate| candidate.ended);
            let ended: Vec<FlowId> = self.pairs.candidates(pair).iter().copied().filter(ended).collect();
            for id in ended {
                self.decide_candidate(at, id, false);
            }
        }
    }

    /// An unreadable session sent something, or became unreadable.
    pub(super) fn note_unreadable(&mut self, pair: HostPair, session: FlowId) {
        let full = self.pairs.note_unreadable(pair, session);
        self.counters.lose("unreadable_sessions_full", full.into());
    }

    /// A session ends: what may be its own is decided while it is known.
    pub(super) fn settle_candidates(&mut self, at: Timestamp, session: FlowId) {
        let Some(Role::Control(control)) = self.role(session) else { return };
        let pair = control.pair();
        let alone = self.pairs.unreadable(pair).all(|other| other == session);
        for id in self.pairs.candidates(pair).to_vec() {
            let Some(candidate) = self.candidate(id) else { continue };
            if !alone && candidate.asked_by(session).is_none() {
                continue;
            }
            if candidate.ended {
                self.decide_candidate(at, id, true);
            } else if let Some(best) = self.likeliest_session(id).filter(|best| best.session == session)
                && (best.points >= POINTS_ENOUGH || (best.points >= POINTS_ENOUGH / 2 && self.moves(id)))
            {
                // It outlives the session.
                self.adopt_candidate(at, id, best);
            }
        }
    }

    /// A session can be read again, or ended: candidates that have no other session are decided.
    pub(super) fn forget_unreadable(&mut self, at: Timestamp, pair: HostPair, session: FlowId) {
        for candidate in self.pairs.forget_unreadable(pair, session) {
            self.decide_candidate(at, candidate, true);
        }
    }

    /// A candidate's first bytes changed the result: it may be known to be another protocol.
    pub(super) fn look_at_candidate(&mut self, at: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let (initiator, listener) = (flow.initiator, flow.listener);
        let Some(candidate) = self.candidate(id) else { return };
        let first_bytes = &candidate.data.first_bytes;
        let is_another = is_another_protocol(first_bytes)
            || (first_bytes.client().is_some() && self.likeliest_session(id).is_none());
        if is_another {
            self.pairs.note_foreign(initiator.ip, listener);
            if self.give_up_candidate(id) {
                self.update(SelectorUpdate::Release { initiator, listener });
                self.remove(at, id, EndReason::Idle);
            }
        }
    }

    /// A candidate ended.
    pub(super) fn end_candidate(&mut self, at: Timestamp, id: FlowId, last_call: bool) {
        let Some(Flow { role: Role::Candidate(Candidate::Inference(candidate)), .. }) =
            self.flows.get_mut(id)
        else {
            return;
        };
        let first_time = !core::mem::replace(&mut candidate.ended, true);
        self.decide_candidate(at, id, last_call);
        if first_time && self.candidate(id).is_some() {
            self.schedule(id, Timer::Decision, at.plus_nanos(ANSWERED_NS));
        }
    }

    /// Adopts a candidate, or gives it up, or waits for more evidence unless this is the `last_call`.
    pub(super) fn decide_candidate(&mut self, at: Timestamp, id: FlowId, last_call: bool) {
        let established = self.flows.get(id).is_some_and(Flow::was_opened);
        let best = self
            .likeliest_session(id)
            .filter(|best| best.points >= POINTS_ENOUGH && (established || self.moves(id)));
        match best {
            Some(best) if best.answered || last_call => self.adopt_candidate(at, id, best),
            None if last_call => {
                self.give_up_candidate(id);
                // It may still be announced.
                self.watch_announcement(id);
            }
            _ => {}
        }
    }

    fn candidate(&self, id: FlowId) -> Option<&InferenceCandidate> {
        match self.role(id)? {
            Role::Candidate(Candidate::Inference(candidate)) => Some(candidate),
            _ => None,
        }
    }

    /// The session that a candidate belongs to most likely, if to any.
    fn likeliest_session(&self, id: FlowId) -> Option<Weighed> {
        let (flow, candidate) = (self.flows.get(id)?, self.candidate(id)?);
        if is_another_protocol(&candidate.data.first_bytes) {
            return None;
        }
        let sessions = self.pairs.unreadable(flow.pair());
        likeliest(sessions.filter_map(|session| weigh(&self.evidence(flow, candidate, session)?)))
    }

    /// The evidence on a candidate and a session.
    fn evidence(&self, flow: &Flow, candidate: &InferenceCandidate, session: FlowId) -> Option<Evidence> {
        let control = self.unreadable_session(session)?;
        let mode = control.mode_of(flow.initiator.ip, flow.listener.ip)?;
        let last = flow.last_packet();
        let unread = control.unread.as_deref();
        let answered = candidate.ended
            && unread.is_some_and(|unread| {
                unread.last_reply > flow.first
                    && unread.last_reply >= last.plus_nanos(-ANSWERED_BEFORE_NS)
                    && unread.last_reply <= last.plus_nanos(ANSWERED_NS)
            });
        let tls = candidate.data.first_bytes.is_tls();
        let last_data = unread.and_then(|unread| unread.last_data);
        let overlaps = last_data
            .is_some_and(|other| other.last.min(last).nanos_since(other.first.max(flow.first)) > OVERLAP_NS);
        Some(Evidence {
            session,
            mode,
            same_client: same_client(control.session.tls_facts(), mode, &candidate.data.first_bytes),
            asked_before: candidate.asked_by(session),
            answered,
            closing: self.is_closing(session),
            overlaps,
            unlike_last: last_data.is_some_and(|other| (other.mode, other.tls) != (mode, tls)),
            known_service: candidate.known_service,
        })
    }

    /// A session that cannot be read and has not ended.
    fn unreadable_session(&self, id: FlowId) -> Option<&Control> {
        match self.role(id)? {
            Role::Control(control) if control.session.is_unreadable() && !control.session.is_ended() => {
                Some(control)
            }
            _ => None,
        }
    }

    /// An end of a control connection sent FIN or RST.
    fn is_closing(&self, id: FlowId) -> bool {
        self.flows.get(id).is_some_and(|flow| flow.connection.closed_by().is_some())
    }

    /// Payload of a candidate was seen.
    fn moves(&self, id: FlowId) -> bool {
        self.candidate(id).is_some_and(|candidate| !candidate.data.first_bytes.is_silent())
    }

    fn adopt_candidate(&mut self, at: Timestamp, id: FlowId, best: Weighed) {
        let (Some(flow), Some(candidate)) = (self.flows.get(id), self.candidate(id)) else { return };
        let inferred = InferredData {
            first: flow.first,
            last: flow.last_packet(),
            mode: best.mode,
            tls: candidate.data.first_bytes.is_tls(),
        };
        let announcement = inferred_announcement(best.mode, flow.listener);
        let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(best.session) else {
            return;
        };
        let endpoint = control.session.data_inferred(announcement);
        control.unread.get_or_insert_default().last_data = Some(inferred);
        let Some(candidate) = self.take_candidate(id) else { return };
        let mut data = candidate.data;
        let session = SessionRef { partition: self.number, flow: best.session };
        data.claims.push(ClaimRef::own(session, endpoint));
        if let Some(flow) = self.flows.get_mut(id) {
            flow.role = Role::Data(Box::new(data));
        }
        self.stop_waiting(id);
        self.counters.data_connections += 1;
        self.counters.inferred += 1;
        self.flows.move_to(id, Class::Other, self.now);
        self.tell_claimants(id);
        if candidate.ended {
            self.end(at, id, None);
        }
    }

    /// A candidate is no data connection, as far as is known. True if the kernel still counts it.
    fn give_up_candidate(&mut self, id: FlowId) -> bool {
        let Some(candidate) = self.take_candidate(id) else { return false };
        self.counters.not_inferred += 1;
        if let Some(files) = candidate.data.files {
            files.discard(&mut self.out.outputs);
        }
        if candidate.ended {
            self.flows.move_to(id, Class::Ended, self.now);
        }
        !candidate.ended && self.flows.get(id).is_some_and(|flow| flow.record.is_some())
    }

    /// A connection is an inference candidate no longer, whatever becomes of it.
    pub(super) fn take_candidate(&mut self, id: FlowId) -> Option<Box<InferenceCandidate>> {
        let flow = self.flows.get_mut(id)?;
        let pair = flow.pair();
        match core::mem::replace(&mut flow.role, Role::PLAIN) {
            Role::Candidate(Candidate::Inference(candidate)) => {
                flow.timers.set(Timer::Decision, Timestamp::LATEST);
                self.pairs.forget_candidate(pair, id);
                Some(candidate)
            }
            other => {
                flow.role = other;
                None
            }
        }
    }
}

/// The announcement that a session gets for a data connection whose own was not read.
pub(super) fn inferred_announcement(mode: Mode, listener: Endpoint) -> DataAnnouncement {
    DataAnnouncement {
        mode: Some(mode),
        via: Via::Inferred,
        ip: listener.ip,
        port: listener.port,
        advertised_ip: None,
        nat: Nat::None,
    }
}
