//! `--write-pcap`: what the kernel matched, as a pcapng file whose packets say what ftpmon made of them.
//!
//! | file | what |
//! |---|---|
//! | `blocks` | the format |
//! | `mask` | passwords overwritten in the frames |
//! | `comment` | events as comments |
//! | `comment_queue` | frames that wait for their comments |
//! | `counters`, `error` | frames that were left out; why there is no file |
//! | `writer` | the file, written by a thread of its own with a bounded queue |

mod blocks;
mod comment;
mod comment_queue;
mod counters;
mod error;
mod mask;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;

use crate::kernel::SeenFrame;
use crate::telemetry::{Kind, Sampled, Snapshot};
use blocks::{Interface, LostByKernel, OF_ALL_LEN, Packet, STATISTICS_LEN};
use comment_queue::{CommentQueue, PendingFrame};
use ftpmon_core::account::FlowRecord;
use ftpmon_core::segment::{InterfaceId, Segment};
use ftpmon_event::Event;
use ftpmon_event::time::Timestamp;
use writer::PcapWriter;

pub use blocks::INTERFACES_MAX;
pub use counters::DumpCounters;
pub use error::DumpError;
pub use mask::{LINES_MAX, Mask};
pub use writer::QUEUE_BYTES_MAX;

/// The settings of `--write-pcap`.
#[derive(Clone, Debug)]
pub struct DumpOptions {
    /// The file; one that is there already is overwritten.
    pub path: PathBuf,
    /// Bytes at most; what would go beyond is left out and counted.
    pub max_bytes: Option<u64>,
    /// The control ports on which passwords are overwritten; none if they are to be shown.
    pub mask_ports: Option<Vec<u16>>,
}

/// A capture file being written.
pub struct Dump {
    writer: PcapWriter,
    mask: Option<Mask>,
    interfaces: Vec<Interface>,
    names: Vec<(InterfaceId, String)>,
    queue: CommentQueue,
    unmasked: u64,
    interfaces_full: u64,
}

impl Sampled for Dump {
    fn sample(&self, into: &mut Snapshot) {
        let counters = self.counters();
        let lost = [
            ("pcap_queue_full", counters.queue_full),
            ("pcap_write_failed", counters.write_failed),
            ("pcap_max_bytes", counters.max_bytes),
            ("pcap_interfaces_full", counters.interfaces_full),
            ("pcap_unmasked", counters.unmasked),
        ];
        into.extend(Kind::Lost, lost);
        into.add(Kind::Agent, "pcap_written", counters.written);
    }
}

/// The offset of a segment's payload in its frame; 0 where it was put together from several.
fn payload_at(frame: &[u8], payload: &[u8]) -> usize {
    if payload.is_empty() {
        return frame.len();
    }
    let at = (payload.as_ptr() as usize).checked_sub(frame.as_ptr() as usize);
    at.filter(|at| *at <= frame.len()).unwrap_or(0)
}

impl Dump {
    /// Creates the file, readable for its owner only.
    ///
    /// # Errors
    /// See [`DumpError`].
    pub fn create(options: DumpOptions) -> Result<Self, DumpError> {
        Ok(Self {
            writer: PcapWriter::create(&options.path, options.max_bytes)?,
            mask: options.mask_ports.map(Mask::new),
            interfaces: Vec::new(),
            names: Vec::new(),
            queue: CommentQueue::default(),
            unmasked: 0,
            interfaces_full: 0,
        })
    }

    /// Sets the name that the file has for an interface, unless frames of it were written before.
    pub fn name_interface(&mut self, interface: InterfaceId, name: &str) {
        self.names.retain(|(known, _)| *known != interface);
        self.names.truncate(INTERFACES_MAX);
        self.names.push((interface, name.to_owned()));
    }

    /// The next frame, and what was found in it; without `whole` its headers are written and no payload.
    pub fn frame(&mut self, seen: &SeenFrame<'_>, segment: Option<&Segment<'_>>, whole: bool) {
        self.close();
        let SeenFrame { at, frame, outbound, of_data, .. } = seen;
        let mut bytes = frame.bytes.to_vec();
        if let Some(mask) = &mut self.mask
            && !mask.apply(frame.bytes, segment, &mut bytes)
        {
            self.leave_out(seen);
            return;
        }
        if !whole {
            bytes.truncate(segment.map_or(0, |segment| payload_at(frame.bytes, segment.payload)));
        }
        let packet = Packet::new(*at, bytes, frame, *outbound);
        self.queue.push(PendingFrame::new(packet, (frame.interface, frame.link), segment, *of_data));
    }

    /// The next frame, which is not written: it was not understood on its own.
    pub fn leave_out(&mut self, seen: &SeenFrame<'_>) {
        self.close();
        self.unmasked += 1;
        let from = (seen.frame.interface, seen.frame.link);
        if let Some(interface) = self.interfaces.iter_mut().find(|interface| interface.is(from)) {
            interface.count(false);
        }
    }

    /// The next account: what it completes, the last frame of its connection did.
    pub fn account(&mut self, account: &FlowRecord) {
        self.close();
        self.queue.account(account);
    }

    /// The latest frame or account completed an event.
    pub fn note(&mut self, event: &Event) {
        self.queue.note(event);
    }

    /// No more comments come for the latest frame or account.
    pub fn close(&mut self) {
        self.queue.close();
        self.write(false);
    }

    /// Nothing waits any longer.
    pub fn flush(&mut self) {
        self.queue.close();
        self.write(true);
    }

    fn write(&mut self, all: bool) {
        while let Some(open) = self.queue.pop(all) {
            self.write_frame(&open);
        }
    }

    fn write_frame(&mut self, PendingFrame { packet, from, .. }: &PendingFrame) {
        let mut block = Vec::with_capacity(packet.bytes.len() + 128);
        let known = self.interfaces.iter().position(|interface| interface.is(*from));
        let at = known.unwrap_or(self.interfaces.len());
        if known.is_none() {
            if at >= INTERFACES_MAX {
                self.interfaces_full += 1;
                return;
            }
            let name = self.names.iter().find(|(id, _)| *id == from.0).map(|(_, name)| name.as_str());
            let interface = Interface::new(*from, name);
            interface.describe(&mut block);
            self.interfaces.push(interface);
        }
        packet.write(at, &mut block);
        let taken = self.writer.push(block, self.interfaces.len() * STATISTICS_LEN + OF_ALL_LEN);
        if !taken && known.is_none() {
            // Its description was lost too: the next frame brings it again.
            self.interfaces.pop();
        } else if let Some(interface) = self.interfaces.get_mut(at) {
            interface.count(taken);
        }
    }

    /// Writes what each interface had and lost, and waits for the disk, but not for ever. `lost` is how many frames the kernel
    /// could not hand over.
    pub fn finish(&mut self, at: Timestamp, lost: u64) {
        self.flush();
        let mut lost = LostByKernel { frames: lost, of_several: self.interfaces.len() > 1 };
        let mut block = Vec::new();
        for (id, interface) in self.interfaces.iter().enumerate() {
            interface.statistics(id, at, core::mem::take(&mut lost), &mut block);
        }
        self.writer.finish(block);
    }

    /// The counters so far.
    pub fn counters(&self) -> DumpCounters {
        let Self { unmasked, interfaces_full, .. } = *self;
        DumpCounters { unmasked, interfaces_full, ..self.writer.counters() }
    }
}
