//! Link types and their headers.

use super::counters::Reason;
use super::layer::Layer;
use super::span::Span;

/// The first header of the frames of an interface. Numbers: <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkType {
    /// Ethernet (1).
    Ethernet,
    /// An IP packet, its version in its first four bits (101, and what the BSDs wrote instead: 12, 14; 228 IPv4 and
    /// 229 IPv6 alone).
    Ip,
    /// Linux "cooked", version 1 (113): what `-i any` gave until 2021.
    LinuxCooked,
    /// Linux "cooked", version 2 (276).
    LinuxCooked2,
    /// BSD loopback (0), and OpenBSD's (108): four bytes of address family, whose byte order is the writer's.
    Loopback,
    /// PPP (9), and PPP in HDLC-like framing (50).
    Ppp,
    /// PPPoE, session stage, without the Ethernet header (51).
    Pppoe,
    /// Cisco HDLC (104).
    CiscoHdlc,
    /// MPLS (219).
    Mpls,
}

impl LinkType {
    /// The link type of a LINKTYPE_ number as pcap and pcapng files carry it; none for one that ftpmon cannot read.
    pub const fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            9 | 50 => Self::Ppp,
            12 | 14 | 101 | 228 | 229 => Self::Ip,
            51 => Self::Pppoe,
            104 => Self::CiscoHdlc,
            113 => Self::LinuxCooked,
            219 => Self::Mpls,
            276 => Self::LinuxCooked2,
            _ => return None,
        })
    }

    /// Reads the link header, unless it is a layer that also occurs inside a frame. Returns the layer that follows.
    #[inline]
    pub(super) fn open(self, span: &mut Span<'_>) -> Result<Layer, Reason> {
        match self {
            Self::Ethernet => Ok(Layer::Ethernet),
            Self::Ip => Ok(Layer::Ip),
            Self::Ppp => Ok(Layer::Ppp),
            Self::Pppoe => Ok(Layer::Pppoe),
            Self::Mpls => Ok(Layer::Mpls),
            Self::LinuxCooked => {
                let &[.., high, low] = span.header::<16>()?;
                Ok(Layer::EtherType(u16::from_be_bytes([high, low])))
            }
            Self::LinuxCooked2 => {
                let &[high, low, ..] = span.header::<20>()?;
                Ok(Layer::EtherType(u16::from_be_bytes([high, low])))
            }
            Self::CiscoHdlc => {
                let &[_, _, high, low] = span.header::<4>()?;
                Ok(Layer::EtherType(u16::from_be_bytes([high, low])))
            }
            Self::Loopback => loopback(*span.header::<4>()?),
        }
    }
}

/// The address family as either byte order has it. AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24 on NetBSD and
/// OpenBSD, 28 on FreeBSD, 30 on macOS.
fn loopback(family: [u8; 4]) -> Result<Layer, Reason> {
    let family = u32::from_le_bytes(family).min(u32::from_be_bytes(family));
    match family {
        2 | 10 | 24 | 28 | 30 => Ok(Layer::Ip),
        _ => Err(Reason::NotIp),
    }
}
