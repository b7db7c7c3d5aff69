//! Any bytes at all: no panic, and each frame counted once.

use proptest::prelude::*;

use super::*;

const LINKS: [u16; 10] = [1, 101, 113, 276, 0, 9, 51, 104, 219, 50];

fn accounted(counters: &DecodeCounters) -> u64 {
    counters.segments
        + counters.not_ip
        + counters.not_tcp
        + counters.truncated_header
        + counters.bad_header
        + counters.depth_exceeded
        + counters.fragments_held
        + counters.fragments_bad
}

/// A frame with nearly everything in it.
fn deep() -> Vec<u8> {
    let fragment = [&[60, 0, 0, 0, 0, 0, 0, 9][..], &[6, 0, 1, 4, 0, 0, 0, 0], &tcp(PAYLOAD)].concat();
    let v6 = in_ipv6(IpNumber::IPV6_FRAGMENTATION_HEADER, &fragment);
    let gre = [&[0xb0, 0, 0x86, 0xdd][..], &[0; 12], &v6].concat();
    let pppoe = [&[0x11, 0, 0, 1, 0, 53, 0x00, 0x21][..], &in_ipv4(IpNumber::GRE, &gre)].concat();
    let mpls = [&[0, 1, 0x01, 64][..], &[0; 4], &in_ethernet(0x8864, &pppoe)].concat();
    let tagged = [&[0x00, 10, 0x81, 0x00, 0x00, 20, 0x88, 0x47][..], &mpls].concat();
    let vxlan = [&[0x08, 0, 0, 0, 0, 0, 7, 0][..], &in_ethernet(0x88a8, &tagged)].concat();
    in_ethernet(0x0800, &in_ipv4(IpNumber::UDP, &udp(4789, &vxlan)))
}

#[test]
fn cut_at_every_byte() {
    let bytes = deep();
    assert_eq!(decode_one(LinkType::Ethernet, &bytes), Ok(seen(ENDS_V6, &[10, 20])));
    let tcp_ends = bytes.len() - PAYLOAD.len();
    for cut in 0..bytes.len() {
        match decode_one(LinkType::Ethernet, &bytes[..cut]) {
            Ok(segment) => {
                assert!(cut >= tcp_ends);
                assert_eq!(segment.wire_payload_len as usize, PAYLOAD.len());
            }
            Err(counters) => {
                assert!(cut < tcp_ends);
                assert_eq!(accounted(&counters), 1);
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes(
        link in prop::sample::select(&LINKS[..]),
        frames in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..200), any::<u32>(), any::<i64>()), 1..8),
    ) {
        let mut decoder = Decoder::default();
        for (bytes, wire_len, at) in &frames {
            let frame = RawFrame { wire_len: *wire_len, ..raw(LinkType::from_number(link).unwrap(), bytes) };
            if let Some(segment) = decoder.decode(Timestamp::from_nanos(*at), &frame) {
                prop_assert!(segment.payload.len() as u64 <= u64::from(segment.wire_payload_len));
            }
        }
        prop_assert_eq!(accounted(decoder.counters()), frames.len() as u64);
    }

    #[test]
    fn a_good_frame_with_some_bytes_changed(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        wire_len in prop::option::of(any::<u32>()),
    ) {
        let mut bytes = deep();
        for (index, value) in &changes {
            *index.get_mut(&mut bytes) = *value;
        }
        let frame = raw(LinkType::Ethernet, &bytes);
        let frame = RawFrame { wire_len: wire_len.unwrap_or(frame.wire_len), ..frame };
        let mut decoder = Decoder::default();
        if let Some(segment) = decoder.decode(Timestamp::default(), &frame) {
            prop_assert!(segment.payload.len() as u64 <= u64::from(segment.wire_payload_len));
        }
        prop_assert_eq!(accounted(decoder.counters()), 1);
    }
}
