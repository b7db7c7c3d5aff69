//! The way of a segment: into its connection, and what that puts in order to whoever the flow's role names.

use super::control::{Dialogue, begin_session};
use super::early::Early;
use super::flow::{DataFlow, Flow, Nobody, Prober, Reading, Role};
use super::pieces::Pieces;
use super::probe::Verdict;
use super::reorder::with_room;
use super::table::{Class, FlowId};
use super::{Engine, PortUpdate};
use crate::account::Side;
use crate::event::{Direction, EndReason, Handshake};
use crate::segment::Segment;
use crate::session::{Beginning, Context};
use crate::tcp::{Connection, Keep, Limits};
use crate::time::Timestamp;

/// After RST, late packets of before it are waited for this long.
const AFTER_RST_NS: i64 = 200_000_000;
/// After the first FIN, the other end's is waited for this long.
const AFTER_FIN_NS: i64 = 60_000_000_000;
/// A connection of which nobody announced that it is FTP's is let go after this long.
pub(super) const CANDIDATE_NS: i64 = 10_000_000_000;

impl Engine {
    /// Hands a segment to its flow.
    pub(super) fn feed(&mut self, at: Timestamp, id: FlowId, segment: &Segment<'_>) {
        self.begin_if_established(at, id, segment);
        let ring_full = self.lost_lately(at);
        let Self { flows, config, out, pieces, reorder_bytes, .. } = self;
        let Some(flow) = flows.get_mut(id) else { return };
        let limits = with_room(config, *reorder_bytes, flow);
        if matches!(&flow.role, Role::Suspect(suspect) if suspect.decide_by.is_some()) {
            return;
        }
        flow.last = flow.last.max(at);
        let from = flow.side_of(segment);
        let Flow { connection, role, record, .. } = flow;
        let mut verdict = None;
        let mut early_before = None;
        let mut unwanted = false;
        let (mut answers, mut news) = (None, false);
        match role {
            Role::Control(control) => {
                answers = control.note_unreadable(at, from, segment);
                let mut dialogue = Dialogue { control, config, out, ring_full };
                connection.handle_segment(at, from, segment, &limits, Keep::Bytes, &mut dialogue);
                if limits.hole_wait_ms == 0 {
                    connection.handle_timeout(at, &limits, Keep::Bytes, &mut dialogue);
                }
            }
            Role::Data(data) => {
                (_, unwanted) =
                    read_data(at, from, segment, connection, record.is_some(), &limits, data, pieces);
            }
            Role::Suspect(suspect) => {
                let data = &mut suspect.data;
                (news, unwanted) =
                    read_data(at, from, segment, connection, record.is_some(), &limits, data, pieces);
            }
            Role::Early(early) => {
                early_before = Some(early.cost());
                connection.handle_segment(at, from, segment, &limits, Keep::Bytes, &mut **early);
            }
            Role::Probed(probe) => {
                let before = probe.held();
                let mut prober = Prober { probe, verdict: Verdict::Undecided };
                connection.handle_segment(at, from, segment, &limits, Keep::Bytes, &mut prober);
                verdict = Some(prober.verdict);
                self.probed_bytes += probe.held() - before;
            }
            Role::Nascent { .. } | Role::Plain | Role::Ended => {
                connection.handle_segment(at, from, segment, &limits, Keep::Ranges, &mut Nobody);
            }
        }
        match verdict {
            Some(Verdict::Ftp(client)) => self.begin_probed(id, client),
            Some(Verdict::Other) => self.give_up_probe(id),
            Some(Verdict::Undecided) | None => {}
        }
        if let Some(before) = early_before {
            self.held_early(id, before);
        }
        if unwanted {
            self.count_gap(&limits);
            self.want_no_bytes(id);
        }
        self.note_held(id);
        self.apply_effects(at, id);
        if let Some(answers) = answers {
            self.session_spoke(at, id, answers);
        }
        if news {
            self.look_at_suspect(at, id);
        }
        self.after_packet(at, id);
    }

    /// A time that was asked for has come.
    pub(super) fn wake(&mut self, now: Timestamp, asked_for: Timestamp, id: FlowId) {
        let ring_full = self.lost_lately(now);
        let Self { flows, config, out, pieces, .. } = self;
        let Some(flow) = flows.get_mut(id).filter(|flow| flow.wake_at == asked_for) else { return };
        flow.wake_at = Timestamp::LATEST;
        let limits = flow.tcp_limits(config.limits.late_ms);
        let Flow { connection, role, .. } = flow;
        let mut unwanted = false;
        match role {
            Role::Control(control) => {
                let mut dialogue = Dialogue { control, config, out, ring_full };
                connection.handle_timeout(now, &limits, Keep::Bytes, &mut dialogue);
                control.session.report_due(now, out);
            }
            Role::Data(data) => {
                let keep = data.keep();
                connection.handle_timeout(now, &limits, keep, &mut Reading { data, pieces });
                unwanted = keep == Keep::Bytes && !data.wants_bytes();
            }
            Role::Suspect(suspect) => {
                let (by, keep) = (suspect.decide_by, suspect.data.keep());
                let data = &mut suspect.data;
                connection.handle_timeout(now, &limits, keep, &mut Reading { data, pieces });
                unwanted = keep == Keep::Bytes && !suspect.data.wants_bytes();
                if by.is_some() {
                    self.end_suspect(now, id, false);
                    return;
                }
            }
            Role::Early(early) => connection.handle_timeout(now, &limits, Keep::Bytes, &mut **early),
            Role::Probed(_) => connection.handle_timeout(now, &limits, Keep::Bytes, &mut Nobody),
            Role::Nascent { .. } | Role::Plain | Role::Ended => {
                connection.handle_timeout(now, &limits, Keep::Ranges, &mut Nobody);
            }
        }
        if unwanted {
            self.want_no_bytes(id);
        }
        self.note_held(id);
        self.apply_effects(now, id);
        if self.flows.get(id).is_some_and(|flow| flow.ends_at <= now) {
            self.end(now, id, None);
        } else {
            self.expire_early(now, id);
            if self.is_over_unclaimed(id) {
                self.decide_unclaimed(now, id, false);
                return;
            }
            self.release_candidate(now, id);
            self.after_packet(now, id);
        }
    }

    /// What follows from the state that a flow is in now: its end, or when to look at it again.
    pub(super) fn after_packet(&mut self, at: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if let Role::Control(control) = &flow.role
            && control.session.is_over()
        {
            self.retire(at, id);
            return;
        }
        let connection = &flow.connection;
        let rst = || connection.account(Side::Initiator).rst || connection.account(Side::Listener).rst;
        // Where the kernel counts, its account of the end is the one that is complete.
        if connection.is_closed() && flow.record.is_none() && !matches!(flow.role, Role::Ended) {
            if !rst() {
                self.end(at, id, None);
                return;
            }
            // Sooner than what a FIN before it allowed.
            flow.ends_at = flow.ends_at.min(at.plus_nanos(AFTER_RST_NS));
        } else if connection.closed_by().is_some()
            && flow.record.is_none()
            && flow.ends_at == Timestamp::LATEST
        {
            flow.ends_at = at.plus_nanos(AFTER_FIN_NS);
        } else if connection.closed_by().is_none() && flow.record.is_none() {
            // What ended it turned out to be forged.
            flow.ends_at = Timestamp::LATEST;
        }
        let mut next = flow.ends_at;
        if let Some(due) = flow.connection.poll_timeout() {
            next = next.min(due);
        }
        if let Some(due) = flow.undecided_until(at) {
            next = next.min(due);
        }
        if next < Timestamp::LATEST && !matches!(flow.role, Role::Ended) {
            self.schedule(id, next.max(at.plus_nanos(1)));
        }
    }

    /// A connection to a control port becomes a session when its handshake is complete, or when something is said.
    fn begin_if_established(&mut self, at: Timestamp, id: FlowId, segment: &Segment<'_>) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let Role::Nascent { implicit_tls } = flow.role else { return };
        let from = flow.side_of(segment);
        let handshake = flow.connection.handshake();
        let answers = from == Side::Initiator && segment.flags.ack() && !segment.flags.syn();
        let said = segment.wire_payload_len > 0 && !segment.flags.syn();
        let established = said || (answers && handshake.syn_ack.is_some());
        if !established {
            return;
        }
        let ack = handshake.ack.or(answers.then_some(at));
        let beginning = Beginning {
            midstream: flow.connection.midstream(),
            handshake: handshake.syn.map(|syn| Handshake {
                syn,
                syn_ack_us: handshake.syn_ack.map(|syn_ack| syn_ack.micros_since(syn)),
                ack_us: handshake.syn_ack.zip(ack).map(|(syn_ack, ack)| ack.micros_since(syn_ack)),
            }),
            implicit_tls,
        };
        let iface = self.interfaces.get(&flow.interface).cloned();
        let control = begin_session(at, flow, Side::Initiator, beginning, iface, &mut self.out);
        let (client, server) = (flow.initiator.ip, flow.listener.ip);
        flow.role = Role::Control(Box::new(control));
        self.flows.move_to(id, Class::Control, at);
        self.hosts_meet(client, server);
        self.counters.sessions += 1;
    }

    /// A connection on some port turned out to be a control connection: what was held is read now.
    fn begin_probed(&mut self, id: FlowId, client: Side) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let Role::Probed(probe) = core::mem::replace(&mut flow.role, Role::Plain) else { return };
        self.probed_bytes -= probe.held();
        let pieces = probe.into_pieces();
        let began =
            flow.connection.handshake().ack.or(pieces.first().map(|piece| piece.0)).unwrap_or(flow.first);
        let beginning = Beginning {
            midstream: flow.connection.midstream(),
            handshake: flow.handshake(),
            implicit_tls: false,
        };
        let iface = self.interfaces.get(&flow.interface).cloned();
        let mut control = begin_session(began, flow, client, beginning, iface, &mut self.out);
        for (at, from, bytes) in pieces {
            let direction = if from == client { Direction::Command } else { Direction::Reply };
            control.session.data(at, direction, &bytes, Context::from(&self.config), &mut self.out);
        }
        flow.role = Role::Control(Box::new(control));
        let (client, server) = (flow.endpoint(client).ip, flow.endpoint(client.other()).ip);
        let last = flow.last;
        self.hosts_meet(client, server);
        self.forget_early(id);
        self.flows.move_to(id, Class::Control, last);
        self.counters.sessions += 1;
    }

    /// A connection is no control connection.
    pub(super) fn give_up_probe(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let holds = self.holds_early(flow.initiator, flow.listener);
        let Some(flow) = self.flows.get_mut(id) else { return };
        if !matches!(flow.role, Role::Probed(_)) {
            return;
        }
        if let Role::Probed(probe) = core::mem::replace(&mut flow.role, Role::Plain) {
            self.probed_bytes -= probe.held();
            if holds && probe.is_whole() {
                let pieces = probe.into_pieces().into_iter().map(|(_, from, bytes)| (from, bytes));
                flow.role = Role::Early(Box::new(Early::from_pieces(pieces)));
                self.held_early(id, 0);
                self.watch_candidate(id);
            }
        }
    }

    /// No more of a data connection's bytes are wanted: the kernel need not copy them.
    pub(super) fn want_no_bytes(&mut self, id: FlowId) {
        if let Some(flow) = self.flows.get(id) {
            let (initiator, listener) = (flow.initiator, flow.listener);
            self.update(PortUpdate::Adopt { initiator, listener, payload: false });
        }
    }

    /// A connection that the kernel counts for the case that it is announced, and that was not, is let go.
    fn release_candidate(&mut self, now: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        if matches!(flow.role, Role::Plain | Role::Early(_))
            && flow.record.is_some()
            && now.nanos_since(flow.first) >= CANDIDATE_NS as u64
        {
            let (initiator, listener) = (flow.initiator, flow.listener);
            if self.is_over_unclaimed(id) || self.counts_on(id) {
                return;
            }
            self.update(PortUpdate::Release { initiator, listener });
            self.remove(now, id, EndReason::Idle);
        }
    }

    /// Looks at a candidate again when its time is over.
    pub(super) fn watch_candidate(&mut self, id: FlowId) {
        if let Some(first) = self.flows.get(id).map(|flow| flow.first) {
            self.schedule(id, first.plus_nanos(CANDIDATE_NS));
        }
    }
}

/// Hands a segment to a data connection, or what may be one. Whether its first bytes told something new, and whether its bytes
/// are wanted no more. Where the kernel counts (`counted`), only bytes that are wanted go through the connection.
#[expect(clippy::too_many_arguments, reason = "parts of a flow and of the engine, borrowed apart")]
fn read_data(
    at: Timestamp,
    from: Side,
    segment: &Segment<'_>,
    connection: &mut Connection,
    counted: bool,
    limits: &Limits,
    data: &mut DataFlow,
    pieces: &mut Pieces,
) -> (bool, bool) {
    let keep = data.keep();
    let news = data.heads.segment(from, segment);
    data.forget_encrypted_file(pieces);
    if !counted || keep == Keep::Bytes {
        connection.handle_segment(at, from, segment, limits, keep, &mut Reading { data, pieces });
    }
    (news, keep == Keep::Bytes && !data.wants_bytes())
}
