//! Taking over from an agent that had the same pins, and leaving them to the next one.

use std::io;
use std::sync::Arc;

use tracing::{info, warn};

use super::engine::LiveEngine;
use super::journal::{Entry, EntryKind, Journal};
use super::records::hand_over;
use crate::kernel::{Clock, RecordReader};
use ftpmon_core::engine::Output;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{
    Direction, Event, EventKind, Gap, GapCause, GapDetail, SensorStop, SessionIdentity, StopReason,
};

/// Records after which the engine's partitions exchange messages, as after a part of the ring.
const EXCHANGE_RECORDS: usize = 64;

impl LiveEngine {
    /// Goes through what an earlier agent read of the connections that were open, without reporting it again. If that agent did
    /// not end in order, each session has a gap: what had been read and not written is not known.
    pub(super) fn take_over(&mut self, journal: Journal, earlier: Option<Vec<Entry>>) {
        self.journal = Some(journal);
        let earlier = earlier.unwrap_or_default();
        let in_order = earlier.last().is_some_and(|entry| entry.kind == EntryKind::End);
        let mut open: Vec<Arc<SessionIdentity>> = Vec::new();
        let mut reader = RecordReader::default();
        for (number, entry) in earlier.iter().enumerate() {
            match entry.kind {
                EntryKind::Record => {
                    let clock = Clock::standing(entry.distance);
                    let journal = &mut self.journal;
                    if let Some(record) = &reader.read(&entry.body, &clock) {
                        self.index += 1;
                        let (decoder, engine) = (&mut self.decoder, &mut self.engine);
                        let noted = journal.as_mut().map(|journal| (journal, &*entry.body, entry.distance));
                        hand_over(record, noted, self.index, decoder, &mut None, engine);
                    } else if let Some(journal) = journal {
                        journal.part(&entry.body, entry.distance);
                    }
                }
                EntryKind::Timeout => {
                    let at = entry.body.first_chunk().copied().map(i64::from_le_bytes);
                    at.into_iter().for_each(|at| self.engine.handle_timeout(Timestamp::from_nanos(at)));
                    if let (Some(journal), Some(at)) = (&mut self.journal, at) {
                        journal.timeout(at);
                    }
                }
                EntryKind::End => {}
            }
            if number % EXCHANGE_RECORDS == 0 {
                self.engine.exchange();
            }
            self.pass_over(&mut open);
        }
        self.engine.exchange();
        self.pass_over(&mut open);
        self.written(Journal::renew);
        if earlier.is_empty() {
            return;
        }
        info!("took over {} sessions of the previous agent", open.len());
        if !in_order {
            for session in open {
                let gap = GapDetail { direction: Direction::Command, bytes: 0, cause: GapCause::Restart };
                let kind = EventKind::Gap(Gap { gap });
                self.chain.emit(Event { ts: self.clock.now(), session: Some(session), user: None, kind });
            }
        }
    }

    /// Ends this agent and leaves the programs where they are; what is open stays open for the next one.
    pub(super) fn leave(mut self, reason: StopReason) {
        self.poll_counters();
        self.drain_engine();
        self.chain.finish_waiting();
        if let Some(dump) = &mut self.dump {
            dump.finish(self.clock.now(), self.kernel.counters.lost_frames());
        }
        self.emit_stats();
        self.emit(EventKind::SensorStop(SensorStop { reason }));
        let Ok(()) = self.chain.finish(self.clock.now());
        if let Some(Err(error)) = self.journal.take().map(Journal::end) {
            warn!("cannot write the state for the next agent: {error}");
        }
    }

    /// Writes what was noted for the next agent. A failure is reported once.
    pub(super) fn write_journal(&mut self) {
        self.written(Journal::flush);
    }

    fn written(&mut self, write: impl FnOnce(&mut Journal) -> io::Result<()>) {
        if let Some(Err(error)) = self.journal.as_mut().map(write) {
            warn!("cannot write the state for the next agent: {error}; it will take over the counts only");
            self.journal = None;
        }
    }

    /// Drops all outputs: the earlier agent reported them and updated the kernel.
    fn pass_over(&mut self, open: &mut Vec<Arc<SessionIdentity>>) {
        while let Some(output) = self.engine.poll() {
            let Output::Event(Event { session: Some(session), kind, .. }) = output else { continue };
            match kind {
                EventKind::SessionStart(_) => open.push(session),
                EventKind::SessionEnd(_) => {
                    open.retain(|other| *other != session);
                    if let Some(journal) = &mut self.journal {
                        journal.session_over(session.client, session.server);
                    }
                }
                _ => {}
            }
        }
    }
}
