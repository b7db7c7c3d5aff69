//! Frames built with etherparse and by hand, layer by layer.

use etherparse::{PacketBuilder, VlanId};

use super::{Decoder, LinkType, RawFrame};
use crate::segment::{InterfaceId, TcpFlags, VlanTags};
use crate::time::Timestamp;

fn frame(link: LinkType, bytes: &[u8]) -> RawFrame<'_> {
    let wire_len = u32::try_from(bytes.len()).unwrap();
    RawFrame { link, bytes, wire_len, interface: InterfaceId(3), vlan: VlanTags::default() }
}

#[test]
fn ethernet_with_two_vlan_tags_ipv4_and_padding() {
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6])
        .double_vlan(VlanId::try_new(10).unwrap(), VlanId::try_new(100).unwrap())
        .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .tcp(40000, 21, 0x0102_0304, 1000)
        .ack(77)
        .psh();
    let mut bytes = Vec::new();
    builder.write(&mut bytes, b"QUIT\r\n").unwrap();
    bytes.extend([0; 9]);
    let mut decoder = Decoder::default();
    let segment = decoder.decode(Timestamp::default(), &frame(LinkType::Ethernet, &bytes)).unwrap();
    assert_eq!(segment.src.to_string(), "192.0.2.1:40000");
    assert_eq!(segment.dst.to_string(), "192.0.2.2:21");
    assert_eq!((segment.seq, segment.ack), (0x0102_0304, 77));
    assert_eq!(segment.flags, TcpFlags(0x18));
    assert_eq!((segment.payload, segment.wire_payload_len), (&b"QUIT\r\n"[..], 6));
    assert_eq!(segment.vlan.as_slice(), [10, 100]);
    assert_eq!(segment.interface, InterfaceId(3));
    assert_eq!(decoder.counters().segments, 1);
}
