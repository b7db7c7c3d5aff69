//! Captures to segments, on a thread of its own: the file, its records and the frames' headers are a fifth of the work, and
//! what is made of the segments need not wait for them.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use anyhow::Context as _;

use crate::capture::{CaptureError, CaptureFile, Step};
use crate::telemetry::{Kind, Sampled, Snapshot};
use ftpmon_core::frame::Decoder;
use ftpmon_core::pair::HostPair;
use ftpmon_core::segment::{InterfaceId, Segment};
use ftpmon_event::time::Timestamp;

/// Batches that may wait to be taken: bounds what is held where the events are written more slowly than packets are read.
const BATCHES_WAITING: usize = 4;
/// Payload bytes after which a batch is handed over, whatever the source has ready: one small fragment may complete a
/// datagram of 64 KiB, and each of a thousand frames may be one.
const BATCH_BYTES: usize = 512 << 10;

/// What comes from the captures, in order.
pub(super) enum Found {
    Batch(SegmentBatch),
    /// A file that cannot be read, or not to its end. The next one may be good.
    Failed(anyhow::Error),
}

/// What the captures were, once all are read.
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

/// Where reading is.
pub(super) struct Position {
    /// Which of the files.
    pub(super) file: usize,
    /// Packets of all files so far.
    pub(super) packets: u64,
    /// Bytes of this one so far, and in all where that is known.
    pub(super) bytes: u64,
    pub(super) source_len: Option<u64>,
}

/// Packets that were read together.
#[derive(Default)]
pub(super) struct SegmentBatch {
    entries: Vec<Entry>,
    /// Their payload, one behind the other.
    payload: Vec<u8>,
    /// Where the source is waited for behind them.
    pub(super) position: Option<Position>,
}

enum Entry {
    Segment {
        at: Timestamp,
        /// But for its payload.
        segment: Segment<'static>,
        captured: usize,
        /// The partition that its connection belongs to.
        partition: u8,
    },
    /// A packet without one.
    Other {
        at: Timestamp,
    },
    Interface(Box<(InterfaceId, String)>),
}

/// One after the other out of a [`SegmentBatch`].
pub(super) enum Item<'a> {
    /// A packet, and the segment in it.
    Packet { at: Timestamp, partition: u8, segment: Option<Segment<'a>> },
    /// From here on the interface is this one.
    Interface { id: InterfaceId, name: &'a str },
}

impl SegmentBatch {
    fn packet(&mut self, at: Timestamp, segment: Option<Segment<'_>>, partitions: u8) {
        let Some(segment) = segment else {
            self.entries.push(Entry::Other { at });
            return;
        };
        self.payload.extend_from_slice(segment.payload);
        let captured = segment.payload.len();
        let partition = HostPair::new(segment.src.ip, segment.dst.ip).partition(partitions);
        let segment = Segment { payload: &[], ..segment };
        self.entries.push(Entry::Segment { at, segment, captured, partition });
    }

    /// Packets and interfaces in it.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The times of packets, and the bytes of payload that each has here, of the entries from `first` on.
    pub(super) fn times(&self, first: usize) -> impl Iterator<Item = (Option<Timestamp>, usize)> {
        self.entries.iter().skip(first).map(|entry| match entry {
            Entry::Segment { at, captured, .. } => (Some(*at), *captured),
            Entry::Other { at } => (Some(*at), 0),
            Entry::Interface(_) => (None, 0),
        })
    }

    /// Some of what is in it; their payload begins at `payload`.
    pub(super) fn items(&self, entries: &Range<usize>, payload: usize) -> impl Iterator<Item = Item<'_>> {
        let mut payload = self.payload.get(payload..).unwrap_or_default();
        let entries = self.entries.get(entries.clone()).unwrap_or_default();
        entries.iter().map(move |entry| match entry {
            &Entry::Segment { at, segment, captured, partition } => {
                let (own, rest) = payload.split_at_checked(captured).unwrap_or_default();
                payload = rest;
                Item::Packet { at, partition, segment: Some(Segment { payload: own, ..segment }) }
            }
            &Entry::Other { at } => Item::Packet { at, partition: 0, segment: None },
            Entry::Interface(named) => Item::Interface { id: named.0, name: &named.1 },
        })
    }

    /// A stream is waited for: nothing may follow for a while.
    pub(super) fn pauses(&self) -> bool {
        self.position.as_ref().is_some_and(|position| position.source_len.is_none())
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.payload.clear();
        self.position = None;
    }
}

/// The reading thread, from outside.
pub(super) struct Intake {
    found: Receiver<Found>,
    spent: Sender<SegmentBatch>,
    thread: JoinHandle<Summary>,
}

impl Intake {
    /// Begins to read the captures in their order.
    pub(super) fn start(captures: Vec<PathBuf>, partitions: u8) -> Self {
        let (hand_over, found) = sync_channel(BATCHES_WAITING);
        let (spent, again) = channel();
        let thread = std::thread::spawn(move || {
            let mut reader = Reader {
                summary: Summary::default(),
                batch: SegmentBatch::default(),
                partitions,
                hand_over,
                again,
            };
            // Where nobody takes it any more there is nothing to say.
            let _ = reader.files(&captures);
            reader.summary
        });
        Self { found, spent, thread }
    }

    /// What comes next; none when all captures are read.
    pub(super) fn next(&self) -> Option<Found> {
        self.found.recv().ok()
    }

    /// Takes a batch back to be filled again.
    pub(super) fn give_back(&self, mut batch: SegmentBatch) {
        batch.clear();
        // Nobody takes it when all is read.
        let _ = self.spent.send(batch);
    }

    /// What the captures were. To be asked after the last of them.
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
    /// How many partitions the engine has.
    partitions: u8,
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
        let end = loop {
            match file.step() {
                Ok(Step::Packet { at, frame }) => {
                    self.batch.packet(at, self.summary.decoder.decode(at, &frame), self.partitions);
                    if self.batch.payload.len() >= BATCH_BYTES {
                        self.pass_on()?;
                    }
                }
                Ok(Step::Interface { id, name }) => {
                    let named = (id, name.unwrap_or_default().to_owned());
                    self.batch.entries.push(Entry::Interface(Box::new(named)));
                }
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
        let next = self.again.try_recv().unwrap_or_default();
        let full = core::mem::replace(&mut self.batch, next);
        self.tell(Found::Batch(full))
    }

    fn tell(&mut self, found: Found) -> Result<(), Unwanted> {
        self.hand_over.send(found).map_err(|_| Unwanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ftpmon_core::segment::{Signs, TcpFlags, VlanTags};
    use ftpmon_event::addr::Endpoint;

    fn segment(payload: &[u8]) -> Segment<'_> {
        let end = Endpoint::new([192, 0, 2, 1].into(), 21);
        Segment {
            src: end,
            dst: end,
            seq: 0,
            ack: 0,
            flags: TcpFlags::default(),
            payload,
            wire_payload_len: 9,
            interface: InterfaceId(0),
            vlan: VlanTags::default(),
            signs: Signs::default(),
        }
    }

    #[test]
    fn what_went_in_comes_out_in_order() {
        let mut batch = SegmentBatch::default();
        let at = Timestamp::from_nanos;
        batch.packet(at(1), Some(segment(b"USER a")), 16);
        batch.packet(at(2), None, 16);
        batch.entries.push(Entry::Interface(Box::new((InterfaceId(3), "eth3".to_owned()))));
        batch.packet(at(4), Some(segment(b"")), 16);
        batch.packet(at(5), Some(segment(b"PASS b")), 16);
        let said: Vec<String> = batch
            .items(&(0..batch.len()), 0)
            .map(|item| match item {
                Item::Packet { at, segment, .. } => {
                    let payload =
                        segment.map(|segment| String::from_utf8_lossy(segment.payload).into_owned());
                    format!("{} {payload:?}", at.as_nanos())
                }
                Item::Interface { id, name } => format!("{} is {name}", id.0),
            })
            .collect();
        assert_eq!(
            said,
            [r#"1 Some("USER a")"#, "2 None", "3 is eth3", r#"4 Some("")"#, r#"5 Some("PASS b")"#]
        );
        batch.clear();
        assert_eq!(batch.items(&(0..batch.len()), 0).count(), 0);
    }
}
