//! The pcap format: a header, then records (draft-ietf-opsawg-pcap).

use super::error::CaptureError;
use super::input::{Input, Ready};
use super::step::{RECORD_LEN_MAX, Step};
use ftpmon_core::frame::{LinkType, RawFrame};
use ftpmon_event::link::InterfaceId;
use ftpmon_event::time::Timestamp;

/// Length of the file's header.
pub(super) const HEADER_LEN: usize = 24;
/// Length of a record's header.
const RECORD_HEADER_LEN: usize = 16;
/// Length with the fields that old Linux kernels added: interface, protocol, packet type.
const RECORD_HEADER_LEN_MODIFIED: usize = 24;

/// Magic numbers.
const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;

/// A pcap file after its header.
#[derive(Debug)]
pub(super) struct Pcap {
    big_endian: bool,
    nanos_per_fraction: i64,
    record_header_len: usize,
    link: LinkType,
    /// The interface was returned.
    described: bool,
}

impl Pcap {
    /// Whether the first four bytes are those of a pcap file.
    pub(super) fn begins_with(magic: [u8; 4]) -> bool {
        let known = |magic| matches!(magic, MICROSECONDS | NANOSECONDS | MODIFIED);
        known(u32::from_le_bytes(magic)) || known(u32::from_be_bytes(magic))
    }

    /// Parses the file's header; `None` where it is none.
    pub(super) fn open(header: &[u8; HEADER_LEN]) -> Result<Option<Self>, CaptureError> {
        let &[m0, m1, m2, m3, .., n0, n1, n2, n3] = header;
        let magic = [m0, m1, m2, m3];
        let big_endian = matches!(u32::from_be_bytes(magic), MICROSECONDS | NANOSECONDS | MODIFIED);
        let magic = u32_of(magic, big_endian);
        let (nanos_per_fraction, record_header_len) = match magic {
            MICROSECONDS => (1_000, RECORD_HEADER_LEN),
            NANOSECONDS => (1, RECORD_HEADER_LEN),
            MODIFIED => (1_000, RECORD_HEADER_LEN_MODIFIED),
            _ => return Ok(None),
        };
        // The upper half holds the length of the frame check sequence, which the IP length excludes anyway.
        let number = u32_of([n0, n1, n2, n3], big_endian) as u16;
        let link = LinkType::from_number(number)
            .ok_or_else(|| CaptureError::UnknownLinkType { numbers: vec![number] })?;
        Ok(Some(Self { big_endian, nanos_per_fraction, record_header_len, link, described: false }))
    }

    /// The next record.
    #[inline]
    pub(super) fn step<'a>(&mut self, input: &'a mut Input) -> Result<Step<'a>, CaptureError> {
        match input.ready(self.record_header_len)? {
            Ready::Yes => {}
            Ready::Wait => return Ok(Step::Wait),
            Ready::End => return self.end(input),
        }
        if !self.described {
            self.described = true;
            return Ok(Step::Interface { id: InterfaceId(0), name: None });
        }
        let Some(&[s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, w0, w1, w2, w3]) =
            input.bytes().first_chunk::<RECORD_HEADER_LEN>()
        else {
            return Err(input.cut_error());
        };
        let captured = u32_of([c0, c1, c2, c3], self.big_endian);
        if captured > RECORD_LEN_MAX {
            return Err(CaptureError::RecordTooLong { offset: input.offset(), len: captured });
        }
        let len = self.record_header_len + captured as usize;
        match input.ready(len)? {
            Ready::Yes => {}
            Ready::Wait => return Ok(Step::Wait),
            Ready::End => return Err(input.cut_error()),
        }
        let seconds = u32_of([s0, s1, s2, s3], self.big_endian);
        let fraction = u32_of([f0, f1, f2, f3], self.big_endian);
        let at = Timestamp::from_parts(i64::from(seconds), i64::from(fraction) * self.nanos_per_fraction);
        let frame = RawFrame {
            link: self.link,
            bytes: input.consume(len).get(self.record_header_len..).unwrap_or_default(),
            wire_len: u32_of([w0, w1, w2, w3], self.big_endian),
            interface: InterfaceId(0),
            tag: None,
        };
        Ok(Step::Packet { at, frame })
    }

    fn end(&self, input: &Input) -> Result<Step<'static>, CaptureError> {
        if input.bytes().is_empty() && !input.is_cut() { Ok(Step::End) } else { Err(input.cut_error()) }
    }
}

#[inline]
const fn u32_of(bytes: [u8; 4], big_endian: bool) -> u32 {
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}
