//! Protocols over IP that carry IP again.

use etherparse::{IpNumber, UdpHeaderSlice};

use super::counters::Reason;
use super::layer::Layer;
use super::link_layers::{PPP, TRANSPARENT_ETHERNET_BRIDGING};
use super::span::Span;

const IPV4: u8 = IpNumber::IPV4.0;
const IPV6: u8 = IpNumber::IPV6.0;
const UDP: u8 = IpNumber::UDP.0;
const GRE: u8 = IpNumber::GRE.0;
const ETHERIP: u8 = IpNumber::ETHER_IP.0;
const MPLS: u8 = IpNumber::MPLS_IN_IP.0;

const VXLAN_PORT: u16 = 4789;
const GENEVE_PORT: u16 = 6081;

/// ERSPAN, a switch's mirror port over GRE: type II (or I, without a header of its own) and type III.
const ERSPAN: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;

/// Reads the header of a tunnel; any other protocol is not TCP.
pub(super) fn open(span: &mut Span<'_>, protocol: u8) -> Result<Layer, Reason> {
    match protocol {
        UDP => udp(span),
        IPV4 | IPV6 => Ok(Layer::Ip),
        GRE => gre(span),
        ETHERIP => etherip(span),
        MPLS => Ok(Layer::Mpls),
        _ => Err(Reason::NotTcp),
    }
}

/// UDP carries a tunnel when the destination port and the first bytes are those of one.
fn udp(span: &mut Span<'_>) -> Result<Layer, Reason> {
    let header = UdpHeaderSlice::from_slice(span.bytes).map_err(|_| Reason::TruncatedHeader)?;
    span.skip(header.slice().len())?;
    match header.destination_port() {
        VXLAN_PORT => vxlan(span),
        GENEVE_PORT => geneve(span),
        _ => Err(Reason::NotTcp),
    }
}

/// RFC 7348 section 5: with the flag of a network identifier; Ethernet follows.
fn vxlan(span: &mut Span<'_>) -> Result<Layer, Reason> {
    match span.header::<8>() {
        Ok([flags, ..]) if flags & 0x08 != 0 => Ok(Layer::Ethernet),
        _ => Err(Reason::NotTcp),
    }
}

/// RFC 8926 section 3.4: version 0, options in words of four bytes.
fn geneve(span: &mut Span<'_>) -> Result<Layer, Reason> {
    match span.header::<8>() {
        Ok(&[version_and_len, _, high, low, ..]) if version_and_len >> 6 == 0 => {
            span.skip(usize::from(version_and_len & 0x3f) * 4)?;
            Ok(Layer::EtherType(u16::from_be_bytes([high, low])))
        }
        _ => Err(Reason::NotTcp),
    }
}

/// GRE: version 0 (RFC 2784, RFC 2890; without RFC 1701's source routes) and PPTP's version 1 (RFC 2637 section 4.1).
fn gre(span: &mut Span<'_>) -> Result<Layer, Reason> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGMENT: u16 = 0x0080;
    const VERSION: u16 = 0x0007;

    let &[f0, f1, p0, p1] = span.header::<4>()?;
    let (flags, protocol) = (u16::from_be_bytes([f0, f1]), u16::from_be_bytes([p0, p1]));
    let word = |flag: u16| usize::from(flags & flag != 0) * 4;
    match flags & VERSION {
        0 if flags & ROUTING == 0 => span.skip(word(CHECKSUM) + word(KEY) + word(SEQUENCE))?,
        1 if protocol == PPP && flags & KEY != 0 => {
            span.skip(word(KEY) + word(SEQUENCE) + word(ACKNOWLEDGMENT))?;
            // Without a sequence number it is a bare acknowledgment.
            return if flags & SEQUENCE != 0 { Ok(Layer::Ppp) } else { Err(Reason::NotTcp) };
        }
        _ => return Err(Reason::BadHeader),
    }
    match protocol {
        ERSPAN => {
            span.skip(if flags & SEQUENCE != 0 { 8 } else { 0 })?;
            Ok(Layer::Ethernet)
        }
        ERSPAN_III => {
            // The last bit means that a sub-header of eight bytes follows.
            let &[.., last] = span.header::<12>()?;
            span.skip(usize::from(last & 1) * 8)?;
            Ok(Layer::Ethernet)
        }
        TRANSPARENT_ETHERNET_BRIDGING => Ok(Layer::Ethernet),
        _ => Ok(Layer::EtherType(protocol)),
    }
}

/// RFC 3378 section 3: version 3, twelve bits of zero.
fn etherip(span: &mut Span<'_>) -> Result<Layer, Reason> {
    match span.header::<2>()? {
        [0x30, 0x00] => Ok(Layer::Ethernet),
        _ => Err(Reason::BadHeader),
    }
}
