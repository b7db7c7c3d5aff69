//! From the first byte of a frame to its TCP segment.
//!
//! In two steps, because almost all packets are of no interest: [`Located::find`] goes as far as the ports,
//! [`HeaderOffsets::read_segment`] reads a packet that was selected.

use ftpmon_common::{Address, Counter, FlowKey, Hook, Link, PortMark};

use crate::hide::{hide_from_compiler, hide_from_verifier};
use crate::layout::{AddressPair, Extension, Ipv4Header, Ipv6Header, Octets8, Ports, TcpHeader};
use crate::packet::{Packet, Read};
use crate::segment::{SYN, Segment, VlanTags};

pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;
const TCP: u8 = 6;

/// The IP header's lengths contradict the packet.
const IP_FAULT: u32 = 1;
/// The TCP header's length contradicts the IP packet.
const TCP_FAULT: u32 = 2;

pub(crate) const ETHERNET_LEN: usize = 14;
pub(crate) const TAG_LEN: usize = 4;

/// VLAN tags followed in a frame's bytes (IEEE 802.1ad knows two).
pub(crate) const TAGS_MAX: usize = 2;
/// IPv6 extension headers followed: RFC 8200 section 4.1 recommends at most six kinds, each once. A bound that stops
/// a packet from holding the CPU.
const EXTENSIONS_MAX: usize = 6;

/// TCP is not looked for beyond this offset from the IP header: in any useful packet the extension headers together are shorter.
/// One less than a power of two, because it masks the offset as well.
const EXTENSIONS_END: usize = 4095;

/// The offsets of a packet's headers, packed into one register. Four registers survive a call; anything beyond them is written to
/// the stack and read back, for every packet of no interest.
#[derive(Clone, Copy)]
pub(crate) struct HeaderOffsets(u32);

impl HeaderOffsets {
    /// One VLAN tag in the frame's bytes; bits 12 and 13 count them.
    const TAG: u32 = 1 << 12;
    /// The packet is IPv6.
    const IPV6: u32 = 1 << 14;

    /// Bytes from the IP header to the TCP header, at most [`EXTENSIONS_END`].
    #[inline(always)]
    const fn ip_headers(self) -> usize {
        self.0 as usize & EXTENSIONS_END
    }

    /// VLAN tags in the bytes.
    #[inline(always)]
    const fn tags(self) -> usize {
        (self.0 / Self::TAG) as usize & 3
    }

    #[inline(always)]
    const fn is_ipv6(self) -> bool {
        self.0 & Self::IPV6 != 0
    }

    /// Offset of the IP header.
    #[inline(always)]
    const fn ip(self, link: Link) -> usize {
        match link {
            Link::Ethernet => ETHERNET_LEN + TAG_LEN * self.tags(),
            Link::RawIp => 0,
        }
    }
}

/// A TCP segment of which no more than the ports is known.
pub(crate) struct Located {
    /// The offsets of its headers.
    pub(crate) offsets: HeaderOffsets,
    /// Source port.
    pub(crate) source_port: u16,
    /// Destination port.
    pub(crate) destination_port: u16,
    /// Not 0 on SYN and SYN-ACK.
    pub(crate) syn: u32,
}

impl Located {
    /// Walks the headers of a frame. The error is the counter of the reason why it holds no TCP segment. Lengths are checked
    /// later, and only on a packet that was selected.
    #[inline(always)]
    pub(crate) fn find<R: Read>(bytes: &R, link: Link) -> Result<Self, Counter> {
        let mut ip = 0;
        let mut packed = 0;
        let ipv6 = match link {
            Link::Ethernet => {
                let mut ethertype = u16::from_be(bytes.read(12).ok_or(Counter::EthernetTruncated)?);
                ip = ETHERNET_LEN;
                for _ in 0..TAGS_MAX {
                    if !is_tag(ethertype) {
                        break;
                    }
                    ethertype = u16::from_be(bytes.read(ip + 2).ok_or(Counter::VlanTruncated)?);
                    ip += TAG_LEN;
                    packed += HeaderOffsets::TAG;
                }
                match ethertype {
                    ETHERTYPE_IPV4 => false,
                    ETHERTYPE_IPV6 => true,
                    other if is_tag(other) => return Err(Counter::VlanTooDeep),
                    _ => return Err(Counter::NotIp),
                }
            }
            Link::RawIp => {
                // Two bytes, because the verifier learns nothing from a bounds check on the very first one.
                let [version, _]: [u8; 2] = bytes.read(0).ok_or(Counter::NotIp)?;
                match version >> 4 {
                    4 => false,
                    6 => true,
                    _ => return Err(Counter::NotIp),
                }
            }
        };
        let ip_headers = if ipv6 {
            packed |= HeaderOffsets::IPV6;
            ipv6_headers(bytes, ip)?
        } else {
            ipv4_header(bytes, ip)?
        };
        let header: TcpHeader = bytes.read(ip + ip_headers).ok_or(Counter::TcpTruncated)?;
        Ok(Self {
            offsets: HeaderOffsets(hide_from_compiler(packed | ip_headers as u32)),
            source_port: u16::from_be(header.source),
            destination_port: u16::from_be(header.destination),
            syn: u32::from(header.len_flags & u16::from(SYN).to_be()),
        })
    }
}

/// The marks of a packet's ports, looked up once.
#[derive(Clone, Copy)]
pub(crate) struct PortMarks {
    pub(crate) source: PortMark,
    pub(crate) destination: PortMark,
}

impl HeaderOffsets {
    /// Reads the segment of a packet that was selected. On an error `segment` holds the connection and the wrong lengths.
    #[inline(always)]
    pub(crate) fn read_segment<R: Read, P: Packet>(
        self,
        bytes: &R,
        packet: P,
        (hook, link): (Hook, Link),
        marks: PortMarks,
        segment: &mut Segment,
    ) -> Result<(), Counter> {
        let frame_len = packet.len();
        let ip = self.ip(link);
        let tcp = ip + self.ip_headers();
        // Bytes from the IP header to the packet's end; 0 on jumbograms and super-packets beyond 64 KiB (RFC 2675, BIG TCP).
        let (source, destination, ip_len, malformed) = if self.is_ipv6() {
            let len: u16 = bytes.read(ip + 4).ok_or(Counter::Ipv6Truncated)?;
            let len = u32::from(u16::from_be(len));
            let addresses: AddressPair = bytes.read(ip + 8).ok_or(Counter::Ipv6Truncated)?;
            let [a, b, c, d] = addresses.halves();
            let (source, destination) = (Address::from_halves(a, b), Address::from_halves(c, d));
            (source, destination, if len == 0 { 0 } else { len + 40 }, Counter::Ipv6Malformed)
        } else {
            let len: u16 = bytes.read(ip + 2).ok_or(Counter::Ipv4Truncated)?;
            let addresses: Octets8 = bytes.read(ip + 12).ok_or(Counter::Ipv4Truncated)?;
            let (source, destination) =
                (Address::from_ipv4(addresses.first()), Address::from_ipv4(addresses.second()));
            (source, destination, u32::from(u16::from_be(len)), Counter::Ipv4Malformed)
        };
        let ports: Ports = bytes.read(tcp).ok_or(Counter::TcpTruncated)?;
        let (source_port, destination_port) = (u16::from_be(ports.source), u16::from_be(ports.destination));
        let numbers: Octets8 = bytes.read(tcp + 4).ok_or(Counter::TcpTruncated)?;
        let len_flags: u16 = bytes.read(tcp + 12).ok_or(Counter::TcpTruncated)?;
        let header_len = u32::from(u16::from_be(len_flags) >> 12) * 4;
        let headers = self.ip_headers() as u32 + header_len;
        let on_wire = frame_len.wrapping_sub(ip as u32);
        let ip_fault =
            ip_len > on_wire || (ip_len != 0 && !self.is_ipv6() && ip_len < self.ip_headers() as u32);
        let ip_len = if ip_len == 0 { on_wire } else { ip_len };
        let fault = if ip_fault {
            IP_FAULT
        } else if header_len < 20 || headers > ip_len {
            TCP_FAULT
        } else {
            0
        };
        // Through the map, so that the verifier walks what follows once and not once for each fault.
        // SAFETY: an integer in a map value that nothing else refers to.
        let fault = unsafe {
            (&raw mut segment.loss).write_volatile(fault);
            (&raw const segment.loss).read_volatile()
        };
        let (control, protocol) = packet.tag();
        let (key, direction) = FlowKey::new(source, source_port, destination, destination_port);
        *segment = Segment {
            hook: hook as u32,
            link: link as u32,
            key,
            direction: direction as u32,
            flags: u32::from(u16::from_be(len_flags) as u8),
            tags: VlanTags::default(),
            device_tag: [control, protocol],
            seq: u32::from_be(numbers.first()),
            ack: u32::from_be(numbers.second()),
            payload: ip_len.wrapping_sub(headers),
            payload_at: ip as u32 + headers,
            frame_len,
            copied: 0,
            source_port: u32::from(source_port),
            destination_port: u32::from(destination_port),
            source_mark: marks.source,
            destination_mark: marks.destination,
            loss: 0,
        };
        if protocol != 0 {
            segment.tags.push(control);
        }
        self.read_vlan_tags(bytes, &mut segment.tags)?;
        match fault {
            0 => Ok(()),
            IP_FAULT => Err(malformed),
            _ => Err(Counter::TcpMalformed),
        }
    }

    /// Reads the VLAN tags in the packet's bytes.
    ///
    /// Their offsets are hidden from the compiler. It would drop the bounds checks as implied by an earlier one, of a header behind
    /// the tags, and verifiers before Linux 6.10 cannot follow that conclusion.
    #[inline(always)]
    fn read_vlan_tags<R: Read>(self, bytes: &R, tags: &mut VlanTags) -> Result<(), Counter> {
        for index in 0..TAGS_MAX {
            if self.tags() > index {
                let offset = hide_from_compiler((ETHERNET_LEN + index * TAG_LEN) as u32) as usize;
                tags.push(u16::from_be(bytes.read(offset).ok_or(Counter::VlanTruncated)?));
            }
        }
        Ok(())
    }
}

/// The EtherTypes of VLAN tags: 802.1Q, 802.1ad, and the one for stacked tags before 802.1ad.
#[inline(always)]
pub(crate) const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, 0x8100 | 0x88a8 | 0x9100)
}

/// The length of an IPv4 header that is followed by TCP (RFC 791).
#[inline(always)]
fn ipv4_header<R: Read>(bytes: &R, ip: usize) -> Result<usize, Counter> {
    let header: Ipv4Header = bytes.read(ip).ok_or(Counter::Ipv4Truncated)?;
    let version_len = u16::from_be(header.version_len_service) >> 8;
    let header_len = usize::from(version_len & 0x0f) * 4;
    if version_len >> 4 != 4 || header_len < 20 {
        return Err(Counter::Ipv4Malformed);
    }
    if u16::from_be(header.ttl_protocol) as u8 != TCP {
        return Err(Counter::NotTcp);
    }
    let fragment = u16::from_be(header.fragment);
    if fragment & 0x3fff != 0 {
        let first = fragment & 0x1fff == 0;
        return Err(if first { Counter::FragmentFirst } else { Counter::FragmentLater });
    }
    Ok(header_len)
}

/// The length of an IPv6 header and its extensions that are followed by TCP (RFC 8200).
#[inline(always)]
fn ipv6_headers<R: Read>(bytes: &R, ip: usize) -> Result<usize, Counter> {
    let header: Ipv6Header = bytes.read(ip).ok_or(Counter::Ipv6Truncated)?;
    if header.version >> 4 != 6 {
        return Err(Counter::Ipv6Malformed);
    }
    let mut next = header.next;
    let mut at = 40;
    if next == TCP {
        return Ok(at);
    }
    for _ in 0..EXTENSIONS_MAX {
        let extension: Extension = bytes.read(ip + at).ok_or(Counter::Ipv6ExtensionTruncated)?;
        // Protocol numbers of IANA's list of extension headers.
        at += match next {
            // Hop-by-hop options, routing, destination options, mobility, HIP, Shim6.
            0 | 43 | 60 | 135 | 139 | 140 => usize::from(extension.len) * 8 + 8,
            // Authentication header.
            51 => usize::from(extension.len) * 4 + 8,
            // Fragment header: only one that makes no fragment is walked over (RFC 6946).
            44 => {
                let fragment = u16::from_be(extension.fragment);
                if fragment & 0xfff9 != 0 {
                    // What follows is said by the first fragment alone (section 4.5), and may be another extension.
                    return Err(match (fragment & 0xfff8, extension.next) {
                        (0, TCP | 0 | 43 | 51 | 60 | 135 | 139 | 140) => Counter::FragmentFirst,
                        (0, _) => Counter::NotTcp,
                        _ => Counter::FragmentLater,
                    });
                }
                8
            }
            _ => return Err(Counter::NotTcp),
        };
        next = extension.next;
        if at > EXTENSIONS_END {
            return Err(Counter::Ipv6ChainTooLong);
        }
        at = hide_from_verifier(at) & EXTENSIONS_END;
        if next == TCP {
            return Ok(at);
        }
    }
    Err(Counter::Ipv6ChainTooLong)
}
