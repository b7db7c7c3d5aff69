//! IPv4 and IPv6 with its extension headers.

use std::net::IpAddr;

use etherparse::err::{ip_auth, ipv4, ipv6};
use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice,
};

use super::counters::Reason;
use super::span::Span;
use crate::checksum::{fold, sum};

/// IP protocol number of TCP.
pub(super) const TCP: u8 = IpNumber::TCP.0;

const HOP_BY_HOP: u8 = IpNumber::IPV6_HEADER_HOP_BY_HOP.0;
const ROUTING: u8 = IpNumber::IPV6_ROUTE_HEADER.0;
const FRAGMENT: u8 = IpNumber::IPV6_FRAGMENTATION_HEADER.0;
const AUTHENTICATION: u8 = IpNumber::AUTHENTICATION_HEADER.0;
const DESTINATION_OPTIONS: u8 = IpNumber::IPV6_DESTINATION_OPTIONS.0;
const MOBILITY: u8 = IpNumber::MOBILITY_HEADER.0;
const HIP: u8 = IpNumber::HIP.0;
const SHIM6: u8 = IpNumber::SHIM6.0;

/// The bytes behind an IP header.
pub(super) enum Payload {
    /// All of a datagram of this protocol.
    Whole(u8),
    /// A part of a datagram.
    Fragment {
        /// The protocol of the datagram's first bytes.
        protocol: u8,
        id: u32,
        /// In bytes.
        offset: usize,
        more: bool,
    },
}

/// An IP header.
pub(super) struct Header {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    /// Time to live, or hop limit.
    pub(super) hop_limit: u8,
    /// It has another checksum than its own; IPv6 has none.
    pub(super) bad_checksum: bool,
    pub(super) payload: Payload,
}

/// Reads an IP header of the version in its first four bits.
#[inline]
pub(super) fn header(span: &mut Span<'_>) -> Result<Header, Reason> {
    match span.bytes.first().ok_or(Reason::TruncatedHeader)? >> 4 {
        4 => v4(span),
        6 => v6(span),
        _ => Err(Reason::BadHeader),
    }
}

/// RFC 791 section 3.1. A total length of 0 is a packet captured before segmentation offload split it: then the frame
/// gives the length.
#[inline]
fn v4(span: &mut Span<'_>) -> Result<Header, Reason> {
    let header = Ipv4HeaderSlice::from_slice(span.bytes).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(_) => Reason::TruncatedHeader,
        ipv4::HeaderSliceError::Content(_) => Reason::BadHeader,
    })?;
    let header_len = header.slice().len();
    let (src, dst) = (IpAddr::from(header.source()), IpAddr::from(header.destination()));
    let hop_limit = header.ttl();
    let bad_checksum = fold(sum(header.slice())) != 0xffff;
    span.skip(header_len)?;
    match usize::from(header.total_len()) {
        0 => {}
        len => span.limit(len.checked_sub(header_len).ok_or(Reason::BadHeader)?),
    }
    let (protocol, offset, more) =
        (header.protocol().0, header.fragments_offset().value(), header.more_fragments());
    if offset == 0 && !more {
        return Ok(Header { src, dst, hop_limit, bad_checksum, payload: Payload::Whole(protocol) });
    }
    let id = u32::from(header.identification());
    let payload = Payload::Fragment { protocol, id, offset: usize::from(offset) * 8, more };
    Ok(Header { src, dst, hop_limit, bad_checksum, payload })
}

/// RFC 8200 section 3. A payload length of 0 is a jumbogram (RFC 2675) or a packet captured before segmentation
/// offload split it: then the frame gives the length.
#[inline]
fn v6(span: &mut Span<'_>) -> Result<Header, Reason> {
    let header = Ipv6HeaderSlice::from_slice(span.bytes).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(_) => Reason::TruncatedHeader,
        ipv6::HeaderSliceError::Content(_) => Reason::BadHeader,
    })?;
    let (src, dst) = (IpAddr::from(header.source()), IpAddr::from(header.destination()));
    let hop_limit = header.hop_limit();
    span.skip(header.slice().len())?;
    match usize::from(header.payload_length()) {
        0 => {}
        len => span.limit(len),
    }
    let payload = Payload::Whole(header.next_header().0);
    Ok(Header { src, dst, hop_limit, bad_checksum: false, payload })
}

/// The protocol number is that of a header between IP and the transport.
#[inline]
pub(super) const fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6
    )
}

/// An extension header (RFC 8200 section 4), or IPv4's authentication header (RFC 4302).
pub(super) fn extension(span: &mut Span<'_>, protocol: u8) -> Result<Payload, Reason> {
    match protocol {
        FRAGMENT => {
            let header =
                Ipv6FragmentHeaderSlice::from_slice(span.bytes).map_err(|_| Reason::TruncatedHeader)?;
            span.skip(header.slice().len())?;
            let protocol = header.next_header().0;
            if !header.is_fragmenting_payload() {
                // An atomic fragment (RFC 6946).
                return Ok(Payload::Whole(protocol));
            }
            let (id, offset) = (header.identification(), usize::from(header.fragment_offset().value()) * 8);
            Ok(Payload::Fragment { protocol, id, offset, more: header.more_fragments() })
        }
        AUTHENTICATION => {
            let header = IpAuthHeaderSlice::from_slice(span.bytes).map_err(|error| match error {
                ip_auth::HeaderSliceError::Len(_) => Reason::TruncatedHeader,
                ip_auth::HeaderSliceError::Content(_) => Reason::BadHeader,
            })?;
            span.skip(header.slice().len())?;
            Ok(Payload::Whole(header.next_header().0))
        }
        _ => {
            let header =
                Ipv6RawExtHeaderSlice::from_slice(span.bytes).map_err(|_| Reason::TruncatedHeader)?;
            span.skip(header.slice().len())?;
            Ok(Payload::Whole(header.next_header().0))
        }
    }
}
