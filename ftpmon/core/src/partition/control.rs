//! Control connections: how their sessions begin and end.

use std::net::IpAddr;
use std::sync::Arc;

use super::Partition;
use crate::account::Side;
use crate::config::FilesMode;
use crate::event::{ClosedBy, Direction, EndReason, Handshake, SessionIdentity};
use crate::flow::{Candidate, Class, Control, ControlReceiver, EarlyBytes, Flow, FlowId, Role, Said};
use crate::pair::HostPair;
use crate::segment::Segment;
use crate::session::{Beginning, Context, Session};
use crate::tcp::{Keep, Receiver as _};
use crate::time::Timestamp;

/// Events that a session may have at first, if both of its ends were seen and its hosts are allowed as many.
const EVENTS_OF_A_DIALOGUE: usize = 48;

impl Partition {
    /// A connection to a control port becomes a session when its handshake is complete, or when payload is sent and both
    /// ends are there. What one end said until then is read by the session.
    pub(super) fn begin_if_established(&mut self, at: Timestamp, id: FlowId, segment: &Segment<'_>) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if !matches!(flow.role, Role::Nascent { .. }) {
            return;
        }
        let from = flow.side_of(segment);
        let Flow { connection, role: Role::Nascent { unproven, .. }, .. } = flow else { return };
        let answers = from == Side::Initiator && segment.flags.ack() && !segment.flags.syn();
        let said = segment.wire_payload_len > 0 && !segment.flags.syn();
        let is_there = connection.has_heard(from.other()) || connection.acknowledges_more(from, segment);
        let established = (said || unproven.is_some()) && is_there && !segment.flags.rst();
        if established || (answers && connection.handshake().syn_ack.is_some()) {
            self.begin_nascent(at, id, answers.then_some(at));
        } else if said {
            unproven.get_or_insert_default();
        }
    }

    /// Begins the session of a connection to a control port. `ack`: when the client completed the handshake, if it did now.
    fn begin_nascent(&mut self, at: Timestamp, id: FlowId, ack: Option<Timestamp>) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let Role::Nascent { implicit_tls, unproven } = &mut flow.role else { return };
        let (implicit_tls, unproven) = (*implicit_tls, unproven.take());
        let handshake = flow.connection.handshake();
        let ack = handshake.ack.or(ack);
        let beginning = Beginning {
            midstream: flow.connection.midstream(),
            handshake: handshake.syn.map(|syn| Handshake {
                syn,
                syn_ack_us: handshake.syn_ack.map(|syn_ack| syn_ack.micros_since(syn)),
                ack_us: handshake.syn_ack.zip(ack).map(|(syn_ack, ack)| ack.micros_since(syn_ack)),
            }),
            implicit_tls,
        };
        self.held.probe.change(unproven.as_ref().map_or(0, |unproven| unproven.held()), 0);
        let pieces = unproven.map_or_else(Vec::new, |unproven| unproven.into_pieces());
        let began = pieces.first().map_or(at, |(first, ..)| *first);
        self.begin_session(began, id, Side::Initiator, beginning);
        let Self { flows, config, out, .. } = self;
        let Some(Flow { role: Role::Control(control), .. }) = flows.get_mut(id) else { return };
        let mut receiver = ControlReceiver { control, config, out, loss: None };
        for (at, from, said) in pieces {
            match said {
                Said::Data(bytes) => {
                    receiver.control.session.earn_events(bytes.len());
                    receiver.data(at, from, &bytes);
                }
                Said::Gap(bytes, cause) => receiver.gap(at, from, bytes, cause),
            }
        }
        self.apply_effects(at, id);
    }

    /// Takes account of what a connection holds of which one end was seen.
    pub(super) fn note_unproven(&mut self, id: FlowId, before: usize) {
        let Some(Flow { role: Role::Nascent { unproven: Some(unproven), .. }, .. }) = self.flows.get_mut(id)
        else {
            return;
        };
        self.held.probe.change(before, unproven.held());
        let pool_full = self.held.probe.total() > self.config.limits.probe_bytes;
        if pool_full || unproven.is_full() {
            let held = unproven.held();
            unproven.forget();
            self.held.probe.change(held, unproven.held());
            self.counters.lose("unproven_bytes_full", 1);
        }
    }

    /// A connection ended of which one end was seen. It was a session if it was opened, and as far as it is known; what else
    /// anybody may have sent begins none. Where a capture ends, what speaks FTP is told as well: nothing more can show that the other
    /// end exists, and each such session ends as it begins.
    pub(super) fn end_nascent(&mut self, at: Timestamp, id: FlowId, reason: Option<EndReason>) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let Flow { connection, role: Role::Nascent { unproven: Some(unproven), .. }, .. } = flow else {
            return self.retire(id);
        };
        let before = unproven.held();
        connection.finish(at, Keep::Bytes, &mut **unproven);
        self.held.probe.change(before, unproven.held());
        let at_the_end =
            reason == Some(EndReason::EndOfInput) && !self.config.selects && unproven.speaks_ftp();
        if at_the_end || (!connection.midstream() && reason != Some(EndReason::Evicted)) {
            self.begin_nascent(at, id, None);
            return self.end(at, id, reason);
        }
        self.held.probe.change(unproven.held(), 0);
        self.counters.lose("unproven_connections", 1);
        self.retire(id);
    }

    /// A connection on some port turned out to be a control connection: what was held is read now.
    pub(super) fn begin_probed(&mut self, id: FlowId, client: Side) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let Role::Candidate(Candidate::Probe(probe)) = core::mem::replace(&mut flow.role, Role::PLAIN) else {
            return;
        };
        self.held.probe.change(probe.held(), 0);
        let pieces = probe.into_pieces();
        let began =
            flow.connection.handshake().ack.or(pieces.first().map(|piece| piece.0)).unwrap_or(flow.first);
        let (midstream, handshake) = (flow.connection.midstream(), flow.handshake());
        self.stop_waiting(id);
        self.begin_session(began, id, client, Beginning { midstream, handshake, implicit_tls: false });
        let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(id) else { return };
        for (at, from, bytes) in pieces {
            let direction = if from == client { Direction::Command } else { Direction::Reply };
            control.session.earn_events(bytes.len());
            control.session.data(at, direction, &bytes, Context::from(&*self.config), &mut self.out);
        }
    }

    /// The server of a session answered for the first time: others may have sent what came before.
    pub(super) fn note_answer(&mut self, id: FlowId) {
        if let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(id)
            && core::mem::take(&mut control.unanswered)
        {
            self.unanswered_sessions -= 1;
            self.flows.move_to(id, Class::Control, self.now);
        }
    }

    /// Begins the session of a control connection whose first segment after the handshake, or first with payload, is about
    /// to be delivered.
    fn begin_session(&mut self, at: Timestamp, id: FlowId, client: Side, beginning: Beginning) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        let (client_end, server_end) = (flow.endpoint(client), flow.endpoint(client.other()));
        let answered = flow.connection.has_heard(client.other());
        let mut identity = SessionIdentity::new(client_end, server_end, flow.first, flow.interface)
            .with_nth(self.repeats.nth(client_end, server_end, flow.first));
        identity.iface = self.interfaces.get(&flow.interface).cloned();
        identity.vlan = flow.vlan;
        let session = Session::begin(at, Arc::new(identity), beginning, &mut self.out);
        flow.role =
            Role::Control(Box::new(Control { unanswered: !answered, ..Control::new(session, client) }));
        if answered {
            if let Role::Control(control) = &mut flow.role {
                self.sources.lend(control, at, EVENTS_OF_A_DIALOGUE);
            }
            self.flows.move_to(id, Class::Control, self.now);
        } else {
            self.unanswered_sessions += 1;
        }
        self.session_opened(client_end.ip, server_end.ip);
        self.counters.sessions += 1;
    }

    /// Ends the session of a control connection whose streams were delivered whole. `all`: transfers that are still open end
    /// with it.
    pub(super) fn end_session(&mut self, at: Timestamp, id: FlowId, reason: Option<EndReason>, all: bool) {
        let Self { flows, config, out, sources, counters, .. } = self;
        let Some(flow) = flows.get_mut(id) else { return };
        let (reset, closed_by) = (flow.was_reset(), flow.connection.closed_by());
        let Role::Control(control) = &mut flow.role else { return };
        control.ending = None;
        let closed_by =
            closed_by.map(|side| if side == control.client { ClosedBy::Client } else { ClosedBy::Server });
        let reason = reason.unwrap_or(if reset { EndReason::Rst } else { EndReason::Fin });
        control.session.end(at, reason, closed_by, all, Context::from(&**config), out);
        counters.lose("events_held_back", sources.settle(control, 0));
        self.apply_effects(at, id);
        self.retire_if_over(id);
    }

    /// A connection is no control connection. With `--files` it may still be a data connection whose announcement comes.
    pub(super) fn give_up_probe(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if !matches!(flow.role, Role::Candidate(Candidate::Probe(_))) {
            return;
        }
        let (opened, initiator, listener) = (flow.first, flow.initiator.ip, flow.listener);
        let Role::Candidate(Candidate::Probe(probe)) = core::mem::replace(&mut flow.role, Role::PLAIN) else {
            return;
        };
        self.held.probe.change(probe.held(), 0);
        if probe.is_whole() && self.holds_early_bytes(opened, initiator, listener) {
            let pieces = probe.into_pieces().into_iter().map(|(_, from, bytes)| (from, bytes));
            let early = Box::new(EarlyBytes::from_pieces(pieces));
            if let Some(flow) = self.flows.get_mut(id) {
                flow.role = Role::Candidate(Candidate::Early(early));
            }
            self.note_early_bytes(id, 0);
            self.watch_announcement(id);
        }
    }

    /// A pair of hosts has one session more. Counted where files are wanted: then bytes of its connections are held.
    fn session_opened(&mut self, client: IpAddr, server: IpAddr) {
        if self.config.files != FilesMode::Off {
            self.pairs.entry(HostPair::new(client, server)).sessions += 1;
        }
    }

    /// A session is gone, of a pair of hosts and perhaps without an answer.
    pub(super) fn session_closed(&mut self, control: &Control) {
        self.unanswered_sessions -= usize::from(control.unanswered);
        let pair = control.pair();
        if self.config.files != FilesMode::Off {
            let state = self.pairs.entry(pair);
            state.sessions = state.sessions.saturating_sub(1);
            self.pairs.tidy(pair);
        }
    }
}
