//! The blocks of a pcapng file, little-endian.

use ftpmon_core::frame::{LinkType, RawFrame};
use ftpmon_event::link::InterfaceId;
use ftpmon_event::time::Timestamp;

/// Interfaces that a file can have; frames of further ones are left out.
pub const INTERFACES_MAX: usize = 4_096;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;

const END: u16 = 0;
const COMMENT: u16 = 1;
const SECTION_APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const INTERFACE_RESOLUTION: u16 = 9;
const PACKET_FLAGS: u16 = 2;
const RECEIVED: u16 = 4;
const DROPPED: u16 = 5;
const DROPPED_BY_KERNEL: u16 = 7;
const DELIVERED: u16 = 8;
/// Largest size of the statistics of an interface, bytes.
pub(super) const STATISTICS_LEN: usize = 88;
/// Stands at the statistics of the first of several interfaces.
const OF_ALL: &str = "isb_osdrop counts all interfaces: the kernel does not tell them apart";
/// The size of that text, bytes.
pub(super) const OF_ALL_LEN: usize = 4 + OF_ALL.len().next_multiple_of(4);

const ETHERNET: u16 = 1;
const RAW_IP: u16 = 101;
/// The offset of a VLAN tag: after the two addresses.
const TAG_AT: usize = 12;

/// Appends a block: its type, its length at both ends, `body` between.
fn block(kind: u32, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    out.resize(out.len().next_multiple_of(4), 0);
    let len = u32::try_from(out.len() - start + 4).unwrap_or(u32::MAX).to_le_bytes();
    out.extend(len);
    if let Some(slot) = out.get_mut(start + 4..start + 8) {
        slot.copy_from_slice(&len);
    }
}

fn option(code: u16, value: &[u8], out: &mut Vec<u8>) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    out.extend(code.to_le_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(value);
    out.resize(out.len() + value.len().next_multiple_of(4) - value.len(), 0);
}

fn end_of_options(out: &mut Vec<u8>) {
    option(END, &[], out);
}

fn time(at: Timestamp, out: &mut Vec<u8>) {
    let nanos = at.as_nanos().max(0).unsigned_abs();
    out.extend(((nanos >> 32) as u32).to_le_bytes());
    out.extend((nanos as u32).to_le_bytes());
}

/// The block that a file begins with.
pub(super) fn section(out: &mut Vec<u8>) {
    block(SECTION, out, |out| {
        out.extend(0x1a2b_3c4d_u32.to_le_bytes());
        out.extend(1_u16.to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out.extend(u64::MAX.to_le_bytes());
        option(SECTION_APPLICATION, concat!("ftpmon ", env!("CARGO_PKG_VERSION")).as_bytes(), out);
        end_of_options(out);
    });
}

/// An interface with frames of one link type.
pub(super) struct Interface {
    from: (InterfaceId, LinkType),
    name: Option<String>,
    delivered: u64,
    dropped: u64,
}

/// Frames that the kernel lost, in the statistics of the first interface.
#[derive(Clone, Copy, Default)]
pub(super) struct LostByKernel {
    pub(super) frames: u64,
    /// There are other interfaces that they may be of.
    pub(super) of_several: bool,
}

impl Interface {
    pub(super) fn new(from: (InterfaceId, LinkType), name: Option<&str>) -> Self {
        Self { from, name: name.map(str::to_owned), delivered: 0, dropped: 0 }
    }

    pub(super) fn is(&self, from: (InterfaceId, LinkType)) -> bool {
        self.from == from
    }

    /// Counts a frame of it, which was `taken` or is lost.
    pub(super) fn count(&mut self, taken: bool) {
        self.delivered += 1;
        self.dropped += u64::from(!taken);
    }

    pub(super) fn describe(&self, out: &mut Vec<u8>) {
        let link = if self.from.1 == LinkType::Ethernet { ETHERNET } else { RAW_IP };
        block(INTERFACE, out, |out| {
            out.extend(link.to_le_bytes());
            out.extend([0; 6]);
            if let Some(name) = &self.name {
                option(INTERFACE_NAME, name.as_bytes(), out);
            }
            // 10^-9 seconds.
            option(INTERFACE_RESOLUTION, &[9], out);
            end_of_options(out);
        });
    }

    /// The counts of its frames: `isb_osdrop` did not come to the agent, `isb_usrdeliv` did, and of those `isb_ifdrop` are
    /// not in the file (dumpcap counts there what it could not write).
    pub(super) fn statistics(&self, id: usize, at: Timestamp, lost: LostByKernel, out: &mut Vec<u8>) {
        block(STATISTICS, out, |out| {
            out.extend(u32::try_from(id).unwrap_or(u32::MAX).to_le_bytes());
            time(at, out);
            if lost.of_several && lost.frames > 0 {
                option(COMMENT, OF_ALL.as_bytes(), out);
            }
            option(RECEIVED, &self.delivered.saturating_add(lost.frames).to_le_bytes(), out);
            option(DROPPED, &self.dropped.to_le_bytes(), out);
            option(DROPPED_BY_KERNEL, &lost.frames.to_le_bytes(), out);
            option(DELIVERED, &self.delivered.to_le_bytes(), out);
            end_of_options(out);
        });
    }
}

/// A frame to be written.
pub(super) struct Packet {
    at: Timestamp,
    pub(super) bytes: Vec<u8>,
    wire_len: u32,
    outbound: bool,
    pub(super) comment: String,
}

impl Packet {
    /// The frame with these bytes; its tag, which came beside it, stands in it again.
    pub(super) fn new(at: Timestamp, mut bytes: Vec<u8>, frame: &RawFrame<'_>, outbound: bool) -> Self {
        let mut wire_len = frame.wire_len;
        if let Some(tag) = frame.tag
            && frame.link == LinkType::Ethernet
            && bytes.len() >= TAG_AT
        {
            let tag = [tag.protocol.to_be_bytes(), tag.control.to_be_bytes()];
            bytes.splice(TAG_AT..TAG_AT, tag.into_iter().flatten());
            wire_len = wire_len.saturating_add(4);
        }
        Self { at, bytes, wire_len, outbound, comment: String::new() }
    }

    /// Appends it as a frame of the interface with this number.
    pub(super) fn write(&self, interface: usize, out: &mut Vec<u8>) {
        let captured = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        block(PACKET, out, |out| {
            out.extend(u32::try_from(interface).unwrap_or(u32::MAX).to_le_bytes());
            time(self.at, out);
            out.extend(captured.to_le_bytes());
            out.extend(self.wire_len.max(captured).to_le_bytes());
            out.extend(&self.bytes);
            out.resize(out.len() + self.bytes.len().next_multiple_of(4) - self.bytes.len(), 0);
            if !self.comment.is_empty() {
                option(COMMENT, self.comment.as_bytes(), out);
            }
            let flags: u32 = if self.outbound { 2 } else { 1 };
            option(PACKET_FLAGS, &flags.to_le_bytes(), out);
            end_of_options(out);
        });
    }
}
