//! The receivers of the two streams of a connection, by its role.

use super::control::Control;
use super::data::DataFlow;
use super::probe::{Probe, ProbeResult};
use crate::account::Side;
use crate::config::EngineConfig;
use crate::event::{Direction, GapCause};
use crate::output::OutputQueue;
use crate::session::{Context, Effect, Outbox};
use crate::tcp::{Closing, Conflict, Oddity, Receiver};
use crate::time::Timestamp;

/// Takes the streams of a control connection.
pub(crate) struct ControlReceiver<'a> {
    pub(crate) control: &'a mut Control,
    pub(crate) config: &'a EngineConfig,
    pub(crate) out: &'a mut Outbox,
    /// The cause that missing bytes have, where records or parts of packets were lost lately.
    pub(crate) loss: Option<GapCause>,
}

impl ControlReceiver<'_> {
    fn direction(&self, from: Side) -> Direction {
        if from == self.control.client { Direction::Command } else { Direction::Reply }
    }
}

impl Receiver for ControlReceiver<'_> {
    fn data(&mut self, at: Timestamp, from: Side, bytes: &[u8]) {
        let direction = self.direction(from);
        if self.control.missed.resume(direction) {
            self.out.effects.push(Effect::HeardAgain { direction, at });
        }
        self.control.session.data(at, direction, bytes, Context::from(self.config), self.out);
    }

    fn gap(&mut self, at: Timestamp, from: Side, bytes: u64, cause: GapCause) {
        let direction = self.direction(from);
        let cause = self.loss.unwrap_or(cause);
        self.control.missed.miss(direction);
        self.control.session.gap(at, direction, bytes, cause, Context::from(self.config), self.out);
    }

    fn conflict(&mut self, at: Timestamp, from: Side, conflict: &Conflict<'_>) {
        let direction = self.direction(from);
        self.control.session.conflict(at, direction, conflict, self.out);
    }

    fn doubtful(&mut self, at: Timestamp, from: Side, doubt: Oddity) {
        let direction = self.direction(from);
        if doubt == Oddity::Checksum {
            self.out.effects.push(Effect::Lost("checksum_bad"));
        }
        self.control.session.doubtful(at, direction, doubt, self.out);
    }

    fn end_revoked(&mut self, at: Timestamp, from: Side) {
        let direction = self.direction(from);
        self.control.session.end_revoked(at, direction, self.out);
    }

    fn closed(&mut self, at: Timestamp, from: Side, _how: Closing) {
        let direction = self.direction(from);
        self.control.session.half_closed(at, direction, Context::from(self.config), self.out);
    }
}

/// Takes the streams of a data connection.
pub(crate) struct FileReceiver<'a> {
    pub(crate) data: &'a mut DataFlow,
    pub(crate) out: &'a mut OutputQueue,
}

impl Receiver for FileReceiver<'_> {
    fn data(&mut self, _at: Timestamp, from: Side, bytes: &[u8]) {
        self.data.read(from, bytes, self.out);
    }

    fn gap(&mut self, _at: Timestamp, from: Side, _bytes: u64, _cause: GapCause) {
        self.data.miss(from);
    }

    fn conflict(&mut self, _at: Timestamp, _from: Side, _conflict: &Conflict<'_>) {}

    fn end_revoked(&mut self, _at: Timestamp, _from: Side) {}

    fn closed(&mut self, _at: Timestamp, _from: Side, _how: Closing) {}
}

/// Takes the streams of a connection whose protocol is not known yet.
pub(crate) struct ProbeReceiver<'a> {
    pub(crate) probe: &'a mut Probe,
    pub(crate) result: ProbeResult,
}

impl Receiver for ProbeReceiver<'_> {
    fn data(&mut self, at: Timestamp, from: Side, bytes: &[u8]) {
        // The rest of a segment behind the decision is read together with what was held.
        let result = self.probe.data(at, from, bytes);
        if self.result == ProbeResult::Undecided {
            self.result = result;
        }
    }

    fn gap(&mut self, _at: Timestamp, _from: Side, _bytes: u64, _cause: GapCause) {
        self.probe.gap();
    }

    fn conflict(&mut self, _at: Timestamp, _from: Side, _conflict: &Conflict<'_>) {}

    fn end_revoked(&mut self, _at: Timestamp, _from: Side) {}

    fn closed(&mut self, _at: Timestamp, _from: Side, _how: Closing) {}
}

/// Takes the streams of a connection whose bytes are not wanted.
pub(crate) struct Discard;

impl Receiver for Discard {
    fn data(&mut self, _at: Timestamp, _from: Side, _bytes: &[u8]) {}

    fn gap(&mut self, _at: Timestamp, _from: Side, _bytes: u64, _cause: GapCause) {}

    fn conflict(&mut self, _at: Timestamp, _from: Side, _conflict: &Conflict<'_>) {}

    fn end_revoked(&mut self, _at: Timestamp, _from: Side) {}

    fn closed(&mut self, _at: Timestamp, _from: Side, _how: Closing) {}
}
