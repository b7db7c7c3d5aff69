//! A dialogue of one client with one server, as its segments.

use std::net::{IpAddr, Ipv4Addr};

use ftpmon_core::segment::{InterfaceId, Segment, Signs, TcpFlags, VlanTags};
use ftpmon_event::addr::Endpoint;

/// The next segment of an end: of the server (1) or the client (0). `next`: the sequence numbers of both.
pub fn segment(own: usize, next: [u32; 2], payload: &[u8]) -> Segment<'_> {
    let ends = [
        Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 4_000),
        Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 21),
    ];
    Segment {
        src: ends[own],
        dst: ends[1 - own],
        seq: next[own],
        ack: next[1 - own],
        flags: TcpFlags(TcpFlags::ACK),
        payload,
        wire_payload_len: payload.len() as u32,
        interface: InterfaceId(0),
        vlan: VlanTags::default(),
        signs: Signs::default(),
    }
}
