//! Packets that were read together, divided among the parts of the engine.

use std::ops::Range;

use ftpmon_core::frame::SeenFragment;
use ftpmon_core::pair::HostPair;
use ftpmon_core::segment::{InterfaceId, Segment};
use ftpmon_event::time::Timestamp;

/// Segments of a part that a new batch has room for: about those of a batch of a file for each of two parts.
const ENTRIES_AT_FIRST: usize = 640;

/// The division of the engine.
#[derive(Clone, Copy)]
pub(super) struct Division {
    /// Partitions of the engine.
    pub(super) partitions: u8,
    /// Parts that own them: partition `n` is owned by part `n % parts`.
    pub(super) parts: u8,
}

/// The state of reading.
pub(super) struct Position {
    /// Which of the files.
    pub(super) file: usize,
    /// Packets of all files so far.
    pub(super) packets: u64,
    /// Bytes of this one so far, and in all where that is known.
    pub(super) bytes: u64,
    pub(super) source_len: Option<u64>,
}

/// Packets that were read together. Each part of the engine has a list of the segments that are its own; of the others it
/// needs the times only.
#[derive(Default)]
pub(super) struct SegmentBatch {
    /// Index of the first packet in the input.
    first_index: u64,
    /// For each packet the latest time so far, which never steps back.
    times: Vec<Timestamp>,
    /// By part.
    entries: Vec<Vec<Entry>>,
    /// The payload of all segments, one behind the other.
    payload: Vec<u8>,
    /// The ends of its spans, in packets.
    ends: Vec<usize>,
    /// The source is waited for behind them.
    pub(super) position: Option<Position>,
}

enum Entry {
    Segment {
        /// Which packet of the batch.
        packet: u32,
        /// The partition that its connection belongs to.
        partition: u8,
        at: Timestamp,
        /// But for its payload.
        segment: Segment<'static>,
        /// Its payload in that of the batch.
        payload: u32,
        captured: u32,
    },
    /// From here on the interface has this name.
    Interface(Box<(u32, InterfaceId, String)>),
    /// A packet was a fragment.
    Fragment(Box<(u32, Timestamp, SeenFragment)>),
}

impl Entry {
    fn packet(&self) -> usize {
        match self {
            Self::Segment { packet, .. } => *packet as usize,
            Self::Fragment(seen) => seen.0 as usize,
            Self::Interface(named) => named.0 as usize,
        }
    }
}

/// One after the other out of a [`SegmentBatch`], for a part of the engine.
pub(super) enum Item<'a> {
    /// A segment in a packet, and its partition.
    Segment { packet: usize, partition: u8, at: Timestamp, segment: Segment<'a> },
    /// From here on the interface has this name.
    Interface { id: InterfaceId, name: &'a str },
    /// The packet before was a fragment.
    Fragment { at: Timestamp, fragment: SeenFragment },
}

impl SegmentBatch {
    /// Forgets what is in it. Its first packet will be packet `first_index` of the input, and its payload is likely to need so
    /// much room.
    pub(super) fn begin(&mut self, first_index: u64, payload_room: usize) {
        self.first_index = first_index;
        self.times.clear();
        self.entries.iter_mut().for_each(Vec::clear);
        self.payload.clear();
        self.payload.reserve(payload_room);
        self.ends.clear();
        self.position = None;
    }

    /// Adds a packet that was captured at `at`; `latest` is the latest time so far.
    #[inline(always)]
    pub(super) fn packet(
        &mut self,
        at: Timestamp,
        latest: Timestamp,
        segment: Option<Segment<'_>>,
        division: Division,
    ) {
        let packet = self.times.len() as u32;
        self.times.push(latest);
        let Some(segment) = segment else { return };
        let (payload, captured) = (self.payload.len() as u32, segment.payload.len() as u32);
        self.payload.extend_from_slice(segment.payload);
        let partition = HostPair::partition_of(segment.src.ip, segment.dst.ip, division.partitions);
        let segment = Segment { payload: &[], ..segment };
        let entry = Entry::Segment { packet, partition, at, segment, payload, captured };
        if let Some(entries) = self.entries_of(division, partition % division.parts) {
            entries.push(entry);
        }
    }

    /// From here on the interface has this name.
    pub(super) fn interface(&mut self, id: InterfaceId, name: &str, division: Division) {
        let packet = self.times.len() as u32;
        for part in 0..division.parts {
            if let Some(entries) = self.entries_of(division, part) {
                entries.push(Entry::Interface(Box::new((packet, id, name.to_owned()))));
            }
        }
    }

    /// The latest packet was a fragment.
    #[cold]
    pub(super) fn fragment(&mut self, at: Timestamp, fragment: SeenFragment, division: Division) {
        let packet = self.times.len().saturating_sub(1) as u32;
        let partition = HostPair::partition_of(fragment.src, fragment.dst, division.partitions);
        if let Some(entries) = self.entries_of(division, partition % division.parts) {
            entries.push(Entry::Fragment(Box::new((packet, at, fragment))));
        }
    }

    fn entries_of(&mut self, division: Division, part: u8) -> Option<&mut Vec<Entry>> {
        if self.entries.len() < usize::from(division.parts) {
            self.entries.resize_with(division.parts.into(), || Vec::with_capacity(ENTRIES_AT_FIRST));
        }
        self.entries.get_mut(usize::from(part))
    }

    /// The partitions exchange before the next packet, or the batch ends here.
    pub(super) fn end_span(&mut self) {
        self.ends.push(self.times.len());
    }

    /// Packets in it.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// Bytes of payload in it.
    pub(super) fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// Its packets, without a border within a span. The partitions exchange between one span and the next.
    pub(super) fn spans(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = core::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends.iter().copied()).map(|(start, end)| start..end)
    }

    /// The time and the index in the input of the first packet from `from` on, before `to`, that was seen at `at` or later.
    pub(super) fn first_since(&self, at: Timestamp, from: usize, to: usize) -> Option<(usize, Timestamp)> {
        let times = self.times.get(from..to)?;
        // Nothing is due, mostly.
        times.last().filter(|last| **last >= at)?;
        let packet = from + times.partition_point(|time| *time < at);
        Some((packet, *self.times.get(packet)?))
    }

    /// The latest time up to a packet.
    pub(super) fn time(&self, packet: usize) -> Option<Timestamp> {
        self.times.get(packet).copied()
    }

    /// Index of a packet in the input.
    pub(super) fn index(&self, packet: usize) -> u64 {
        self.first_index + packet as u64
    }

    /// The time of the first packet, and the latest of all.
    pub(super) fn period(&self) -> Option<(Timestamp, Timestamp)> {
        Some((*self.times.first()?, *self.times.last()?))
    }

    /// The share of a span that a part of the engine handles.
    pub(super) fn items(&self, part: usize, span: &Range<usize>) -> impl Iterator<Item = Item<'_>> {
        let entries = self.entries.get(part).map(Vec::as_slice).unwrap_or_default();
        let first = entries.partition_point(|entry| entry.packet() < span.start);
        // An interface may be named behind the last packet.
        let last = if span.end < self.times.len() { span.end } else { usize::MAX };
        let entries = entries.get(first..).unwrap_or_default();
        entries.iter().take_while(move |entry| entry.packet() < last).map(|entry| match entry {
            &Entry::Segment { packet, partition, at, segment, payload, captured } => {
                let payload = self.payload.get(payload as usize..).unwrap_or_default();
                let payload = payload.get(..captured as usize).unwrap_or_default();
                let segment = Segment { payload, ..segment };
                Item::Segment { packet: packet as usize, partition, at, segment }
            }
            Entry::Interface(named) => Item::Interface { id: named.1, name: &named.2 },
            Entry::Fragment(seen) => Item::Fragment { at: seen.1, fragment: seen.2 },
        })
    }

    /// A stream is waited for: nothing may follow for a while.
    pub(super) fn pauses(&self) -> bool {
        self.position.as_ref().is_some_and(|position| position.source_len.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ftpmon_core::segment::{Signs, TcpFlags, VlanTags};
    use ftpmon_event::addr::Endpoint;

    fn segment(host: u8, payload: &[u8]) -> Segment<'_> {
        let end = |host| Endpoint::new([192, 0, 2, host].into(), 21);
        Segment {
            src: end(host),
            dst: end(1),
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

    /// Two hosts whose pairs with a third belong to different parts.
    fn hosts() -> [u8; 2] {
        let part = |host| HostPair::new([192, 0, 2, host].into(), [192, 0, 2, 1].into()).partition(16) % 2;
        [0, 1].map(|wanted| (2..).find(|&host| part(host) == wanted).unwrap())
    }

    fn items(batch: &SegmentBatch, part: usize, span: &Range<usize>) -> Vec<String> {
        let text = |item| match item {
            Item::Segment { packet, at, segment, .. } => {
                format!("{packet} at {}: {}", at.as_nanos(), String::from_utf8_lossy(segment.payload))
            }
            Item::Interface { id, name } => format!("{} is {name}", id.0),
            Item::Fragment { fragment, .. } => format!("fragment waits: {}", fragment.waits),
        };
        batch.items(part, span).map(text).collect()
    }

    #[test]
    fn each_part_has_its_segments_and_all_interfaces_in_order() {
        let division = Division { partitions: 16, parts: 2 };
        let [even, odd] = hosts();
        let at = Timestamp::from_nanos;
        let mut batch = SegmentBatch::default();
        batch.begin(100, 0);
        batch.packet(at(5), at(5), Some(segment(even, b"USER a")), division);
        batch.packet(at(4), at(5), Some(segment(odd, b"USER b")), division);
        batch.interface(InterfaceId(3), "eth3", division);
        batch.end_span();
        batch.packet(at(7), at(7), None, division);
        batch.packet(at(8), at(8), Some(segment(even, b"")), division);
        batch.interface(InterfaceId(4), "eth4", division);
        batch.end_span();
        let spans: Vec<_> = batch.spans().collect();
        assert_eq!(spans, [0..2, 2..4]);
        assert_eq!(items(&batch, 0, &spans[0]), ["0 at 5: USER a"]);
        assert_eq!(items(&batch, 1, &spans[0]), ["1 at 4: USER b"]);
        assert_eq!(items(&batch, 0, &spans[1]), ["3 is eth3", "3 at 8: ", "4 is eth4"]);
        assert_eq!(items(&batch, 1, &spans[1]), ["3 is eth3", "4 is eth4"]);
        assert_eq!(batch.first_since(at(6), 0, 4), Some((2, at(7))));
        assert_eq!(batch.first_since(at(6), 0, 2), None);
        assert_eq!((batch.index(2), batch.time(2), batch.period()), (102, Some(at(7)), Some((at(5), at(8)))));
        batch.begin(104, 0);
        assert!(batch.spans().next().is_none() && items(&batch, 0, &(0..0)).is_empty());
    }
}
