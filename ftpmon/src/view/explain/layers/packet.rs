//! The payload of an IP packet, and flags by name.

use core::net::IpAddr;

/// The payload of an IP packet.
pub(super) struct Packet {
    /// The source and the destination.
    pub(super) ends: [IpAddr; 2],
    /// Its offset in the frame.
    pub(super) at: usize,
    /// Its length on the wire.
    pub(super) len: usize,
}

/// The names of the flags that are set.
pub(super) fn names(flags: &[(bool, &'static str)]) -> String {
    let set: Vec<&str> = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name).collect();
    if set.is_empty() { "-".to_owned() } else { set.join(", ") }
}
