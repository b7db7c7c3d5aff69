//! A raw frame becomes a TCP segment.
//!
//! [`Decoder`] reads header after header: link layer, VLAN tags, PPPoE, MPLS, tunnels, IPv4 and IPv6, down to TCP. The
//! segment borrows its payload from the frame. Checksums are summed up as far as headers go: whether they count is decided
//! where the connection is known, since a frame captured on its way out of a host has none yet.
//!
//! It never allocates for a frame that is no fragment, never panics on any bytes, and counts every frame that gives no
//! segment by reason.

mod counters;
mod fragment;
mod ip;
mod layer;
mod link;
mod link_layers;
mod options;
mod plain;
mod raw;
mod span;
mod tunnel;
mod walk;

#[cfg(test)]
mod tests;

pub use counters::DecodeCounters;
pub use fragment::{DATAGRAM_BYTES_MAX, FragmentLimits};
pub use layer::LAYERS_MAX;
pub use link::LinkType;
pub use raw::RawFrame;

use std::net::IpAddr;

use counters::Reason;
use fragment::{Fragment, FragmentTable};
use span::Span;
use walk::{Found, Walk};

use crate::segment::{InterfaceId, Segment, VlanTags};
use crate::time::Timestamp;

/// A fragment of an IP packet, by its hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenFragment {
    /// The sender.
    pub src: IpAddr,
    /// The receiver.
    pub dst: IpAddr,
    /// Not all fragments between the two are put together.
    pub waits: bool,
}

/// Turns frames into segments.
#[derive(Debug)]
pub struct Decoder {
    fragments: FragmentTable,
    /// A fragment found inside a reassembled datagram, copied out of it.
    inner: Vec<u8>,
    /// The fragment that the latest frame was.
    fragment: Option<(IpAddr, IpAddr)>,
    counters: DecodeCounters,
}

impl Decoder {
    /// A decoder that reassembles fragments within `limits`.
    pub fn new(limits: FragmentLimits) -> Self {
        Self {
            fragments: FragmentTable::new(limits),
            inner: Vec::new(),
            fragment: None,
            counters: DecodeCounters::default(),
        }
    }

    /// The segment in `frame`; none if there is no TCP in it, or only a part of it. `at` is when it was captured.
    #[inline(always)]
    pub fn decode<'a>(&'a mut self, at: Timestamp, frame: &RawFrame<'a>) -> Option<Segment<'a>> {
        self.counters.frames += 1;
        self.fragments.expire(at, &mut self.counters);
        match plain::segment(frame) {
            Some(segment) => {
                self.counters.segments += 1;
                Some(segment)
            }
            None => self.walk(at, frame),
        }
    }

    /// The segment in a frame that is not a usual one.
    #[inline(never)]
    fn walk<'a>(&'a mut self, at: Timestamp, frame: &RawFrame<'a>) -> Option<Segment<'a>> {
        self.fragment = None;
        let missing = (frame.wire_len as usize).saturating_sub(frame.bytes.len());
        let mut span = Span { bytes: frame.bytes, missing };
        let found = match frame.link.open(&mut span) {
            Ok(layer) => Walk::frame(span, layer, VlanTags::of(frame.tag), frame.interface).run(),
            Err(reason) => Err(reason),
        };
        match found {
            Ok(Found::Segment(segment)) => {
                self.counters.segments += 1;
                Some(segment)
            }
            Ok(Found::Fragment(fragment)) => {
                self.fragment = Some((fragment.key.src, fragment.key.dst));
                self.fragment(at, &fragment, frame.interface)
            }
            Err(reason) => {
                self.counters.refuse(reason);
                None
            }
        }
    }

    /// Ends the input: datagrams that are not complete are given up and counted.
    pub fn finish(&mut self) {
        self.fragments.finish(&mut self.counters);
    }

    /// The counters so far.
    pub const fn counters(&self) -> &DecodeCounters {
        &self.counters
    }

    /// The fragment that the latest frame was, if it was one. Given once.
    #[inline]
    pub fn take_fragment(&mut self) -> Option<SeenFragment> {
        let (src, dst) = self.fragment.take()?;
        Some(SeenFragment { src, dst, waits: self.fragments.waits_between(src, dst) })
    }

    /// Datagrams held, and their cap.
    pub fn fragment_table(&self) -> (usize, usize) {
        (self.fragments.len(), self.fragments.limits().datagrams)
    }

    /// Takes a fragment; gives the segment of the datagram that it completes.
    #[cold]
    fn fragment(
        &mut self,
        at: Timestamp,
        fragment: &Fragment<'_>,
        interface: InterfaceId,
    ) -> Option<Segment<'_>> {
        let Self { fragments, inner, counters, .. } = self;
        match reassemble(fragments, inner, counters, at, fragment, interface) {
            Ok(segment) => {
                counters.segments += 1;
                Some(segment)
            }
            Err(reason) => {
                counters.refuse(reason);
                None
            }
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(FragmentLimits::default())
    }
}

/// Adds a fragment to its datagram. A reassembled datagram may be a tunnel's and hold a fragment itself, but that one
/// must not hold another.
fn reassemble<'t>(
    fragments: &'t mut FragmentTable,
    inner: &mut Vec<u8>,
    counters: &mut DecodeCounters,
    at: Timestamp,
    fragment: &Fragment<'_>,
    interface: InterfaceId,
) -> Result<Segment<'t>, Reason> {
    fragments.push(at, fragment, counters)?;
    let nested = match open_whole(fragments, fragment, interface)? {
        Found::Segment(_) => None,
        Found::Fragment(nested) => {
            inner.clear();
            inner.extend_from_slice(nested.span.bytes);
            Some((nested.span.missing, nested.detached()))
        }
    };
    let last = match nested {
        None => *fragment,
        Some((missing, detached)) => {
            let nested = Fragment { span: Span { bytes: inner, missing }, ..detached };
            fragments.push(at, &nested, counters)?;
            detached
        }
    };
    match open_whole(fragments, &last, interface)? {
        Found::Segment(segment) => Ok(segment),
        Found::Fragment(_) => Err(Reason::DepthExceeded),
    }
}

/// Finds the TCP segment in the datagram that `fragment` completed.
fn open_whole<'t>(
    fragments: &'t FragmentTable,
    fragment: &Fragment<'_>,
    interface: InterfaceId,
) -> Result<Found<'t>, Reason> {
    let (protocol, span) = fragments.whole(&fragment.key).ok_or(Reason::FragmentHeld)?;
    Walk::datagram(fragment, protocol, span, interface).run()
}
