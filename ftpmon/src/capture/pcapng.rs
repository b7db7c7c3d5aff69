//! The pcapng format: sections of blocks (draft-ietf-opsawg-pcapng).

use std::num::NonZeroU64;

use super::error::CaptureError;
use super::input::{Input, Ready};
use super::step::{RECORD_LEN_MAX, Step};
use ftpmon_core::frame::{LinkType, RawFrame};
use ftpmon_event::link::InterfaceId;
use ftpmon_event::time::Timestamp;

/// Block type of a section header, the same in either endianness.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// Longest block that is parsed: the longest packet with 64 KiB of options. Stops a broken length from taking memory.
/// Blocks of other types are skipped, whatever their length.
const BLOCK_LEN_MAX: u32 = RECORD_LEN_MAX + (64 << 10) + 64;
/// Type and length before a block's body, and the length again after it.
const BLOCK_FRAME_LEN: usize = 12;
/// Interfaces of a section at most. Stops a file of interface descriptions from taking memory.
const INTERFACES_MAX: usize = 4096;
/// Longest interface name that is kept, bytes: every event of a session carries it.
const NAME_LEN_MAX: usize = 64;

/// The resolution of an interface's timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ticks {
    /// A tick is this many nanoseconds.
    Nanos(u64),
    /// This many ticks are a nanosecond; none if 2⁶⁴ ticks are less than one.
    PerNano(Option<NonZeroU64>),
    /// A tick is a second divided by two to this power.
    Binary(u8),
}

impl Ticks {
    /// From the option if_tsresol.
    const fn from_resolution(resolution: u8) -> Self {
        match resolution {
            0..=9 => Self::Nanos(10_u64.pow(9 - resolution as u32)),
            10..=0x7f => match 10_u64.checked_pow(resolution as u32 - 9) {
                Some(ticks) => Self::PerNano(NonZeroU64::new(ticks)),
                None => Self::PerNano(None),
            },
            0x80.. => Self::Binary(resolution & 0x7f),
        }
    }

    #[inline]
    fn nanos(self, ticks: u64) -> i64 {
        let nanos = match self {
            Self::Nanos(nanos) => ticks.saturating_mul(nanos),
            Self::PerNano(per_nano) => per_nano.map_or(0, |per_nano| ticks / per_nano),
            Self::Binary(power) => {
                u64::try_from((u128::from(ticks) * 1_000_000_000) >> power).unwrap_or(u64::MAX)
            }
        };
        i64::try_from(nanos).unwrap_or(i64::MAX)
    }
}

/// An interface of the current section.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: Option<LinkType>,
    snap_len: u32,
    ticks: Ticks,
    offset_s: i64,
}

impl Interface {
    #[inline]
    fn timestamp(&self, ticks: u64) -> Timestamp {
        Timestamp::from_parts(self.offset_s, 0).plus_nanos(self.ticks.nanos(ticks))
    }
}

/// A pcapng file.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Bytes of a block of another type, still to be skipped.
    skipping: u64,
    /// The offset of that block.
    skipping_from: u64,
    /// The last packet's time, used for simple packets, which have none.
    last: Timestamp,
    /// An interface with a known link type was described.
    any_known: bool,
    /// Unknown link types, each once.
    unknown: Vec<u16>,
    unknown_packets: u64,
}

/// The place of a packet within its block.
struct Packet {
    interface: usize,
    ticks: Option<u64>,
    at: usize,
    captured: u32,
    wire_len: u32,
}

/// Fields of a block in its section's endianness.
#[derive(Clone, Copy)]
struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Fields<'_> {
    #[inline]
    fn u32(self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    #[inline]
    fn u16(self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u64(self, at: usize) -> Option<u64> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// Two halves, the upper one first whatever the endianness.
    #[inline]
    fn split_u64(self, at: usize) -> Option<u64> {
        Some(u64::from(self.u32(at)?) << 32 | u64::from(self.u32(at + 4)?))
    }
}

impl Pcapng {
    pub(super) const fn unknown_link_type(&self) -> u64 {
        self.unknown_packets
    }

    /// The next packet or interface.
    #[inline]
    pub(super) fn step<'a>(&mut self, input: &'a mut Input) -> Result<Step<'a>, CaptureError> {
        loop {
            if self.skipping > 0 {
                match self.skip(input)? {
                    Ready::Yes => {}
                    Ready::Wait => return Ok(Step::Wait),
                    Ready::End => return Err(CaptureError::Cut { offset: self.skipping_from }),
                }
            }
            match input.ready(BLOCK_FRAME_LEN)? {
                Ready::Yes => {}
                Ready::Wait => return Ok(Step::Wait),
                Ready::End => return self.end(input),
            }
            let (kind, len) = self.block_head(input)?;
            if !matches!(
                kind,
                SECTION_HEADER | INTERFACE_DESCRIPTION | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET
            ) {
                (self.skipping, self.skipping_from) = (u64::from(len), input.offset());
                continue;
            }
            if len > BLOCK_LEN_MAX {
                return Err(CaptureError::RecordTooLong { offset: input.offset(), len });
            }
            let len = len as usize;
            match input.ready(len)? {
                Ready::Yes => {}
                Ready::Wait => return Ok(Step::Wait),
                Ready::End => return Err(input.cut_error()),
            }
            let offset = input.offset();
            let bad = |what| CaptureError::BadBlock { offset, what };
            let fields =
                Fields { bytes: input.bytes().get(..len).unwrap_or_default(), big_endian: self.big_endian };
            if fields.u32(len - 4) != u32::try_from(len).ok() {
                return Err(bad("a block has two lengths"));
            }
            let packet = match kind {
                SECTION_HEADER => {
                    self.interfaces.clear();
                    input.discard(len);
                    continue;
                }
                INTERFACE_DESCRIPTION => {
                    let id = InterfaceId(u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX));
                    self.describe(fields).map_err(bad)?;
                    let block = Fields { bytes: input.consume(len), big_endian: self.big_endian };
                    return Ok(Step::Interface { id, name: name(block) });
                }
                ENHANCED_PACKET => enhanced_packet(fields),
                SIMPLE_PACKET => self.simple_packet(fields),
                _ => obsolete_packet(fields),
            };
            let packet = packet.ok_or_else(|| bad("a packet block is too short"))?;
            let interface = self.interfaces.get(packet.interface);
            let interface =
                *interface.ok_or_else(|| bad("a packet is of an interface that is not described"))?;
            // Options and the repeated length follow the packet.
            if packet.captured as usize > len.saturating_sub(packet.at + 4) {
                return Err(bad("a packet is longer than its block"));
            }
            let Some(link) = interface.link else {
                self.unknown_packets += 1;
                input.discard(len);
                continue;
            };
            if let Some(ticks) = packet.ticks {
                self.last = interface.timestamp(ticks);
            }
            let block = input.consume(len);
            let frame = RawFrame {
                link,
                bytes: block.get(packet.at..packet.at + packet.captured as usize).unwrap_or_default(),
                wire_len: packet.wire_len,
                interface: InterfaceId(u32::try_from(packet.interface).unwrap_or(u32::MAX)),
                tag: None,
            };
            return Ok(Step::Packet { at: self.last, frame });
        }
    }

    /// Skips the rest of a block of another type.
    fn skip(&mut self, input: &mut Input) -> Result<Ready, CaptureError> {
        while self.skipping > 0 {
            let want = usize::try_from(self.skipping).unwrap_or(usize::MAX);
            self.skipping -= input.discard(want) as u64;
            if self.skipping > 0 {
                match input.ready(1)? {
                    Ready::Yes => {}
                    not_yet => return Ok(not_yet),
                }
            }
        }
        Ok(Ready::Yes)
    }

    /// A block's type and length. A section header sets the endianness of itself and of all blocks after it.
    #[inline]
    fn block_head(&mut self, input: &Input) -> Result<(u32, u32), CaptureError> {
        let bad = |what| CaptureError::BadBlock { offset: input.offset(), what };
        let mut fields = Fields { bytes: input.bytes(), big_endian: self.big_endian };
        let kind = fields.u32(0).ok_or_else(|| input.cut_error())?;
        let mut min = BLOCK_FRAME_LEN as u32;
        if kind == SECTION_HEADER {
            fields.big_endian = false;
            if fields.u32(8) != Some(BYTE_ORDER_MAGIC) {
                fields.big_endian = true;
                if fields.u32(8) != Some(BYTE_ORDER_MAGIC) {
                    return Err(bad("a section header is of no known byte order"));
                }
            }
            self.big_endian = fields.big_endian;
            min += 16;
        }
        let len = fields.u32(4).ok_or_else(|| input.cut_error())?;
        if len < min || !len.is_multiple_of(4) {
            return Err(bad("a block has an impossible length"));
        }
        Ok((kind, len))
    }

    /// Adds the interface of an interface description.
    fn describe(&mut self, block: Fields<'_>) -> Result<(), &'static str> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err("too many interfaces are described");
        }
        let (Some(number), Some(snap_len)) = (block.u16(8), block.u32(12)) else {
            return Err("an interface description is too short");
        };
        let link = LinkType::from_number(number);
        if link.is_some() {
            self.any_known = true;
        } else if !self.unknown.contains(&number) && self.unknown.len() < INTERFACES_MAX {
            self.unknown.push(number);
        }
        let resolution = option(block, IF_TSRESOL).and_then(|(at, _)| block.bytes.get(at).copied());
        let offset_s = option(block, IF_TSOFFSET).and_then(|(at, _)| block.u64(at)).unwrap_or(0);
        self.interfaces.push(Interface {
            link,
            snap_len,
            ticks: Ticks::from_resolution(resolution.unwrap_or(6)),
            offset_s: offset_s.cast_signed(),
        });
        Ok(())
    }

    /// A packet of the first interface, without a time. Its captured length follows from the interface's snap length,
    /// where that is not 0, and from the block.
    fn simple_packet(&self, block: Fields<'_>) -> Option<Packet> {
        let wire_len = block.u32(8)?;
        let room = u32::try_from(block.bytes.len().checked_sub(BLOCK_FRAME_LEN + 4)?).ok()?;
        let snap_len = match self.interfaces.first()?.snap_len {
            0 => u32::MAX,
            snap_len => snap_len,
        };
        let captured = wire_len.min(snap_len).min(room);
        Some(Packet { interface: 0, ticks: None, at: 12, captured, wire_len })
    }

    /// Ends the file, which is complete only at the end of a block.
    fn end(&mut self, input: &Input) -> Result<Step<'static>, CaptureError> {
        if !input.bytes().is_empty() || input.is_cut() {
            return Err(input.cut_error());
        }
        if !self.any_known && !self.unknown.is_empty() {
            return Err(CaptureError::UnknownLinkType { numbers: std::mem::take(&mut self.unknown) });
        }
        Ok(Step::End)
    }
}

#[inline]
fn enhanced_packet(block: Fields<'_>) -> Option<Packet> {
    Some(Packet {
        interface: block.u32(8)? as usize,
        ticks: Some(block.split_u64(12)?),
        at: 28,
        captured: block.u32(20)?,
        wire_len: block.u32(24)?,
    })
}

fn obsolete_packet(block: Fields<'_>) -> Option<Packet> {
    Some(Packet { interface: usize::from(block.u16(8)?), ..enhanced_packet(block)? })
}

const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;

/// An option of an interface description: offset and length of its value.
fn option(block: Fields<'_>, wanted: u16) -> Option<(usize, usize)> {
    let mut at = 16;
    loop {
        let (code, len) = (block.u16(at)?, usize::from(block.u16(at + 2)?));
        if code == 0 || at + 4 + len > block.bytes.len() - 4 {
            return None;
        }
        if code == wanted {
            return Some((at + 4, len));
        }
        at += 4 + len.next_multiple_of(4);
    }
}

/// The name of the interface that a block describes.
fn name(block: Fields<'_>) -> Option<&str> {
    let (at, len) = option(block, IF_NAME)?;
    let name = block.bytes.get(at..at + len.min(NAME_LEN_MAX))?;
    let name = match core::str::from_utf8(name) {
        Ok(name) => name,
        // Its valid beginning.
        Err(error) => core::str::from_utf8(name.get(..error.valid_up_to())?).ok()?,
    };
    Some(name.trim_end_matches('\0')).filter(|name| !name.is_empty())
}
