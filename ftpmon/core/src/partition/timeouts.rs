//! The work that time brings: timers of flows, idle flows, announcements that run out.

use super::{Partition, Phase, Stamp};
use crate::event::EndReason;
use crate::flow::{
    Candidate, Class, ControlReceiver, Deadline, Discard, FileReceiver, Flow, FlowId, Role, Timer,
};
use crate::tcp::Keep;
use crate::time::Timestamp;

impl Partition {
    /// When anything is due.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|first| first.at);
        [self.flows.due(), timer, self.endpoints.next_expiry()].into_iter().flatten().min()
    }

    /// Before this time nothing is due. Cheap, and seldom too early: [`Self::due`] is exact.
    #[inline]
    pub(crate) fn quiet_until(&self) -> Timestamp {
        let timer = self.timers.first().map_or(Timestamp::LATEST, |first| first.at);
        let claim = self.endpoints.next_expiry().unwrap_or(Timestamp::LATEST);
        self.flows.idle_until().min(timer).min(claim)
    }

    /// The stamp of the next thing that is due at `now`.
    pub(crate) fn next_due(&mut self, now: Timestamp, index: u64) -> Option<Stamp> {
        if let Some(first) = self.timers.first().filter(|first| first.at <= now) {
            let (major, minor) = (first.at.as_nanos(), first.birth);
            return Some(Stamp { index, phase: Phase::Timer, major, minor });
        }
        for (major, class) in Class::ALL.into_iter().enumerate() {
            if let Some((_, minor)) = self.flows.idle(class, now) {
                return Some(Stamp { index, phase: Phase::Idle, major: major as i64, minor });
            }
        }
        self.flows.idle_are_gone();
        while let Some(gone) = self.endpoints.expire(now, &mut self.pairs) {
            self.post_retracted(&gone);
            if gone.last {
                self.update(gone.forget());
            }
        }
        None
    }

    /// Does the next thing that is due at `now`, of a stamp that [`Self::next_due`] gave.
    pub(crate) fn do_next_due(&mut self, stamp: Stamp, now: Timestamp) {
        self.begin(stamp, now);
        if stamp.phase == Phase::Timer {
            if let Some(&Deadline { flow, .. }) = self.timers.first() {
                self.fire(now, flow);
            }
            return;
        }
        let class = Class::ALL.into_iter().nth(stamp.major as usize);
        if let Some((id, _)) = class.and_then(|class| self.flows.idle(class, now)) {
            self.remove(now, id, EndReason::Idle);
        }
    }

    /// Sets a timer of a flow, unless it is due earlier already.
    pub(super) fn schedule(&mut self, id: FlowId, timer: Timer, at: Timestamp) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        if at < flow.timers.deadline(timer) {
            flow.timers.set(timer, at);
            self.note_timers(id);
        }
    }

    /// The queue learns the earliest deadline of a flow.
    pub(super) fn note_timers(&mut self, id: FlowId) {
        if let Some(flow) = self.flows.get(id) {
            self.timers.set(Deadline { at: flow.timers.earliest(), birth: flow.birth, flow: id });
        }
    }

    /// Does what the timers of a flow are for, those that are due.
    fn fire(&mut self, now: Timestamp, id: FlowId) {
        while let Some(timer) = self.flows.get_mut(id).and_then(|flow| flow.timers.take_due(now)) {
            match timer {
                Timer::Streams => self.expire_streams(now, id),
                Timer::Session => self.settle_session(now, id),
                Timer::Close => self.end(now, id, None),
                Timer::Announcement => self.give_up_announcement(now, id),
                Timer::Decision => self.decide_ended(now, id),
            }
        }
        match self.flows.get(id) {
            Some(_) => {
                self.note_timers(id);
                self.after_packet(now, id);
            }
            None => self.timers.remove(id),
        }
    }

    /// Gives up what a connection waited for.
    fn expire_streams(&mut self, now: Timestamp, id: FlowId) {
        let loss = self.cause_of_gaps(now, id);
        let Self { flows, config, out, .. } = self;
        let Some(flow) = flows.get_mut(id) else { return };
        let limits = flow.tcp_limits(config.limits.late_ms);
        let Flow { connection, role, .. } = flow;
        let mut gave_up = false;
        match role {
            Role::Control(control) => {
                let mut receiver = ControlReceiver { control, config, out, loss };
                connection.handle_timeout(now, &limits, Keep::Bytes, &mut receiver);
                self.apply_effects(now, id);
                self.note_waiting(now, id);
                return;
            }
            Role::Data(data) => {
                let keep = data.keep();
                let out = &mut out.outputs;
                connection.handle_timeout(now, &limits, keep, &mut FileReceiver { data, out });
                gave_up = keep == Keep::Bytes && !data.wants_bytes();
            }
            Role::Candidate(Candidate::Inference(candidate)) => {
                let keep = candidate.data.keep();
                let (data, out) = (&mut candidate.data, &mut out.outputs);
                connection.handle_timeout(now, &limits, keep, &mut FileReceiver { data, out });
                gave_up = keep == Keep::Bytes && !candidate.data.wants_bytes();
            }
            Role::Candidate(Candidate::Early(early)) => {
                let before = early.cost();
                connection.handle_timeout(now, &limits, Keep::Bytes, &mut **early);
                self.note_early_bytes(id, before);
            }
            Role::Candidate(Candidate::Probe(_)) => {
                connection.handle_timeout(now, &limits, Keep::Bytes, &mut Discard);
            }
            Role::Nascent { unproven: Some(unproven), .. } => {
                let before = unproven.held();
                connection.handle_timeout(now, &limits, Keep::Bytes, &mut **unproven);
                self.note_unproven(id, before);
            }
            Role::Nascent { .. } | Role::Candidate(Candidate::Plain) | Role::Ended => {
                connection.handle_timeout(now, &limits, Keep::Ranges, &mut Discard);
            }
        }
        if gave_up {
            self.want_no_bytes(id);
        }
        self.note_held(id);
    }

    /// A session asked to be called.
    fn settle_session(&mut self, now: Timestamp, id: FlowId) {
        if let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(id) {
            control.session.report_due(now, &mut self.out);
            self.apply_effects(now, id);
        }
    }

    /// A connection that ended waited for evidence whose it is.
    fn decide_ended(&mut self, now: Timestamp, id: FlowId) {
        match self.role(id) {
            Some(Role::Candidate(Candidate::Inference(_))) => self.decide_candidate(now, id, true),
            Some(Role::Candidate(_)) if self.is_ended_unclaimed(id) => self.decide_unclaimed(now, id, false),
            _ => {}
        }
    }
}
