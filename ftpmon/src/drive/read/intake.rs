//! Captures to segments, on a thread of its own: the file, its records and the frames' headers are a fifth of the work, and
//! what is made of the segments need not wait for them.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use anyhow::Context as _;

use super::batch::{Division, Position, SegmentBatch};
use crate::capture::{CaptureError, CaptureFile, Step};
use crate::telemetry::{Kind, Sampled, Snapshot};
use ftpmon_core::engine::Borders;
use ftpmon_core::frame::Decoder;
use ftpmon_event::time::Timestamp;

/// Batches that may wait to be taken: bounds what is held where the events are written more slowly than packets are read.
const BATCHES_WAITING: usize = 2;
/// Payload bytes after which a batch is handed over, whatever the source has ready: one small fragment may complete a
/// datagram of 64 KiB, and each of a thousand frames may be one.
const BATCH_BYTES: usize = 512 << 10;
/// Packets that a batch of a file has at least. Of a stream a batch has what is ready.
const BATCH_PACKETS: usize = 1_024;

/// The content of the captures, in order.
pub(super) enum Found {
    Batch(SegmentBatch),
    /// A file that cannot be read, or not to its end. The next one may be good.
    Failed(anyhow::Error),
}

/// The summary of the captures, once all are read.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) decoder: Decoder,
    /// Packets left out because their interface has a link type that ftpmon cannot read.
    pub(super) unknown_link_type: u64,
}

impl Sampled for Summary {
    fn sample(&self, into: &mut Snapshot) {
        let counters = self.decoder.counters();
        into.add(Kind::Packets, "seen", counters.frames + self.unknown_link_type);
        into.add(Kind::Lost, "unknown_link_type", self.unknown_link_type);
        let (used, cap) = self.decoder.fragment_table();
        into.add(Kind::Table { cap: cap as u64 }, "fragmented_datagrams", used as u64);
        counters.sample(into);
    }
}

/// The reading thread, from outside.
pub(super) struct Intake {
    found: Receiver<Found>,
    spent: Sender<SegmentBatch>,
    thread: JoinHandle<Summary>,
}

impl Intake {
    /// Begins to read the captures in their order, for an engine that is divided so.
    pub(super) fn start(captures: Vec<PathBuf>, division: Division) -> Self {
        let (hand_over, found) = sync_channel(BATCHES_WAITING);
        let (spent, again) = channel();
        let thread = std::thread::spawn(move || {
            let mut reader = Reader {
                summary: Summary::default(),
                batch: SegmentBatch::default(),
                borders: Borders::default(),
                latest: Timestamp::EARLIEST,
                packets: 0,
                division,
                hand_over,
                again,
            };
            // Where nobody takes it any more there is nothing to say.
            let _ = reader.files(&captures);
            reader.summary
        });
        Self { found, spent, thread }
    }

    /// The next item; none when all captures are read.
    pub(super) fn next(&self) -> Option<Found> {
        self.found.recv().ok()
    }

    /// Takes a batch back to be filled again.
    pub(super) fn give_back(&self, batch: SegmentBatch) {
        // Nobody takes it when all is read.
        let _ = self.spent.send(batch);
    }

    /// The summary of the captures. To be asked for after the last of them.
    pub(super) fn finish(self) -> Summary {
        drop(self.found);
        match self.thread.join() {
            Ok(summary) => summary,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Nobody takes what is read.
struct Unwanted;

/// The reading thread's own.
struct Reader {
    summary: Summary,
    batch: SegmentBatch,
    /// The borders at which the engine's partitions exchange.
    borders: Borders,
    /// The latest time of all packets so far.
    latest: Timestamp,
    /// Packets so far, with and without a segment.
    packets: u64,
    division: Division,
    hand_over: SyncSender<Found>,
    again: Receiver<SegmentBatch>,
}

impl Reader {
    fn files(&mut self, captures: &[PathBuf]) -> Result<(), Unwanted> {
        for (index, path) in captures.iter().enumerate() {
            let end = match CaptureFile::open(path) {
                Ok(mut file) => self.file(index, &mut file)?,
                Err(error) => Err(error),
            };
            if let Err(error) = end.with_context(|| path.display().to_string()) {
                self.tell(Found::Failed(error))?;
            }
        }
        self.summary.decoder.finish();
        Ok(())
    }

    /// Reads one file. The outer error is the taker's, the inner one the file's.
    fn file(&mut self, index: usize, file: &mut CaptureFile) -> Result<Result<(), CaptureError>, Unwanted> {
        let is_file = file.source_len().is_some();
        let end = loop {
            match file.step() {
                Ok(Step::Packet { at, frame }) => {
                    let segment = self.summary.decoder.decode(at, &frame);
                    self.latest = self.latest.max(at);
                    if self.borders.packet(at, self.packets) {
                        self.batch.end_span();
                    }
                    self.packets += 1;
                    self.batch.packet(at, self.latest, segment, self.division);
                    if let Some(fragment) = self.summary.decoder.take_fragment() {
                        self.batch.fragment(at, fragment, self.division);
                    }
                    if self.batch.payload_len() >= BATCH_BYTES {
                        self.pass_on()?;
                    }
                }
                Ok(Step::Interface { id, name }) => {
                    self.batch.interface(id, name.unwrap_or_default(), self.division);
                }
                // More of a file is there at once: a batch is worth waking other threads for.
                Ok(Step::Wait) if is_file && self.batch.len() < BATCH_PACKETS => {}
                Ok(Step::Wait) => {
                    self.batch.position = Some(Position {
                        file: index,
                        packets: self.summary.decoder.counters().frames,
                        bytes: file.bytes_read(),
                        source_len: file.source_len(),
                    });
                    self.pass_on()?;
                }
                Ok(Step::End) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.pass_on()?;
        self.summary.unknown_link_type += file.unknown_link_type();
        Ok(end)
    }

    fn pass_on(&mut self) -> Result<(), Unwanted> {
        self.batch.end_span();
        let mut next = self.again.try_recv().unwrap_or_default();
        next.begin(self.packets, self.batch.payload_len());
        let full = core::mem::replace(&mut self.batch, next);
        self.tell(Found::Batch(full))
    }

    fn tell(&mut self, found: Found) -> Result<(), Unwanted> {
        self.hand_over.send(found).map_err(|_| Unwanted)
    }
}
