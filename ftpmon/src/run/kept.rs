//! Files that are kept, and the events that wait to say where.

use std::io;
use std::time::Instant;

use crate::engine::Engine;
use crate::event::Event;
use crate::store::{StoreOptions, StoreWriter, Waiting};

/// The store beside a run.
pub(super) struct Kept {
    pub(super) writer: StoreWriter,
    /// Bytes of all files at most.
    pub(super) quota: u64,
    waiting: Waiting,
}

impl Kept {
    /// Starts the store's thread.
    pub(super) fn start(options: StoreOptions) -> io::Result<Self> {
        let quota = options.quota;
        Ok(Self { quota, writer: StoreWriter::start(options)?, waiting: Waiting::default() })
    }

    /// Hands the files' pieces on, and takes the events: `give` gets those that need not wait, in their order.
    pub(super) fn settle(&mut self, engine: &mut Engine, mut give: impl FnMut(Event)) {
        while let Some(piece) = engine.poll_file_piece() {
            self.writer.push(piece);
        }
        while let Some(event) = engine.poll_event() {
            if let Some(event) = self.waiting.offer(event, Instant::now()) {
                give(event);
            }
        }
    }

    /// Hands out what waited for the verdicts that have come, or for too long; all of it at the end.
    pub(super) fn release(&mut self, end: bool, give: impl FnMut(Event)) {
        if end {
            self.writer.finish();
        }
        for verdict in self.writer.verdicts() {
            self.waiting.learn(verdict);
        }
        if !self.waiting.is_empty() {
            self.waiting.release(Instant::now(), end, give);
        }
    }
}
