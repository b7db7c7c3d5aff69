//! Fragments: order, repetition, overlap, caps, time.

use proptest::prelude::*;

use super::*;
use crate::frame::{DATAGRAM_BYTES_MAX, FragmentLimits};

/// The parts of a datagram: offset, whether more follow, bytes.
fn parts(datagram: &[u8], size: usize) -> Vec<(usize, bool, Vec<u8>)> {
    let chunks: Vec<_> = datagram.chunks(size).collect();
    let last = chunks.len() - 1;
    chunks.iter().enumerate().map(|(i, chunk)| (i * size, i < last, chunk.to_vec())).collect()
}

fn v4(id: u16, (offset, more, bytes): &(usize, bool, Vec<u8>)) -> Vec<u8> {
    ipv4_fragment(IpNumber::TCP, id, *offset, *more, bytes)
}

fn v6(id: u32, next_header: u8, (offset, more, bytes): &(usize, bool, Vec<u8>)) -> Vec<u8> {
    let field = u16::try_from(*offset).unwrap() | u16::from(*more);
    let header = [&[next_header, 0][..], &field.to_be_bytes(), &id.to_be_bytes()].concat();
    in_ipv6(IpNumber::IPV6_FRAGMENTATION_HEADER, &[&header[..], bytes].concat())
}

/// Hands all packets to the decoder, one a second; gives what came out.
fn feed(decoder: &mut Decoder, packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<Seen> {
    packets.into_iter().filter_map(|bytes| decode(decoder, &raw(LinkType::Ip, &bytes))).collect()
}

proptest! {
    #[test]
    fn any_order_and_repetition_gives_the_datagram_once(
        payload in prop::collection::vec(any::<u8>(), 80..600),
        blocks in 1_usize..12,
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
    ) {
        let parts = parts(&tcp(&payload), blocks * 8);
        let mut packets: Vec<_> = order.iter().map(|index| index.get(&parts)).map(|part| v4(7, part)).collect();
        packets.extend(parts.iter().rev().map(|part| v4(7, part)));
        let mut decoder = Decoder::default();
        let out = feed(&mut decoder, packets);
        prop_assert_eq!(out.len(), 1);
        prop_assert_eq!(&out[0].payload, &payload);
        prop_assert_eq!(&out[0].ends, ENDS_V4);
        prop_assert_eq!(decoder.counters().fragments_conflicting, 0);
    }

    #[test]
    fn datagrams_that_mix_come_out_one_by_one(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 30..200), 2..6),
        order in any::<u64>(),
    ) {
        let mut packets: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut state = order | 1;
        for (id, payload) in (0_u32..).zip(&payloads) {
            for part in parts(&tcp(payload), 16) {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                packets.push((state >> 20, v6(id, 6, &part)));
            }
        }
        packets.sort();
        let mut out = feed(&mut Decoder::default(), packets.into_iter().map(|(_, bytes)| bytes));
        let mut want = payloads.clone();
        out.sort_by(|a, b| a.payload.cmp(&b.payload));
        want.sort();
        prop_assert!(out.iter().map(|seen| &seen.payload).eq(&want));
    }

    #[test]
    fn hostile_fragments_keep_within_the_caps(
        fragments in prop::collection::vec((0_u16..12, 0_usize..8192, any::<bool>(), 0_usize..64, 0_i64..50), 1..400),
    ) {
        let limits = FragmentLimits { datagrams: 4, bytes: DATAGRAM_BYTES_MAX, ..FragmentLimits::default() };
        let mut decoder = Decoder::new(limits);
        for (id, block, more, len, at) in &fragments {
            let bytes = ipv4_fragment(IpNumber::TCP, *id, block * 8, *more, &vec![*id as u8; *len]);
            decode_at(&mut decoder, *at, &raw(LinkType::Ip, &bytes));
            prop_assert!(decoder.fragments.len() <= 4);
            prop_assert!(decoder.fragments.bytes_held() <= limits.bytes);
            prop_assert!(decoder.fragments.is_consistent());
        }
        decoder.finish();
        prop_assert_eq!(decoder.fragments.bytes_held(), 0);
        let c = decoder.counters();
        prop_assert_eq!(
            c.frames,
            c.segments + c.not_tcp + c.truncated_header + c.bad_header + c.fragments_held + c.fragments_bad
        );
    }
}

#[test]
fn ipv6_fragments_with_extension_headers_behind() {
    let datagram = [&[6, 0, 1, 4, 0, 0, 0, 0][..], &tcp(PAYLOAD)].concat();
    let packets = parts(&datagram, 16).iter().map(|part| v6(1, 60, part)).collect::<Vec<_>>();
    assert_eq!(feed(&mut Decoder::default(), packets), [seen(ENDS_V6, &[])]);
}

#[test]
fn the_first_bytes_win() {
    let mut decoder = Decoder::default();
    let datagram = tcp(PAYLOAD);
    let liar = tcp(b"DELE file\r\n");
    let packets = [v4(1, &(0, true, datagram[..24].to_vec())), v4(1, &(16, false, liar[16..].to_vec()))];
    let out = feed(&mut decoder, packets);
    assert_eq!(out[0].payload, b"RETR file\r\n");
    assert_eq!(decoder.counters().fragments_conflicting, 1);
}

#[test]
fn a_fragment_that_contradicts_the_end_is_bad() {
    let mut decoder = Decoder::default();
    let datagram = tcp(PAYLOAD);
    let packets = [
        v4(1, &(24, false, datagram[24..].to_vec())),
        v4(1, &(32, true, vec![0; 8])),
        v4(1, &(24, false, datagram[24..30].to_vec())),
        v4(1, &(8, true, vec![0; 7])),
        v4(1, &(0, true, vec![])),
        v4(1, &(65_528, false, vec![0; 8])),
        v4(1, &(0, true, datagram[..24].to_vec())),
    ];
    assert_eq!(feed(&mut decoder, packets), [seen(ENDS_V4, &[])]);
    assert_eq!(decoder.counters().fragments_bad, 5);
}

#[test]
fn the_identification_may_be_used_again_at_once() {
    let mut decoder = Decoder::default();
    let mut other = tcp(b"QUIT\r\n     ");
    // Its sequence number.
    other[7] += 11;
    let mut packets: Vec<_> = parts(&tcp(PAYLOAD), 16).iter().map(|part| v4(0, part)).collect();
    // A mirror port shows the last fragment twice; then the next datagram begins.
    packets.push(packets.last().unwrap().clone());
    packets.extend(parts(&other, 16).iter().map(|part| v4(0, part)));
    let out = feed(&mut decoder, packets);
    assert_eq!(out.len(), 2);
    assert_eq!(out[1].payload, b"QUIT\r\n     ");
    assert_eq!(decoder.counters().datagrams_reassembled, 2);
}

#[test]
fn equal_identifications_on_two_vlans_are_two_datagrams() {
    let mut decoder = Decoder::default();
    let parts = parts(&tcp(PAYLOAD), 16);
    let mut out = Vec::new();
    for part in &parts {
        for vlan in [10_u16, 20] {
            let tag = [&vlan.to_be_bytes()[..], &[0x08, 0x00], &v4(1, part)].concat();
            out.extend(decode(&mut decoder, &raw(LinkType::Ethernet, &in_ethernet(0x8100, &tag))));
        }
    }
    assert_eq!(out, [seen(ENDS_V4, &[10]), seen(ENDS_V4, &[20])]);
}

#[test]
fn what_does_not_come_in_time_is_given_up() {
    let mut decoder = Decoder::default();
    let parts = parts(&tcp(PAYLOAD), 8);
    for part in &parts[..2] {
        assert_eq!(decode_at(&mut decoder, 0, &raw(LinkType::Ip, &v4(1, part))), None);
    }
    // Any frame moves the time on.
    decode_at(&mut decoder, 30, &raw(LinkType::Ip, &ipv4())).unwrap();
    assert_eq!(decoder.counters().datagrams_timed_out, 1);
    assert_eq!(decoder.fragment_table().0, 0);
    assert_eq!(decode_at(&mut decoder, 31, &raw(LinkType::Ip, &v4(1, &parts[2]))), None);
    decoder.finish();
    assert_eq!(decoder.counters().datagrams_timed_out, 2);
}

#[test]
fn the_oldest_goes_when_the_table_is_full() {
    let mut decoder = Decoder::new(FragmentLimits { datagrams: 2, ..FragmentLimits::default() });
    let parts = parts(&tcp(PAYLOAD), 16);
    let first = feed(&mut decoder, [1, 2, 3].map(|id| v4(id, &parts[0])));
    assert_eq!((first, decoder.counters().datagrams_evicted), (vec![], 1));
    assert_eq!(feed(&mut decoder, parts[1..].iter().map(|part| v4(3, part))), [seen(ENDS_V4, &[])]);
    assert_eq!(feed(&mut decoder, parts[1..].iter().map(|part| v4(1, part))), []);
}

#[test]
fn a_cut_fragment_leaves_a_cut_segment() {
    let payload = [b'x'; 100];
    let datagram = tcp(&payload);
    let fragments: Vec<_> = parts(&datagram, 40).iter().map(|part| v4(1, part)).collect();
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    for bytes in fragments.iter().rev() {
        let cut = &bytes[..bytes.len().min(20 + 30)];
        let wire_len = u32::try_from(bytes.len()).unwrap();
        out.extend(decode(&mut decoder, &RawFrame { wire_len, ..raw(LinkType::Ip, cut) }));
    }
    assert_eq!(out.len(), 1);
    assert_eq!((out[0].payload.len(), out[0].wire_payload_len), (30 - 20, 100));
}

#[test]
fn a_fragmented_tunnel_may_carry_fragments_once() {
    let inner: Vec<_> = parts(&tcp(PAYLOAD), 16).iter().map(|part| v4(5, part)).collect();
    let outer = |id: u16, packet: &[u8]| {
        parts(packet, 24)
            .iter()
            .map(|(offset, more, bytes)| ipv4_fragment(IpNumber::IPV4, id, *offset, *more, bytes))
            .collect::<Vec<_>>()
    };
    let packets: Vec<_> = (100..).zip(&inner).flat_map(|(id, packet)| outer(id, packet)).collect();
    assert_eq!(feed(&mut Decoder::default(), packets.clone()), [seen(ENDS_V4, &[])]);

    let third: Vec<_> = (1000..).zip(&packets).flat_map(|(id, packet)| outer(id, packet)).collect();
    let mut decoder = Decoder::default();
    assert_eq!(feed(&mut decoder, third), []);
    assert_ne!(decoder.counters().depth_exceeded, 0);
}
