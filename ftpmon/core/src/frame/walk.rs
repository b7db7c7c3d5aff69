//! Header after header, down to TCP.

use std::net::{IpAddr, Ipv4Addr};

use super::counters::Reason;
use super::fragment::{Fragment, FragmentKey};
use super::layer::{LAYERS_MAX, Layer};
use super::span::Span;
use super::{ip, link_layers, options, tunnel};
use crate::addr::Endpoint;
use crate::segment::{HeaderSum, InterfaceId, Segment, TcpFlags, VlanTags};

/// The end of a walk.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A TCP segment.
    Segment(Segment<'a>),
    /// A fragment of an IP datagram.
    Fragment(Fragment<'a>),
}

/// A pass over the headers of one frame, or of one reassembled datagram.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) span: Span<'a>,
    pub(super) layer: Layer,
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) vlan: VlanTags,
    pub(super) interface: InterfaceId,
    /// Of the last IP header.
    pub(super) hop_limit: u8,
    /// The last IPv4 header has another checksum than its own.
    pub(super) bad_ip: bool,
    layers_left: u8,
}

impl<'a> Walk<'a> {
    /// At the start of a frame.
    #[inline]
    pub(super) fn frame(span: Span<'a>, layer: Layer, vlan: VlanTags, interface: InterfaceId) -> Self {
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self {
            span,
            layer,
            src: nowhere,
            dst: nowhere,
            vlan,
            interface,
            hop_limit: 0,
            bad_ip: false,
            layers_left: LAYERS_MAX,
        }
    }

    /// Behind the IP header of a reassembled datagram.
    pub(super) const fn datagram(
        fragment: &Fragment<'_>,
        protocol: u8,
        span: Span<'a>,
        interface: InterfaceId,
    ) -> Self {
        let FragmentKey { src, dst, vlan, .. } = fragment.key;
        let layer = Layer::Transport(protocol);
        Self {
            span,
            layer,
            src,
            dst,
            vlan,
            interface,
            hop_limit: 0,
            bad_ip: false,
            layers_left: fragment.layers_left,
        }
    }

    /// Reads header after header, down to TCP.
    #[inline]
    pub(super) fn run(mut self) -> Result<Found<'a>, Reason> {
        loop {
            self.layers_left = self.layers_left.checked_sub(1).ok_or(Reason::DepthExceeded)?;
            self.layer = match self.layer {
                Layer::Ethernet => link_layers::ethernet(&mut self.span)?,
                Layer::EtherType(ether_type) => {
                    link_layers::ether_type(&mut self.span, ether_type, &mut self.vlan)?
                }
                Layer::Ip => {
                    let header = ip::header(&mut self.span)?;
                    (self.src, self.dst) = (header.src, header.dst);
                    (self.hop_limit, self.bad_ip) = (header.hop_limit, header.bad_checksum);
                    match header.payload {
                        ip::Payload::Whole(protocol) => Layer::Transport(protocol),
                        ip::Payload::Fragment { protocol, id, offset, more } => {
                            return Ok(self.fragment(protocol, id, offset, more));
                        }
                    }
                }
                Layer::Ppp => link_layers::ppp(&mut self.span)?,
                Layer::Pppoe => link_layers::pppoe(&mut self.span)?,
                Layer::Mpls => link_layers::mpls(&mut self.span)?,
                Layer::Transport(ip::TCP) => return self.segment().map(Found::Segment),
                Layer::Transport(protocol) if ip::is_extension(protocol) => {
                    match ip::extension(&mut self.span, protocol)? {
                        ip::Payload::Whole(protocol) => Layer::Transport(protocol),
                        ip::Payload::Fragment { protocol, id, offset, more } => {
                            return Ok(self.fragment(protocol, id, offset, more));
                        }
                    }
                }
                Layer::Transport(protocol) => tunnel::open(&mut self.span, protocol)?,
            };
        }
    }

    fn fragment(&self, protocol: u8, id: u32, offset: usize, more: bool) -> Found<'a> {
        let Self { src, dst, vlan, span, layers_left, .. } = *self;
        let key = FragmentKey { src, dst, protocol: src.is_ipv4().then_some(protocol), id, vlan };
        Found::Fragment(Fragment { key, protocol, offset, more, span, layers_left })
    }

    /// The TCP header (RFC 9293 section 3.1). Its options may be cut off by the snap length; its first 20 bytes may not.
    #[inline(always)]
    pub(super) fn segment(mut self) -> Result<Segment<'a>, Reason> {
        const HEADER_MIN: usize = 20;
        let wire_len = self.span.wire_len();
        let header = self.span.header::<HEADER_MIN>()?;
        let &[s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, data_offset, flags, w0, w1, c0, c1, u0, u1] =
            header;
        let header_len = usize::from(data_offset >> 4) * 4;
        let Some(wire_payload_len) = wire_len.checked_sub(header_len.max(HEADER_MIN)) else {
            return Err(Reason::BadHeader);
        };
        let Some(options_len) = header_len.checked_sub(HEADER_MIN) else { return Err(Reason::BadHeader) };
        let options = self.span.bytes.get(..options_len);
        let mut signs = options::signs(self.hop_limit, options.unwrap_or_default());
        let pointer = u16::from_be_bytes([u0, u1]);
        signs.urgent = if flags & TcpFlags::URG == 0 { 0 } else { pointer };
        let words = u32::from(u16::from_be_bytes([data_offset, flags]))
            + u32::from(u16::from_be_bytes([w0, w1]))
            + u32::from(pointer);
        signs.sum = HeaderSum {
            checksum: u16::from_be_bytes([c0, c1]),
            rest: (words + u32::from(options::sum(options.unwrap_or_default())))
                | ((header_len as u32) << 24),
            bad_ip: self.bad_ip,
            is_known: options.is_some(),
        };
        Ok(Segment {
            src: Endpoint::new(self.src, u16::from_be_bytes([s0, s1])),
            dst: Endpoint::new(self.dst, u16::from_be_bytes([d0, d1])),
            seq: u32::from_be_bytes([q0, q1, q2, q3]),
            ack: u32::from_be_bytes([a0, a1, a2, a3]),
            flags: TcpFlags(flags),
            signs,
            payload: self.span.bytes.get(options_len..).unwrap_or_default(),
            // An IP length has 16 bits, and no frame is as long as 4 GiB.
            wire_payload_len: u32::try_from(wire_payload_len).unwrap_or(u32::MAX),
            interface: self.interface,
            vlan: self.vlan,
        })
    }

    /// Sets the addresses of an IPv4 header.
    #[inline]
    pub(super) fn between_v4(&mut self, src: [u8; 4], dst: [u8; 4]) {
        self.src = IpAddr::from(src);
        self.dst = IpAddr::from(dst);
    }
}
