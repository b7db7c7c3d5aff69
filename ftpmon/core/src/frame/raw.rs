//! A frame before it is decoded.

use super::link::LinkType;
use crate::segment::{InterfaceId, VlanTag};

/// A frame as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct RawFrame<'a> {
    /// Its first header.
    pub link: LinkType,
    /// The captured bytes.
    pub bytes: &'a [u8],
    /// Its length on the wire: more than `bytes.len()` where the capture cut it short.
    pub wire_len: u32,
    /// The interface that it was seen on.
    pub interface: InterfaceId,
    /// A VLAN tag that the device took out of the frame into its metadata: outer to any in the bytes.
    pub tag: Option<VlanTag>,
}
