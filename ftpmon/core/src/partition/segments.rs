//! The way of a segment: to its flow, into the connection, and what that puts in order to the receiver that the flow's role
//! names.

use super::Partition;
use super::budget::limits_with_room;
use crate::account::Side;
use crate::endpoints::SharedEndpoints;
use crate::event::{Direction, EndReason};
use crate::flow::{
    Candidate, ControlReceiver, DataFlow, Discard, FileReceiver, Flow, FlowId, FlowKey, ProbeReceiver,
    ProbeResult, Role, Timer,
};
use crate::output::OutputQueue;
use crate::segment::Segment;
use crate::selector::SelectorUpdate;
use crate::tcp::{Connection, Keep, StreamLimits};
use crate::time::Timestamp;
use crate::timing::{AFTER_FIN_NS, AFTER_RST_NS};

/// Bytes of payload that make so little wait in a session that it need not be counted: what a session is taken to hold anyway has
/// room for as much.
const LIGHT_BYTES: usize = 128;

impl Partition {
    /// A segment was seen. False if it belongs to no connection that is followed.
    pub(crate) fn handle_segment(
        &mut self,
        at: Timestamp,
        segment: &Segment<'_>,
        shared: &SharedEndpoints,
    ) -> bool {
        let key = FlowKey::new(segment.src, segment.dst);
        // A SYN begins another connection, and payload beyond its end shows that one continues.
        let may_replace = segment.flags.syn() || segment.wire_payload_len > 0;
        let mut known = self.flows.find(&key);
        if may_replace && known.is_some_and(|id| self.is_replaced(at, id, segment)) {
            known = None;
        }
        let Some(id) = known.or_else(|| self.open(at, key, segment, shared)) else { return false };
        if segment.flags.syn() {
            self.note_opening(id, segment);
        }
        if !self.flows.touch(id, self.now).is_some_and(|flow| flow.count_bare(at, segment)) {
            self.feed(at, id, segment);
        }
        true
    }

    /// The known flow ended, or ends with this segment, which opens another connection between the same ports.
    fn is_replaced(&mut self, at: Timestamp, id: FlowId, segment: &Segment<'_>) -> bool {
        let Some(flow) = self.flows.get(id) else { return true };
        let opens = segment.flags.syn() && !segment.flags.ack();
        let replaced = match flow.role {
            Role::Ended => opens || flow.connection.goes_on(flow.side_of(segment), segment),
            _ if !segment.flags.syn() => return false,
            // On a living connection it is the SYN-ACK that counts.
            _ => flow.connection.starts_anew(flow.side_of(segment), segment),
        };
        if replaced {
            self.remove(at, id, EndReason::Replaced);
        }
        replaced
    }

    /// Opens a flow for the first segment seen of a connection, unless that shows nothing.
    fn open(
        &mut self,
        at: Timestamp,
        key: FlowKey,
        segment: &Segment<'_>,
        shared: &SharedEndpoints,
    ) -> Option<FlowId> {
        if !segment.flags.syn() && segment.wire_payload_len == 0 {
            return None;
        }
        let (from, guessed) = self.sender_of(segment, shared);
        let (initiator, listener) = match from {
            Side::Initiator => (segment.src, segment.dst),
            Side::Listener => (segment.dst, segment.src),
        };
        let opened = segment.flags.syn().then_some(at);
        let role = match guessed && self.is_control(initiator.port) && self.is_control(listener.port) {
            // Their first lines tell which of the two is the server.
            true => Role::Candidate(Candidate::Probe(Box::default())),
            false => self.role_of_new(initiator, listener, true, opened, shared),
        };
        let flow = Flow { guessed, ..Flow::from_segment(at, self.now.index, segment, from, role) };
        let id = self.insert(at, key, flow);
        self.leave_uncopied(id);
        Some(id)
    }

    /// Hands a segment to its flow.
    fn feed(&mut self, at: Timestamp, id: FlowId, segment: &Segment<'_>) {
        self.begin_if_established(at, id, segment);
        let loss = self.cause_of_gaps(at, id);
        let total_held = self.held.reorder.total();
        let Self { flows, config, out, sources, counters, .. } = self;
        let Some(flow) = flows.get_mut(id) else { return };
        if matches!(&flow.role, Role::Candidate(Candidate::Inference(candidate)) if candidate.ended)
            || matches!(&flow.role, Role::Data(data) if data.ended.is_some())
        {
            return;
        }
        let from = flow.side_of(segment);
        let limits = limits_with_room(config, total_held, flow, from);
        flow.note_packet(at);
        let Flow { connection, role, record, held, .. } = flow;
        match role {
            Role::Control(control) => {
                let payload = segment.payload.len();
                if payload > 0 {
                    let direction =
                        if from == control.client { Direction::Command } else { Direction::Reply };
                    control.session.note_segment(at, direction, segment.seq, payload);
                }
                let short = payload > 0 && control.session.earn_events(payload) && !control.unanswered;
                let lent = if short { sources.lend(control, at, payload) } else { 0 };
                let answers = control.note_unreadable(at, from, segment);
                let mut receiver = ControlReceiver { control, config, out, loss };
                connection.handle_segment(at, from, segment, &limits, Keep::Bytes, &mut receiver);
                if limits.hole_wait_ms == 0 {
                    connection.handle_timeout(at, &limits, Keep::Bytes, &mut receiver);
                }
                let is_answer = control.unanswered && from != control.client;
                let is_heavy = *held > 0
                    || segment.payload.len() > LIGHT_BYTES
                    || segment.payload.last().is_some_and(|last| *last != b'\n')
                    || connection.holds_bytes()
                    || !control.session.is_light();
                if payload > 0 {
                    counters.lose("events_held_back", sources.settle(control, lent));
                }
                self.apply_effects(at, id);
                if let Some(answers) = answers {
                    self.unreadable_spoke(at, id, answers);
                }
                if payload > 0 {
                    self.note_spoken(at, id);
                }
                if is_answer {
                    self.note_answer(id);
                }
                if is_heavy {
                    self.note_waiting(at, id);
                }
            }
            Role::Data(data) => {
                let counted = record.is_some();
                let told = data.proven_told;
                let read = read_data(at, from, segment, connection, counted, &limits, data, &mut out.outputs);
                self.after_data(id, read, &limits);
                self.note_another_protocol(id);
                if !told {
                    self.note_established(at, id);
                }
            }
            Role::Candidate(Candidate::Inference(candidate)) => {
                let (counted, data) = (record.is_some(), &mut candidate.data);
                let read = read_data(at, from, segment, connection, counted, &limits, data, &mut out.outputs);
                self.after_data(id, read, &limits);
                if read.news {
                    self.look_at_candidate(at, id);
                }
            }
            Role::Candidate(Candidate::Early(early)) => {
                let before = early.cost();
                connection.handle_segment(at, from, segment, &limits, Keep::Bytes, &mut **early);
                self.note_early_bytes(id, before);
                self.note_held(id);
            }
            Role::Candidate(Candidate::Probe(probe)) => {
                let before = probe.held();
                let mut receiver = ProbeReceiver { probe, result: ProbeResult::Undecided };
                connection.handle_segment(at, from, segment, &limits, Keep::Bytes, &mut receiver);
                let result = receiver.result;
                self.held.probe.change(before, probe.held());
                match result {
                    ProbeResult::Ftp(client) => {
                        self.begin_probed(id, client);
                        self.apply_effects(at, id);
                    }
                    ProbeResult::Other => self.give_up_probe(id),
                    ProbeResult::Undecided if self.held.probe.total() > self.config.limits.probe_bytes => {
                        self.counters.lose("probe_bytes_full", 1);
                        self.give_up_probe(id);
                    }
                    ProbeResult::Undecided => {}
                }
            }
            Role::Nascent { unproven: Some(unproven), .. } => {
                let before = unproven.held();
                connection.handle_segment(at, from, segment, &limits, Keep::Bytes, &mut **unproven);
                self.note_unproven(id, before);
            }
            Role::Nascent { .. } | Role::Candidate(Candidate::Plain) | Role::Ended => {
                connection.handle_segment(at, from, segment, &limits, Keep::Ranges, &mut Discard);
            }
        }
        self.after_packet(at, id);
    }

    /// The consequences of a segment of a data connection, or of a possible one.
    fn after_data(&mut self, id: FlowId, read: DataRead, limits: &StreamLimits) {
        if read.gave_up {
            self.count_gap(limits);
            self.want_no_bytes(id);
        }
        self.note_held(id);
    }

    /// The consequences of the state that a flow is in now: its end, or its timers.
    pub(super) fn after_packet(&mut self, at: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        match &flow.role {
            Role::Control(control) if control.session.is_over() => {
                self.retire(id);
                return;
            }
            Role::Ended => return,
            role if role.is_ending() => return,
            _ => {}
        }
        // Most packets leave a connection as it was.
        if flow.record.is_none()
            && flow.connection.is_open_in_order()
            && !flow.timers.is_set(Timer::Streams)
            && !flow.timers.is_set(Timer::Close)
            && !flow.waits_for_announcement()
        {
            return;
        }
        // Where the kernel counts, its account of the end is the one that is complete.
        let mut closing = None;
        if flow.record.is_none() {
            closing = Some(flow.connection.is_closed() || flow.both_finished());
            if flow.connection.is_closed() {
                if !flow.was_reset() {
                    self.end(at, id, None);
                    return;
                }
                // Sooner than what a FIN before it allowed.
                let soon = flow.timers.deadline(Timer::Close).min(at.plus_nanos(AFTER_RST_NS));
                flow.timers.set(Timer::Close, soon);
            } else if flow.connection.closed_by().is_some() {
                // Live, the acknowledgment that confirms two FINs is not copied by the kernel.
                let wait = if flow.both_finished() { AFTER_RST_NS } else { AFTER_FIN_NS };
                let due = flow.timers.deadline(Timer::Close).min(at.plus_nanos(wait));
                flow.timers.set(Timer::Close, due);
            } else if flow.connection.closed_by().is_none() {
                // What ended it turned out to be forged.
                flow.timers.set(Timer::Close, Timestamp::LATEST);
            }
        }
        let due = flow.connection.poll_timeout().map_or(Timestamp::LATEST, |due| due.max(at.plus_nanos(1)));
        flow.timers.set(Timer::Streams, due);
        if flow.waits_for_announcement() && flow.timers.deadline(Timer::Announcement) == Timestamp::LATEST {
            flow.timers.set(Timer::Announcement, flow.announcement_due(at));
        }
        self.note_timers(id);
        if let Some(closing) = closing {
            self.note_closing(id, closing);
        }
    }

    /// No more of a data connection's bytes are wanted: the kernel need not copy them.
    pub(super) fn want_no_bytes(&mut self, id: FlowId) {
        if let Some(flow) = self.flows.get(id) {
            let (initiator, listener) = (flow.initiator, flow.listener);
            self.update(SelectorUpdate::Adopt { initiator, listener, payload: false });
        }
    }
}

/// The effect of a segment of a data connection.
#[derive(Clone, Copy)]
struct DataRead {
    /// The first bytes changed the result.
    news: bool,
    /// Bytes of a file are missing: no more of them are wanted.
    gave_up: bool,
}

/// Hands a segment to a data connection, or what may be one. If the kernel counts (`counted`), only bytes that are wanted
/// go through the connection.
#[expect(clippy::too_many_arguments, reason = "parts of a flow and of the partition, borrowed apart")]
fn read_data(
    at: Timestamp,
    from: Side,
    segment: &Segment<'_>,
    connection: &mut Connection,
    counted: bool,
    limits: &StreamLimits,
    data: &mut DataFlow,
    out: &mut OutputQueue,
) -> DataRead {
    let keep = data.keep();
    let news = data.first_bytes.segment(from, segment);
    data.discard_encrypted_file(out);
    if !counted || keep == Keep::Bytes {
        connection.handle_segment(at, from, segment, limits, keep, &mut FileReceiver { data, out });
    }
    DataRead { news, gave_up: keep == Keep::Bytes && !data.wants_bytes() }
}
