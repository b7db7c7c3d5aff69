//! A raw frame becomes a TCP segment.
//!
//! [`Decoder`] goes from header to header: link layer, VLAN tags, PPPoE, MPLS, tunnels, IPv4 and IPv6, down to TCP. The
//! segment borrows its payload from the frame. No checksum is verified: a frame captured on its way out of a host has
//! not got its checksums yet.
//!
//! It never allocates for a frame that is no fragment, never panics on any bytes, and counts every frame that gives no
//! segment by reason.

mod counters;
mod ip;
mod link;
mod link_layers;
mod span;
mod tunnel;
mod walk;

#[cfg(test)]
mod tests;

pub use counters::DecodeCounters;
pub use link::LinkType;

use counters::Reason;
use span::Span;
use walk::{Found, Walk};

use crate::segment::{InterfaceId, Segment, VlanTags};
use crate::time::Timestamp;

/// At most this many headers of a frame are opened (each VLAN tag, MPLS label, extension header and tunnel is one).
/// Stops a frame of 64 KiB full of four-byte labels from costing thousands of steps.
pub const LAYERS_MAX: u8 = 32;

/// A frame as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct RawFrame<'a> {
    /// How it begins.
    pub link: LinkType,
    /// The captured bytes.
    pub bytes: &'a [u8],
    /// Its length on the wire: more than `bytes.len()` where the capture cut it short.
    pub wire_len: u32,
    /// Where it was seen.
    pub interface: InterfaceId,
    /// VLAN tags that the capture took out of the frame into its metadata, outermost first.
    pub vlan: VlanTags,
}

/// Turns frames into segments.
#[derive(Debug, Default)]
pub struct Decoder {
    counters: DecodeCounters,
}

impl Decoder {
    /// The segment in `frame`; none where there is no TCP in it, or only a part of it. `at` is when it was captured.
    #[inline]
    pub fn decode<'a>(&'a mut self, _at: Timestamp, frame: &RawFrame<'a>) -> Option<Segment<'a>> {
        self.counters.frames += 1;
        let missing = (frame.wire_len as usize).saturating_sub(frame.bytes.len());
        let mut span = Span { bytes: frame.bytes, missing };
        let found = match frame.link.open(&mut span) {
            Ok(layer) => Walk::frame(span, layer, frame.vlan, frame.interface).run(),
            Err(reason) => Err(reason),
        };
        match found {
            Ok(Found::Segment(segment)) => {
                self.counters.segments += 1;
                Some(segment)
            }
            Ok(Found::Fragment(_)) => {
                self.counters.refuse(Reason::FragmentHeld);
                None
            }
            Err(reason) => {
                self.counters.refuse(reason);
                None
            }
        }
    }

    /// What became of the frames so far.
    pub const fn counters(&self) -> &DecodeCounters {
        &self.counters
    }
}
