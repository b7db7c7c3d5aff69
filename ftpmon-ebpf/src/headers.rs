//! From the first byte of a frame to its TCP segment.
//!
//! In two steps, because almost all packets are of no interest: [`Located::find`] goes as far as the ports,
//! [`Place::segment`] reads a packet that was selected.

use ftpmon_common::{Address, Counter, Direction, FlowKey, Hook, Link, PortMark};

use crate::layout::{Eight, Eights, Extension, Ipv4Header, Ipv6Header, Ports, TcpHeader};
use crate::maps::{SCRATCH, port_mark};
use crate::packet::{Packet, Pieces, Read};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const TCP: u8 = 6;

const ETHERNET_LEN: usize = 14;
const TAG_LEN: usize = 4;

/// VLAN tags followed in a frame's bytes (IEEE 802.1ad knows two).
const TAGS_MAX: usize = 2;
/// IPv6 extension headers followed: RFC 8200 section 4.1 recommends at most six kinds, each once. A bound that stops
/// a packet from holding the CPU.
const EXTENSIONS_MAX: usize = 6;

/// TCP is not looked for beyond this offset: all extension headers together are shorter in any packet that is meant.
/// One less than a power of two, as it masks the offset as well.
const EXTENSIONS_END: usize = 4095;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// Where a packet's headers are, in one register. The machine has four that outlive a call: what finds no room there is written to
/// the stack and read back, for each packet that is of no interest.
#[derive(Clone, Copy)]
pub(crate) struct Place(u32);

impl Place {
    const TAG: u32 = 1 << 12;
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

/// A TCP segment as far as its ports.
pub(crate) struct Located {
    /// Where it is.
    pub(crate) place: Place,
    /// Source port.
    pub(crate) source_port: u16,
    /// Destination port.
    pub(crate) destination_port: u16,
    /// Not 0 where it opens a connection, or answers that.
    pub(crate) syn: u32,
}

impl Located {
    /// Walks the headers of a frame. What is no TCP segment is the counter of the reason. Lengths are looked at later, and only
    /// of a packet that was selected.
    #[inline(always)]
    pub(crate) fn find<R: Read>(bytes: &R, link: Link) -> Result<Self, Counter> {
        let mut ip = 0;
        let mut place = 0;
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
                    place += Place::TAG;
                }
                match ethertype {
                    ETHERTYPE_IPV4 => false,
                    ETHERTYPE_IPV6 => true,
                    other if is_tag(other) => return Err(Counter::VlanTooDeep),
                    _ => return Err(Counter::NotIp),
                }
            }
            Link::RawIp => {
                // Two bytes: the verifier takes no knowledge from a bound check on the very first one.
                let [version, _]: [u8; 2] = bytes.read(0).ok_or(Counter::NotIp)?;
                match version >> 4 {
                    4 => false,
                    6 => true,
                    _ => return Err(Counter::NotIp),
                }
            }
        };
        let ip_headers = if ipv6 {
            place |= Place::IPV6;
            ipv6_headers(bytes, ip)?
        } else {
            ipv4_header(bytes, ip)?
        };
        let header: TcpHeader = bytes.read(ip + ip_headers).ok_or(Counter::TcpTruncated)?;
        Ok(Self {
            place: Place(opaque(place | ip_headers as u32)),
            source_port: u16::from_be(header.source),
            destination_port: u16::from_be(header.destination),
            syn: u32::from(header.len_flags & u16::from(SYN).to_be()),
        })
    }
}

impl Place {
    /// Reads a segment that was selected.
    #[inline(always)]
    pub(crate) fn segment<R: Read, P: Packet>(
        self,
        bytes: &R,
        packet: P,
        hook: Hook,
        link: Link,
        segment: &mut Segment,
    ) -> Result<(), Counter> {
        let frame_len = packet.len();
        let ip = self.ip(link);
        let tcp = ip + self.ip_headers();
        // Bytes from the IP header to the packet's end; 0 on jumbograms and super-packets beyond 64 KiB (RFC 2675, BIG TCP).
        let (source, destination, ip_len, malformed) = if self.is_ipv6() {
            let len: u16 = bytes.read(ip + 4).ok_or(Counter::Ipv6Truncated)?;
            let len = u32::from(u16::from_be(len));
            let Eights { a, b, c, d } = bytes.read(ip + 8).ok_or(Counter::Ipv6Truncated)?;
            let (source, destination) =
                (Address::from_halves(a.whole(), b.whole()), Address::from_halves(c.whole(), d.whole()));
            (source, destination, if len == 0 { 0 } else { len + 40 }, Counter::Ipv6Malformed)
        } else {
            let len: u16 = bytes.read(ip + 2).ok_or(Counter::Ipv4Truncated)?;
            let addresses: Eight = bytes.read(ip + 12).ok_or(Counter::Ipv4Truncated)?;
            let (source, destination) =
                (Address::from_ipv4(addresses.first()), Address::from_ipv4(addresses.second()));
            (source, destination, u32::from(u16::from_be(len)), Counter::Ipv4Malformed)
        };
        let ports: Ports = bytes.read(tcp).ok_or(Counter::TcpTruncated)?;
        let (source_port, destination_port) = (u16::from_be(ports.source), u16::from_be(ports.destination));
        let numbers: Eight = bytes.read(tcp + 4).ok_or(Counter::TcpTruncated)?;
        let len_flags: u16 = bytes.read(tcp + 12).ok_or(Counter::TcpTruncated)?;
        let header_len = u32::from(u16::from_be(len_flags) >> 12) * 4;
        let headers = self.ip_headers() as u32 + header_len;
        let on_wire = frame_len.wrapping_sub(ip as u32);
        if ip_len > on_wire || (ip_len != 0 && !self.is_ipv6() && ip_len < self.ip_headers() as u32) {
            return Err(malformed);
        }
        let ip_len = if ip_len == 0 { on_wire } else { ip_len };
        if header_len < 20 || headers > ip_len {
            return Err(Counter::TcpMalformed);
        }
        let (key, direction) = FlowKey::new(source, source_port, destination, destination_port);
        let mut tags = Tags::default();
        let (tci, protocol) = packet.tag();
        if protocol != 0 {
            tags.push(tci);
        }
        if self.tags() > 0 {
            tags.push(u16::from_be(bytes.read(14).ok_or(Counter::VlanTruncated)?));
        }
        if self.tags() > 1 {
            tags.push(u16::from_be(bytes.read(18).ok_or(Counter::VlanTruncated)?));
        }
        *segment = Segment {
            hook: hook as u32,
            link: link as u32,
            key,
            direction: direction as u32,
            flags: u32::from(u16::from_be(len_flags) as u8),
            tags,
            seq: u32::from_be(numbers.first()),
            ack: u32::from_be(numbers.second()),
            payload: ip_len - headers,
            payload_at: ip as u32 + headers,
            frame_len,
            copied: 0,
            source_port: u32::from(source_port),
            destination_port: u32::from(destination_port),
            source_mark: port_mark(source_port),
            destination_mark: port_mark(destination_port),
        };
        Ok(())
    }
}

/// A packet that was selected. It lives in [`crate::maps::SCRATCH`], not on the stack: that is 512 bytes for all of a call
/// chain, and the verifier, which knows nothing of a map's contents, walks what follows once and not once for each way in
/// which headers can be stacked.
#[repr(C)]
pub(crate) struct Segment {
    /// The [`Hook`] that it was seen at.
    pub(crate) hook: u32,
    /// The [`Link`] that its frame begins with.
    pub(crate) link: u32,
    /// Its connection.
    pub(crate) key: FlowKey,
    /// Which way it goes: [`Direction::index`].
    direction: u32,
    /// TCP flags.
    pub(crate) flags: u32,
    /// Its VLAN tags.
    pub(crate) tags: Tags,
    /// Sequence number.
    pub(crate) seq: u32,
    /// Acknowledgment number.
    pub(crate) ack: u32,
    /// Payload bytes.
    pub(crate) payload: u32,
    /// Where in the frame they begin.
    pub(crate) payload_at: u32,
    /// Bytes from layer 2.
    pub(crate) frame_len: u32,
    /// Bytes of the frame that went to the ring.
    pub(crate) copied: u32,
    /// Source port.
    pub(crate) source_port: u32,
    /// Destination port.
    pub(crate) destination_port: u32,
    /// What is known of the source port.
    pub(crate) source_mark: PortMark,
    /// What is known of the destination port.
    pub(crate) destination_mark: PortMark,
}

impl Segment {
    /// The index of its sender's half: 0 or 1, in a form that the verifier sees.
    #[inline(always)]
    pub(crate) const fn index(&self) -> usize {
        (self.direction & 1) as usize
    }

    /// The first four bytes of its payload; none where it has fewer.
    #[inline(always)]
    pub(crate) fn beginning<P: Packet>(&self, packet: P) -> Option<[u8; 4]> {
        if self.payload < 4 {
            return None;
        }
        Pieces(packet).read(self.payload_at as usize)
    }

    /// Which way it goes.
    #[inline(always)]
    pub(crate) const fn direction(&self) -> Direction {
        if self.direction == 0 { Direction::LowToHigh } else { Direction::HighToLow }
    }

    /// Any of these flags is set.
    #[inline(always)]
    pub(crate) const fn any(&self, flags: u8) -> bool {
        self.flags & flags as u32 != 0
    }

    /// Sequence numbers that it takes up: payload, SYN and FIN.
    #[inline(always)]
    pub(crate) const fn sequence_len(&self) -> u32 {
        self.payload.wrapping_add(self.any(SYN) as u32).wrapping_add(self.any(FIN) as u32)
    }
}

/// The tag control information of a packet's first two VLAN tags, outermost first.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tags {
    pub(crate) outer: u32,
    pub(crate) inner: u32,
    pub(crate) count: u32,
}

impl Tags {
    #[inline(always)]
    fn push(&mut self, tci: u16) {
        match self.count {
            0 => self.outer = u32::from(tci),
            1 => self.inner = u32::from(tci),
            _ => return,
        }
        self.count += 1;
    }
}

/// 802.1Q, 802.1ad, and what stacked tags had before it.
#[inline(always)]
const fn is_tag(ethertype: u16) -> bool {
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
                    return Err(match (fragment & 0xfff8, extension.next) {
                        (0, TCP) => Counter::FragmentFirst,
                        (_, TCP) => Counter::FragmentLater,
                        _ => Counter::NotTcp,
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
        at = forgotten(at) & EXTENSIONS_END;
        if next == TCP {
            return Ok(at);
        }
    }
    Err(Counter::Ipv6ChainTooLong)
}

/// The same number, of which the verifier knows nothing any more: it has been in a map. So each round is walked once, and
/// not once for each way to come there.
#[inline(always)]
fn forgotten(number: usize) -> usize {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else { return 0 };
    // SAFETY: a per-CPU map's value, an integer.
    unsafe {
        (&raw mut (*scratch).word).write_volatile(number);
        (&raw const (*scratch).word).read_volatile()
    }
}

/// The same number, of which the compiler knows nothing any more: what it was made of need not be kept for taking it apart. No
/// instruction at all would do, but not for the kernel, which wants one for each line that the object names.
#[inline(always)]
fn opaque(number: u32) -> u32 {
    let number = u64::from(number);
    let opaque: u64;
    // SAFETY: a register is moved to another.
    #[cfg(target_arch = "bpf")]
    unsafe {
        core::arch::asm!("{0} = {1}", lateout(reg) opaque, in(reg) number, options(nomem, nostack));
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        opaque = number;
    }
    opaque as u32
}

/// This CPU's working memory.
#[repr(C)]
pub(crate) struct Scratch {
    pub(crate) segment: Segment,
    word: usize,
}
