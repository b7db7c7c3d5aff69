//! The records of the rings in the core's terms.

use ftpmon_common::{FlowEvent, Hook, Link, RecordHeader, RecordKind, ReportReason};

use super::account;
use super::clock::Clock;
use super::joiner::{Joined, Joiner, Part};
use ftpmon_core::account::FlowRecord;
use ftpmon_core::frame::{LinkType, RawFrame};
use ftpmon_core::segment::{InterfaceId, VlanTag};
use ftpmon_event::time::Timestamp;

/// A record of a ring.
#[derive(Debug)]
pub enum RingRecord<'a> {
    /// A frame of a control or data connection.
    Frame(SeenFrame<'a>),
    /// An account of a data connection. Borrowed, because it is several times as large as the other variant.
    Account(&'a FlowRecord),
}

/// A frame, with the time and direction in which it was seen.
#[derive(Clone, Copy, Debug)]
pub struct SeenFrame<'a> {
    /// The time.
    pub at: Timestamp,
    /// The frame.
    pub frame: RawFrame<'a>,
    /// It was leaving this host.
    pub outbound: bool,
    /// It belongs to a data connection, or to a candidate for one.
    pub of_data: bool,
    /// It is the beginning of a data connection's bytes, which may show which session it belongs to.
    pub of_beginning: bool,
    /// It is a fragment of an IP packet, or may be: of which connection it is nobody knows yet.
    pub of_fragment: bool,
}

impl SeenFrame<'_> {
    /// An agent's knowledge of connections hangs on it: all frames but those with bytes of files, and fragments, which say nothing
    /// one by one.
    pub const fn is_kept(&self) -> bool {
        (!self.of_data || self.of_beginning) && !self.of_fragment
    }
}

/// Counters of the records read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounters {
    /// Records read.
    pub records: u64,
    /// Skipped: shorter than a header, than their header says or than an account.
    pub short: u64,
    /// Skipped: of a kind that this agent does not know.
    pub unknown: u64,
    /// Skipped: accounts with a report reason that this agent does not know.
    pub unknown_report: u64,
    /// Skipped: frames of a link type that this agent does not know.
    pub unknown_link: u64,
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
    counters: RecordCounters,
}

impl RecordReader {
    /// Reads `record`. None: it is a part of a frame that is not complete yet, or it was skipped and counted.
    #[inline]
    pub fn read<'a>(&'a mut self, record: &'a [u8], clock: &Clock) -> Option<RingRecord<'a>> {
        self.counters.records += 1;
        let Some(header) = plain::<RecordHeader>(record) else {
            self.counters.short += 1;
            return None;
        };
        if Link::from_raw(header.link).is_none() {
            self.counters.unknown_link += 1;
            return None;
        }
        match RecordKind::from_raw(header.kind) {
            Some(RecordKind::Control | RecordKind::Data) => self.frame(&header, record, clock),
            Some(RecordKind::Beginning | RecordKind::Fragment) => {
                let start = size_of::<RecordHeader>();
                let bytes = record.get(start..start + header.chunk_len as usize);
                self.counters.short += u64::from(bytes.is_none());
                frame_record(&header, bytes?, clock)
            }
            Some(RecordKind::Flow) => {
                let event = plain::<FlowEvent>(record);
                let reason = ReportReason::from_raw(header.report);
                self.counters.short += u64::from(event.is_none());
                self.counters.unknown_report += u64::from(event.is_some() && reason.is_none());
                let (event, reason) = (event?, reason?);
                Some(RingRecord::Account(self.account.insert(account::flow_record(&event, reason, clock))))
            }
            None => {
                self.counters.unknown += 1;
                None
            }
        }
    }

    /// A frame whose missing parts are given up; call it until it returns none.
    pub fn overdue(&mut self, boot_ns: u64, clock: &Clock) -> Option<RingRecord<'_>> {
        self.joined = Some(self.joiner.overdue(boot_ns)?);
        self.ready(clock)
    }

    /// The counters so far.
    pub const fn counters(&self) -> RecordCounters {
        let Joiner { joined, cut, orphans, .. } = self.joiner;
        RecordCounters { joined, cut, orphans, ..self.counters }
    }

    fn frame<'a>(
        &'a mut self,
        header: &RecordHeader,
        record: &'a [u8],
        clock: &Clock,
    ) -> Option<RingRecord<'a>> {
        let start = size_of::<RecordHeader>();
        let Some(bytes) = record.get(start..start + header.chunk_len as usize) else {
            self.counters.short += 1;
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

    fn ready(&self, clock: &Clock) -> Option<RingRecord<'_>> {
        let joined = self.joined.as_ref()?;
        frame_record(&joined.header, &joined.bytes, clock)
    }
}

fn frame_record<'a>(header: &RecordHeader, bytes: &'a [u8], clock: &Clock) -> Option<RingRecord<'a>> {
    let link = match Link::from_raw(header.link)? {
        Link::Ethernet => LinkType::Ethernet,
        Link::RawIp => LinkType::Ip,
    };
    let tag = VlanTag { protocol: header.vlan_proto, control: header.vlan_tci };
    let tag = (tag.protocol != 0).then_some(tag);
    let frame =
        RawFrame { link, bytes, wire_len: header.frame_len, interface: InterfaceId(header.ifindex), tag };
    let outbound = header.hook == Hook::TcEgress as u8;
    let at = clock.utc(header.at_ns);
    let of_fragment = header.kind == RecordKind::Fragment as u8;
    let of_data = !of_fragment && header.kind != RecordKind::Control as u8;
    let of_beginning = header.kind == RecordKind::Beginning as u8;
    Some(RingRecord::Frame(SeenFrame { at, frame, outbound, of_data, of_beginning, of_fragment }))
}

/// The value at the start of `bytes`.
pub(super) fn plain<T: aya::Pod>(bytes: &[u8]) -> Option<T> {
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
        let Some(RingRecord::Frame(seen)) = reader.read(&record, &Clock::start()) else { panic!() };
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
        let Some(RingRecord::Frame(seen)) = reader.read(&second, &Clock::start()) else { panic!() };
        assert_eq!(seen.frame.bytes, whole);
        assert_eq!(reader.counters().joined, 1);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_counted_by_reason() {
        let mut reader = RecordReader::default();
        let clock = Clock::start();
        let header = |change: fn(&mut RecordHeader)| {
            let mut header = plain::<RecordHeader>(&control(b"", 0, 0)).unwrap();
            change(&mut header);
            bytes_of(&header)
        };
        let account = |report: u8| {
            let mut event = FlowEvent::default();
            event.header.kind = RecordKind::Flow as u8;
            event.header.link = Link::Ethernet as u8;
            event.header.report = report;
            bytes_of(&event)
        };
        for record in [
            b"short".to_vec(),
            header(|header| header.chunk_len = 1000),
            header(|header| (header.kind, header.chunk_len) = (RecordKind::Beginning as u8, 1)),
            account(ReportReason::Close as u8)[..size_of::<FlowEvent>() - 1].to_vec(),
            header(|header| header.kind = 200),
            header(|header| header.link = 9),
            account(77),
        ] {
            assert!(reader.read(&record, &clock).is_none());
        }
        let expected = RecordCounters {
            records: 7,
            short: 4,
            unknown: 1,
            unknown_report: 1,
            unknown_link: 1,
            ..RecordCounters::default()
        };
        assert_eq!(reader.counters(), expected);
        assert!(matches!(
            reader.read(&account(ReportReason::Close as u8), &clock),
            Some(RingRecord::Account(_))
        ));
    }
}
