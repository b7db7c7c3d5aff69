//! Files that are kept, and the events that wait to say where.

use std::io;
use std::time::Instant;

use crate::store::{QUEUE_BYTES_MAX, StoreOptions, StoreWriter, Waiting};
use crate::telemetry::{Kind, Sampled, Snapshot};
use ftpmon_core::engine::Engine;
use ftpmon_event::Event;

/// The store beside a run.
pub(super) struct Kept {
    pub(super) writer: StoreWriter,
    /// Bytes of all files at most.
    quota: u64,
    waiting: Waiting,
}

impl Sampled for Kept {
    fn sample(&self, into: &mut Snapshot) {
        let counters = self.writer.counters();
        into.add(
            Kind::Table { cap: QUEUE_BYTES_MAX as u64 },
            "files_queue_bytes",
            self.writer.waiting() as u64,
        );
        into.add(Kind::Table { cap: self.quota }, "files_bytes", counters.used);
        counters.sample(into);
    }
}

impl Kept {
    /// Starts the store's thread.
    pub(super) fn start(options: StoreOptions) -> io::Result<Self> {
        let quota = options.quota;
        Ok(Self { quota, writer: StoreWriter::start(options)?, waiting: Waiting::default() })
    }

    /// Hands the files' pieces on. Before the events, see [`Engine::poll_file_piece`].
    pub(super) fn take_pieces(&mut self, engine: &mut Engine) {
        while let Some(piece) = engine.poll_file_piece() {
            self.writer.push(piece);
        }
    }

    /// The event has to wait: [`Self::hold`] takes it.
    pub(super) fn must_wait(&self, event: &mut Event) -> bool {
        self.waiting.must_wait(event)
    }

    /// Takes an event that has to wait.
    pub(super) fn hold(&mut self, event: Event) {
        self.waiting.hold(event, Instant::now());
    }

    /// What waited for the verdicts that have come, or for too long; all of it at the end.
    pub(super) fn release(&mut self, end: bool) -> Vec<Event> {
        let mut released = Vec::new();
        if end {
            self.writer.finish();
        }
        for verdict in self.writer.verdicts() {
            self.waiting.learn(verdict);
        }
        if !self.waiting.is_empty() {
            self.waiting.release(Instant::now(), end, |event| released.push(event));
        }
        released
    }
}
