//! The TCP segment of a packet that was selected, and the per-CPU memory that holds it.

use ftpmon_common::{Counter, Direction, FlowKey, PortMark};

use crate::packet::{Packet, Pieces, Read as _};

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// A TCP segment. It lives in [`crate::maps::SCRATCH`] and not on the stack, which is 512 bytes for a whole call chain. The
/// verifier knows nothing of a map's contents, so it walks what follows once and not once for each way to stack headers.
#[repr(C)]
pub(crate) struct Segment {
    /// The [`ftpmon_common::Hook`] where it was seen.
    pub(crate) hook: u32,
    /// The [`ftpmon_common::Link`] type of its frame.
    pub(crate) link: u32,
    /// Its connection.
    pub(crate) key: FlowKey,
    /// A [`Direction`], by number.
    pub(crate) direction: u32,
    /// TCP flags.
    pub(crate) flags: u32,
    /// Its VLAN tags.
    pub(crate) tags: VlanTags,
    /// The VLAN tag that the device took out of the bytes: tag control information, and protocol or 0 for none. Kept here because
    /// asking the packet takes a branch, which older verifiers would walk again in each round of a loop.
    pub(crate) device_tag: [u16; 2],
    /// Sequence number.
    pub(crate) seq: u32,
    /// Acknowledgment number.
    pub(crate) ack: u32,
    /// Payload length, bytes.
    pub(crate) payload: u32,
    /// Offset of the payload in the frame.
    pub(crate) payload_at: u32,
    /// Length of the frame from layer 2, bytes.
    pub(crate) frame_len: u32,
    /// Bytes of the frame that were copied to the ring.
    pub(crate) copied: u32,
    /// Source port.
    pub(crate) source_port: u32,
    /// Destination port.
    pub(crate) destination_port: u32,
    /// The source port's mark.
    pub(crate) source_mark: PortMark,
    /// The destination port's mark.
    pub(crate) destination_mark: PortMark,
    /// The number of a [`Counter`] that is to be logged with this segment; 0 for none.
    pub(crate) loss: u32,
}

impl Segment {
    /// The index of its sender's half, masked so that the verifier knows it to be 0 or 1.
    #[inline(always)]
    pub(crate) const fn index(&self) -> usize {
        (self.direction & 1) as usize
    }

    /// The first four bytes of its payload; none where it has fewer.
    #[inline(always)]
    pub(crate) fn first_payload_bytes<P: Packet>(&self, packet: P) -> Option<[u8; 4]> {
        if self.payload < 4 {
            return None;
        }
        Pieces(packet).read(self.payload_at as usize)
    }

    /// Notes a loss for [`crate::log`].
    #[inline(always)]
    pub(crate) fn note_loss(&mut self, counter: Counter) {
        self.loss = counter as u32;
    }

    /// Its direction.
    #[inline(always)]
    pub(crate) const fn direction(&self) -> Direction {
        if self.direction == 0 { Direction::LowToHigh } else { Direction::HighToLow }
    }

    /// At least one of these TCP flags is set.
    #[inline(always)]
    pub(crate) const fn has_any(&self, flags: u8) -> bool {
        self.flags & flags as u32 != 0
    }

    /// Bytes of the frame that were copied to the ring. Read from the map each time, so that the verifier knows nothing of it.
    #[inline(always)]
    pub(crate) fn copied(&self) -> u32 {
        // SAFETY: an integer behind a reference.
        unsafe { (&raw const self.copied).read_volatile() }
    }

    /// Bytes of the frame that are still to be copied.
    #[inline(always)]
    pub(crate) fn uncopied(&self) -> u32 {
        self.frame_len.wrapping_sub(self.copied())
    }

    /// Sequence numbers that it takes up: payload, SYN and FIN.
    #[inline(always)]
    pub(crate) const fn sequence_len(&self) -> u32 {
        self.payload.wrapping_add(self.has_any(SYN) as u32).wrapping_add(self.has_any(FIN) as u32)
    }
}

/// The tag control information of a packet's first two VLAN tags, outermost first.
#[derive(Clone, Copy, Default)]
pub(crate) struct VlanTags {
    pub(crate) outer: u32,
    pub(crate) inner: u32,
    pub(crate) count: u32,
}

impl VlanTags {
    /// Adds a tag; a third one is dropped.
    #[inline(always)]
    pub(crate) fn push(&mut self, control: u16) {
        match self.count {
            0 => self.outer = u32::from(control),
            1 => self.inner = u32::from(control),
            _ => return,
        }
        self.count += 1;
    }
}

/// The value of [`crate::maps::SCRATCH`]: one CPU's working memory. Programs on one CPU run one after the other.
#[repr(C)]
pub(crate) struct Scratch {
    /// The packet being handled.
    pub(crate) segment: Segment,
    /// For [`crate::hide::hide_from_verifier`].
    pub(crate) word: usize,
    /// For [`crate::log`]: the interval of the last message.
    pub(crate) log_interval: u64,
    /// For [`crate::log`]: messages in that interval.
    pub(crate) log_messages: u64,
    /// For [`crate::fragments`]: those of hosts between which nothing was proved.
    pub(crate) fragments: u32,
}
