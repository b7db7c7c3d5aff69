//! The end of flows, and their removal from the table.

use super::Partition;
use crate::event::EndReason;
use crate::flow::{
    Candidate, Class, ControlReceiver, Discard, Ending, FileReceiver, Flow, FlowId, Role, Timer,
};
use crate::tcp::Keep;
use crate::time::Timestamp;

impl Partition {
    /// A connection ended: what its streams held is delivered, its session or the sessions that announced it are notified.
    /// The flow stays for a while, so that its late packets start nothing new. `reason`: why, where neither FIN nor RST
    /// says it.
    pub(super) fn end(&mut self, at: Timestamp, id: FlowId, reason: Option<EndReason>) {
        let loss = self.cause_of_gaps(at, id);
        let all = reason.is_some_and(|reason| reason != EndReason::Idle);
        if !all && self.role(id).is_some_and(Role::is_ending) {
            return;
        }
        if matches!(self.role(id), Some(Role::Control(control)) if control.session.is_unreadable()) {
            self.settle_candidates(at, id);
        }
        let Self { flows, config, out, .. } = self;
        let Some(flow) = flows.get_mut(id) else { return };
        flow.timers.set(Timer::Close, Timestamp::LATEST);
        let Flow { connection, role, .. } = flow;
        match role {
            Role::Control(control) => {
                connection.finish(at, Keep::Bytes, &mut ControlReceiver { control, config, out, loss });
                // What was held may have been the connection's own end.
                let reason = reason.filter(|_| !connection.is_closed());
                self.apply_effects(at, id);
                self.settle_missed(at, id, all);
                if all || !self.awaits_exchange(at, id) {
                    self.end_session(at, id, reason, all);
                } else if let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(id) {
                    control.ending = Some(Box::new(Ending { at, reason }));
                    self.end_at_exchange(id);
                }
            }
            // Its account was made when it ended.
            Role::Data(data) if data.ended.is_some() => {}
            Role::Data(data) => {
                let out = &mut out.outputs;
                connection.finish(at, data.keep(), &mut FileReceiver { data, out });
                self.end_data(at, id);
                self.note_held(id);
            }
            Role::Candidate(Candidate::Inference(candidate)) => {
                if !candidate.ended {
                    let (data, out) = (&mut candidate.data, &mut out.outputs);
                    connection.finish(at, data.keep(), &mut FileReceiver { data, out });
                }
                self.end_candidate(at, id, reason.is_some());
            }
            Role::Candidate(Candidate::Probe(_)) => {
                connection.finish(at, Keep::Ranges, &mut Discard);
                self.give_up_probe(id);
                self.end_unclaimed(at, id, reason.is_some());
            }
            // It may still be announced.
            Role::Candidate(Candidate::Early(early)) => {
                let before = early.cost();
                connection.finish(at, Keep::Bytes, &mut **early);
                self.note_early_bytes(id, before);
                self.end_unclaimed(at, id, reason.is_some());
            }
            Role::Candidate(Candidate::Plain) => self.end_unclaimed(at, id, reason.is_some()),
            Role::Nascent { .. } => self.end_nascent(at, id, reason),
            Role::Ended => self.retire(id),
        }
    }

    /// Ends a flow and takes it out of the table.
    pub(super) fn remove(&mut self, at: Timestamp, id: FlowId, reason: EndReason) {
        self.end(at, id, Some(reason));
        // A session that idles out may wait for its data connections: they idle out as well.
        if let Some(Role::Control(_)) = self.role(id) {
            self.end(at, id, Some(EndReason::Evicted));
        }
        self.report_data(id);
        self.drop_early_bytes(id);
        self.note_held(id);
        self.stop_waiting(id);
        self.timers.remove(id);
        self.forget_waiting(id);
        if let Some(Flow { role: Role::Control(control), .. }) = self.flows.remove(id) {
            self.session_closed(&control);
        }
    }

    /// The flow has nothing more to report.
    pub(super) fn retire(&mut self, id: FlowId) {
        self.forget_waiting(id);
        let Some(flow) = self.flows.get_mut(id) else { return };
        let packets = flow.packets();
        if let Role::Control(control) = flow.end() {
            self.counters.matched += packets;
            let pair = control.pair();
            self.forget_unreadable(self.now.at, pair, id);
            self.session_closed(&control);
        }
        self.timers.remove(id);
        self.flows.move_to(id, Class::Ended, self.now);
    }

    pub(super) fn retire_if_over(&mut self, id: FlowId) {
        if matches!(self.role(id), Some(Role::Control(control)) if control.session.is_over()) {
            self.retire(id);
        }
    }

    /// A session has an announcement that a connection of other hosts may fulfil, or had one lately: whether one did is known at the
    /// next exchange.
    fn awaits_exchange(&self, at: Timestamp, id: FlowId) -> bool {
        matches!(self.role(id), Some(Role::Control(control)) if control.session.awaits_exchange(at))
    }
}
