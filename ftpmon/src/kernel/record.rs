//! Records of the ring in the core's terms.

use ftpmon_common::{FlowEvent, Hook, Link, RecordHeader, RecordKind, ReportReason};

use super::account;
use super::clock::Clock;
use super::joiner::{Joined, Joiner, Part};
use ftpmon_core::account::FlowRecord;
use ftpmon_core::frame::{LinkType, RawFrame};
use ftpmon_core::segment::{InterfaceId, VlanTag};
use ftpmon_event::time::Timestamp;

/// What a record of the ring says.
#[derive(Debug)]
pub enum Record<'a> {
    /// A frame of a control or data connection.
    Frame(SeenFrame<'a>),
    /// An account of a data connection. Borrowed: it is several times as long as what is known of a frame, which would be moved
    /// about as the same.
    Account(&'a FlowRecord),
}

/// A frame, and how it was seen.
#[derive(Clone, Copy, Debug)]
pub struct SeenFrame<'a> {
    /// When.
    pub at: Timestamp,
    /// The frame.
    pub frame: RawFrame<'a>,
    /// On its way out.
    pub outbound: bool,
    /// It belongs to a data connection, or to one that may be.
    pub of_data: bool,
}

/// What became of the records read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounters {
    /// Records read.
    pub records: u64,
    /// Records of a kind that this agent does not know, or shorter than they say: skipped.
    pub unknown: u64,
    /// Frames put together from several records.
    pub joined: u64,
    /// Frames cut because the ring had no room for all their records.
    pub cut: u64,
    /// Records whose frame's beginning found no room in the ring.
    pub orphans: u64,
}

/// Reads records.
#[derive(Default)]
pub struct RecordReader {
    joiner: Joiner,
    joined: Option<Joined>,
    account: Option<FlowRecord>,
    records: u64,
    unknown: u64,
}

impl RecordReader {
    /// What `record` says; none where it is a part of something that is not complete yet, or unknown.
    #[inline]
    pub fn read<'a>(&'a mut self, record: &'a [u8], clock: &Clock) -> Option<Record<'a>> {
        self.records += 1;
        let Some(header) = plain::<RecordHeader>(record) else {
            self.unknown += 1;
            return None;
        };
        match RecordKind::from_raw(header.kind) {
            Some(RecordKind::Control | RecordKind::Data) => self.frame(&header, record, clock),
            Some(RecordKind::Head) => {
                let start = size_of::<RecordHeader>();
                let bytes = record.get(start..start + header.chunk_len as usize);
                self.unknown += u64::from(bytes.is_none());
                frame_record(&header, bytes?, clock)
            }
            Some(RecordKind::Flow) => {
                let event = plain::<FlowEvent>(record)?;
                let reason = ReportReason::from_raw(header.report)?;
                Some(Record::Account(self.account.insert(account::flow_record(&event, reason, clock))))
            }
            None => {
                self.unknown += 1;
                None
            }
        }
    }

    /// A frame whose missing parts are given up; to be asked until it says none.
    pub fn overdue(&mut self, boot_ns: u64, clock: &Clock) -> Option<Record<'_>> {
        self.joined = Some(self.joiner.overdue(boot_ns)?);
        self.ready(clock)
    }

    /// What became of the records so far.
    pub const fn counters(&self) -> RecordCounters {
        let Joiner { joined, cut, orphans, .. } = self.joiner;
        RecordCounters { records: self.records, unknown: self.unknown, joined, cut, orphans }
    }

    fn frame<'a>(&'a mut self, header: &RecordHeader, record: &'a [u8], clock: &Clock) -> Option<Record<'a>> {
        let start = size_of::<RecordHeader>();
        let Some(bytes) = record.get(start..start + header.chunk_len as usize) else {
            self.unknown += 1;
            return None;
        };
        match self.joiner.part(header, bytes) {
            Part::Whole => frame_record(header, bytes, clock),
            Part::Ready(joined) => {
                self.joined = Some(joined);
                self.ready(clock)
            }
            Part::Wait | Part::Orphan => None,
        }
    }

    fn ready(&self, clock: &Clock) -> Option<Record<'_>> {
        let joined = self.joined.as_ref()?;
        frame_record(&joined.header, &joined.bytes, clock)
    }
}

fn frame_record<'a>(header: &RecordHeader, bytes: &'a [u8], clock: &Clock) -> Option<Record<'a>> {
    let link = match Link::from_raw(header.link)? {
        Link::Ethernet => LinkType::Ethernet,
        Link::RawIp => LinkType::Ip,
    };
    let tag = VlanTag { protocol: header.vlan_proto, control: header.vlan_tci };
    let tag = (tag.protocol != 0).then_some(tag);
    let frame =
        RawFrame { link, bytes, wire_len: header.frame_len, interface: InterfaceId(header.ifindex), tag };
    let outbound = header.hook == Hook::TcEgress as u8;
    let of_data = header.kind != RecordKind::Control as u8;
    Some(Record::Frame(SeenFrame { at: clock.utc(header.at_ns), frame, outbound, of_data }))
}

/// The value at the start of `bytes`.
fn plain<T: aya::Pod>(bytes: &[u8]) -> Option<T> {
    let bytes = bytes.get(..size_of::<T>())?;
    // SAFETY: the slice is as long as the value, the read asks for no alignment, and any bytes are a value of a Pod type.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use ftpmon_common::CHUNK_MAX;

    use super::*;
    use ftpmon_event::link::VlanTags;

    fn bytes_of<T: aya::Pod>(value: &T) -> Vec<u8> {
        let start = core::ptr::from_ref(value).cast::<u8>();
        // SAFETY: a Pod value has no padding: all its bytes are initialised.
        unsafe { core::slice::from_raw_parts(start, size_of::<T>()) }.to_vec()
    }

    fn control(bytes: &[u8], frame_len: usize, offset: usize) -> Vec<u8> {
        let header = RecordHeader {
            at_ns: 5,
            frame_id: 9,
            ifindex: 3,
            frame_len: frame_len as u32,
            offset: offset as u32,
            chunk_len: bytes.len() as u32,
            vlan_tci: 0x2064,
            vlan_proto: 0x8100,
            kind: RecordKind::Control as u8,
            hook: Hook::TcEgress as u8,
            link: Link::Ethernet as u8,
            report: 0,
        };
        [bytes_of(&header), bytes.to_vec(), vec![0; 7]].concat()
    }

    #[test]
    fn a_frame_is_taken_from_its_record_without_the_slack_behind() {
        let mut reader = RecordReader::default();
        let record = control(b"frame", 5, 0);
        let Some(Record::Frame(seen)) = reader.read(&record, &Clock::start()) else { panic!() };
        let frame = seen.frame;
        assert!(seen.outbound && !seen.of_data);
        assert_eq!((frame.bytes, frame.wire_len, frame.interface), (&b"frame"[..], 5, InterfaceId(3)));
        assert_eq!(frame.tag, Some(VlanTag { protocol: 0x8100, control: 0x2064 }));
        let ids = VlanTags::of(frame.tag);
        assert_eq!(ids.as_slice(), [0x64], "the priority bits are no part of the tag's number");
    }

    #[test]
    fn a_frame_of_two_records_comes_once() {
        let mut reader = RecordReader::default();
        let whole = vec![7; CHUNK_MAX + 10];
        assert!(reader.read(&control(&whole[..CHUNK_MAX], whole.len(), 0), &Clock::start()).is_none());
        let second = control(&whole[CHUNK_MAX..], whole.len(), CHUNK_MAX);
        let Some(Record::Frame(seen)) = reader.read(&second, &Clock::start()) else { panic!() };
        assert_eq!(seen.frame.bytes, whole);
        assert_eq!(reader.counters().joined, 1);
    }

    #[test]
    fn what_is_unknown_is_counted_and_skipped() {
        let mut reader = RecordReader::default();
        let clock = Clock::start();
        let mut strange = control(b"", 0, 0);
        strange[36] = 200;
        assert!(reader.read(&strange, &clock).is_none());
        assert!(reader.read(b"short", &clock).is_none());
        let mut lying = control(b"frame", 5, 0);
        lying[28..32].copy_from_slice(&1000_u32.to_ne_bytes());
        assert!(reader.read(&lying, &clock).is_none());
        assert_eq!(reader.counters(), RecordCounters { records: 3, unknown: 3, ..RecordCounters::default() });
    }
}
