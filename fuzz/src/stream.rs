//! Segments of one connection, made from a few arbitrary numbers each, whose payload can be foretold.

use arbitrary::Arbitrary;
use ftpmon_core::account::Side;
use ftpmon_core::segment::{InterfaceId, Segment, Signs, TcpFlags, VlanTags};
use ftpmon_event::addr::Endpoint;

/// A segment as the fuzzer thinks of it. Numbers are small, so that segments meet, overlap and leave holes.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Shot {
    /// The listener sends it.
    pub back: bool,
    /// The position of its payload in the stream.
    pub position: Place,
    /// Payload bytes on the wire.
    pub len: u8,
    /// Payload bytes missing from the capture.
    pub cut: u8,
    /// The position of the other stream that it acknowledges.
    pub ack: Place,
    /// Header flags.
    pub flags: u8,
    /// Its payload is not what the stream says at that place.
    pub lie: bool,
    /// Milliseconds since the one before.
    pub wait: u16,
}

/// A place in a stream.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Place {
    /// So many bytes behind the end of what was sent.
    Next(i8),
    /// So many bytes from the beginning.
    At(u16),
    /// Any sequence number whatever.
    Wild(u32),
}

/// The byte of a stream at a position counted from the first after the SYN.
pub fn byte_at(position: u64) -> u8 {
    (position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// The two ends, and how far each has sent.
#[derive(Clone, Debug)]
pub struct Talk {
    initiator: Endpoint,
    listener: Endpoint,
    isn: [u32; 2],
    sent: [u32; 2],
    payload: Vec<u8>,
}

impl Talk {
    /// A connection between two ends whose streams begin at these sequence numbers.
    pub fn new(initiator: Endpoint, listener: Endpoint, isn: [u32; 2]) -> Self {
        Self { initiator, listener, isn, sent: [0, 0], payload: Vec::new() }
    }

    fn resolve(&self, side: usize, place: Place) -> u32 {
        let first = self.isn[side].wrapping_add(1);
        match place {
            Place::Next(off) => first.wrapping_add(self.sent[side]).wrapping_add_signed(i32::from(off)),
            Place::At(position) => first.wrapping_add(u32::from(position)),
            Place::Wild(seq) => seq,
        }
    }

    /// The segment of a shot, and who sends it.
    pub fn segment(&mut self, shot: &Shot) -> (Side, Segment<'_>) {
        let (me, other) = if shot.back { (1, 0) } else { (0, 1) };
        let flags = TcpFlags(shot.flags);
        let mut seq = self.resolve(me, shot.position);
        if flags.syn() && !matches!(shot.position, Place::Wild(_)) {
            seq = self.isn[me];
        }
        let ack = self.resolve(other, shot.ack);
        let len = if flags.syn() || flags.rst() { 0 } else { u32::from(shot.len) };
        let start = seq.wrapping_sub(self.isn[me].wrapping_add(1));
        self.payload.clear();
        let captured = len.saturating_sub(u32::from(shot.cut));
        let lie = u8::from(shot.lie);
        self.payload.extend((0..captured).map(|n| byte_at(u64::from(start.wrapping_add(n))) ^ lie));
        if !matches!(shot.position, Place::Wild(_)) && start < u32::MAX / 2 {
            self.sent[me] = self.sent[me].max(start.wrapping_add(len));
        }
        let (src, dst, side) = if shot.back {
            (self.listener, self.initiator, Side::Listener)
        } else {
            (self.initiator, self.listener, Side::Initiator)
        };
        let segment = Segment {
            src,
            dst,
            seq,
            ack,
            flags,
            payload: &self.payload,
            wire_payload_len: len,
            interface: InterfaceId(0),
            vlan: VlanTags::default(),
            signs: Signs::default(),
        };
        (side, segment)
    }
}
