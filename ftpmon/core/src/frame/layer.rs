//! The kinds of headers that a frame can hold.

/// The most headers of a frame that are read (each VLAN tag, MPLS label, extension header and tunnel is one).
/// Stops a frame of 64 KiB full of four-byte labels from costing thousands of steps.
pub const LAYERS_MAX: u8 = 32;

/// The header that the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// An Ethernet header.
    Ethernet,
    /// The layer that an EtherType names.
    EtherType(u16),
    /// An IP header of either version.
    Ip,
    /// A PPP protocol field, with or without HDLC's address and control bytes.
    Ppp,
    /// A PPPoE header.
    Pppoe,
    /// An MPLS label.
    Mpls,
    /// The layer that an IP protocol number names.
    Transport(u8),
}
