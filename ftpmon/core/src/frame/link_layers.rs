//! The layers between the link and IP: Ethernet, VLAN tags, PPP, PPPoE, MPLS.

use etherparse::{EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::counters::Reason;
use super::layer::Layer;
use super::span::Span;
use crate::segment::VlanTags;

const IPV4: u16 = EtherType::IPV4.0;
const IPV6: u16 = EtherType::IPV6.0;
/// 802.1Q.
const VLAN: u16 = EtherType::VLAN_TAGGED_FRAME.0;
/// 802.1ad.
const PROVIDER_BRIDGING: u16 = EtherType::PROVIDER_BRIDGING.0;
/// The outer tag of switches before 802.1ad.
const VLAN_DOUBLE_TAGGED: u16 = EtherType::VLAN_DOUBLE_TAGGED_FRAME.0;
const PPPOE_SESSION: u16 = 0x8864;
const MPLS_UNICAST: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
/// Ethernet in GRE, Geneve and the like (RFC 1701, RFC 7637).
pub(super) const TRANSPARENT_ETHERNET_BRIDGING: u16 = 0x6558;
/// PPP in GRE (RFC 2637).
pub(super) const PPP: u16 = 0x880b;
/// Up to here an EtherType is a length, and LLC follows (IEEE 802.3 clause 3.2.6).
const LENGTH_MAX: u16 = 1500;

/// An Ethernet header.
#[inline]
pub(super) fn ethernet(span: &mut Span<'_>) -> Result<Layer, Reason> {
    let header = Ethernet2HeaderSlice::from_slice(span.bytes).map_err(|_| Reason::TruncatedHeader)?;
    span.skip(header.slice().len())?;
    Ok(Layer::EtherType(header.ether_type().0))
}

/// The layer that an EtherType names.
#[inline]
pub(super) fn ether_type(span: &mut Span<'_>, ether_type: u16, vlan: &mut VlanTags) -> Result<Layer, Reason> {
    match ether_type {
        // The version is read from the IP header itself.
        IPV4 | IPV6 => Ok(Layer::Ip),
        VLAN | PROVIDER_BRIDGING | VLAN_DOUBLE_TAGGED => {
            let tag = SingleVlanHeaderSlice::from_slice(span.bytes).map_err(|_| Reason::TruncatedHeader)?;
            span.skip(tag.slice().len())?;
            vlan.push(tag.vlan_identifier().value());
            Ok(Layer::EtherType(tag.ether_type().0))
        }
        PPPOE_SESSION => Ok(Layer::Pppoe),
        MPLS_UNICAST | MPLS_MULTICAST => Ok(Layer::Mpls),
        TRANSPARENT_ETHERNET_BRIDGING => Ok(Layer::Ethernet),
        PPP => Ok(Layer::Ppp),
        0..=LENGTH_MAX => snap(span),
        _ => Err(Reason::NotIp),
    }
}

/// LLC with SNAP and no organization code: an EtherType after all (RFC 1042).
fn snap(span: &mut Span<'_>) -> Result<Layer, Reason> {
    match span.header::<8>() {
        Ok(&[0xaa, 0xaa, 0x03, 0, 0, 0, high, low]) => Ok(Layer::EtherType(u16::from_be_bytes([high, low]))),
        _ => Err(Reason::NotIp),
    }
}

/// A PPPoE session header (RFC 2516 section 4).
pub(super) fn pppoe(span: &mut Span<'_>) -> Result<Layer, Reason> {
    match span.header::<6>()? {
        [0x11, 0, ..] => Ok(Layer::Ppp),
        [0x11, ..] => Err(Reason::NotIp),
        _ => Err(Reason::BadHeader),
    }
}

/// A PPP protocol field of one or two bytes, behind address and control bytes or not (RFC 1661 section 2, RFC 1662
/// section 3.1).
pub(super) fn ppp(span: &mut Span<'_>) -> Result<Layer, Reason> {
    if let [0xff, 0x03, ..] = span.bytes {
        span.skip(2)?;
    }
    let protocol = match span.bytes {
        // The low bit ends the field.
        [byte, ..] if byte & 1 != 0 => {
            span.skip(1)?;
            u16::from(*byte)
        }
        _ => u16::from_be_bytes(*span.header::<2>()?),
    };
    match protocol {
        0x0021 | 0x0057 => Ok(Layer::Ip),
        0x0281 | 0x0283 => Ok(Layer::Mpls),
        _ => Err(Reason::NotIp),
    }
}

/// One label of an MPLS stack (RFC 3032 section 2.1). The payload type is not encoded: IP is recognized by its
/// version; Ethernet follows a control word that begins with a zero (RFC 4385 section 3), or comes without one.
pub(super) fn mpls(span: &mut Span<'_>) -> Result<Layer, Reason> {
    let &[_, _, low, _] = span.header::<4>()?;
    let bottom = low & 1 != 0;
    if !bottom {
        return Ok(Layer::Mpls);
    }
    match span.bytes.first().ok_or(Reason::TruncatedHeader)? >> 4 {
        4 | 6 => Ok(Layer::Ip),
        0 => {
            span.skip(4)?;
            Ok(Layer::Ethernet)
        }
        _ => Ok(Layer::Ethernet),
    }
}
