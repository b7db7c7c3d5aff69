//! The state of a run for those who ask.

use super::engine::{KernelSide, LiveEngine};
use super::telling::Telling;
use crate::kernel;
use crate::status::{Moved, Open, Published, Remark};
use crate::telemetry::{Sampled, Snapshot};
use ftpmon_event::InterfaceFacts;

impl LiveEngine {
    /// The state for those who ask, but for the counters of the chain's own.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let KernelSide { steering, flows, counters } = &self.kernel;
        let (engine, records) = (self.engine.counters(), self.reader.counters());
        let parts: [&dyn Sampled; 7] =
            [&engine, self.decoder.counters(), counters, &records, steering, flows, &self.changes];
        parts.iter().for_each(|part| part.sample(&mut snapshot));
        self.dump.iter().for_each(|dump| dump.sample(&mut snapshot));
        self.journal.iter().for_each(|journal| journal.sample(&mut snapshot));
        snapshot
    }

    /// Puts the state on the board.
    pub(super) fn publish(&self, interfaces: Vec<InterfaceFacts>) {
        let mut snapshot = self.snapshot();
        self.chain.sample(&mut snapshot);
        self.board.publish(Published {
            sensor: self.chain.origin().sensor.clone(),
            kernel: kernel::running_release(),
            uptime_ms: self.uptime_ms(),
            interfaces,
            snapshot,
            tally: self.chain.tally().clone(),
        });
    }

    /// Tells those who read events how far the data connections are.
    pub(super) fn tell_progress(&self) {
        let feed = self.board.feed();
        if !feed.is_read() {
            return;
        }
        self.kernel.flows.running(&self.clock, |account| {
            let bytes = account.from_initiator.bytes.saturating_add(account.from_listener.bytes);
            let (initiator, listener) = (account.initiator, account.listener);
            feed.remark(&Remark::Moved(Moved { ts: account.at, initiator, listener, bytes }));
        });
    }

    /// Tells a reader that came of the sessions that are open, a partition at each call: between two of them the ring is read.
    /// False when all were told.
    pub(super) fn tell_open_sessions(&mut self) -> bool {
        let feed = self.board.feed();
        if feed.take_newcomer() {
            self.telling_open = Some(Telling::default());
        }
        let Some(telling) = &mut self.telling_open else { return false };
        match self.engine.open_sessions(telling.partition) {
            Some(sessions) if feed.is_read() => {
                telling.told += feed.tell_open(sessions.map(Open::from));
                telling.partition += 1;
                true
            }
            _ => {
                let told = telling.told;
                self.telling_open = None;
                self.tell_progress();
                self.board.feed().remark(&Remark::AllOpen(told));
                false
            }
        }
    }

    /// Milliseconds since the start.
    pub(super) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
