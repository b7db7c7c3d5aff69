//! IPv4, IPv6, their options and extension headers, and TCP's.

use super::*;

fn packet(bytes: &[u8]) -> Result<Seen, DecodeCounters> {
    decode_one(LinkType::Ip, bytes)
}

#[test]
fn options_of_ipv4_and_tcp_are_skipped() {
    let mut header = TcpHeader::new(40000, 21, 1, 1000);
    header.set_options_raw(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]).unwrap();
    let segment = [&header.to_bytes()[..], PAYLOAD].concat();
    let mut ip = Ipv4Header::new(
        u16::try_from(segment.len()).unwrap(),
        64,
        IpNumber::TCP,
        [192, 0, 2, 1],
        [192, 0, 2, 2],
    )
    .unwrap();
    ip.options = [0x94, 4, 0, 0].into();
    ip.total_len += 4;
    assert_eq!(packet(&[&ip.to_bytes()[..], &segment].concat()), Ok(seen(ENDS_V4, &[])));
}

#[test]
fn extension_headers_of_ipv6() {
    let inner = tcp(PAYLOAD);
    let destination = [&[6, 0, 1, 4, 0, 0, 0, 0][..], &inner].concat();
    let authentication = [&[60, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &[0; 12], &destination].concat();
    let atomic = [&[51, 0, 0, 0, 0, 0, 0, 9][..], &authentication].concat();
    let routing = [&[44, 2, 4, 0][..], &[0; 20], &atomic].concat();
    let hop_by_hop = [&[43, 0, 5, 2, 0, 0, 1, 0][..], &routing].concat();
    assert_eq!(packet(&in_ipv6(IpNumber(0), &hop_by_hop)), Ok(seen(ENDS_V6, &[])));
}

#[test]
fn a_mapped_address_is_the_ipv4_one() {
    let mut bytes = in_ipv6(IpNumber::TCP, &tcp(PAYLOAD));
    bytes[8..20].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    bytes[20..24].copy_from_slice(&[192, 0, 2, 1]);
    assert_eq!(packet(&bytes).unwrap().ends, "192.0.2.1:40000 [2001:db8::2]:21");
}

#[test]
fn without_a_length_the_frame_says_how_long_it_is() {
    let mut v4 = ipv4();
    v4[2..4].fill(0);
    assert_eq!(packet(&v4), Ok(seen(ENDS_V4, &[])));
    let mut v6 = ipv6();
    v6[4..6].fill(0);
    assert_eq!(packet(&v6), Ok(seen(ENDS_V6, &[])));
    let frame = RawFrame { wire_len: 80_000, ..raw(LinkType::Ip, &v6) };
    assert_eq!(decode(&mut Decoder::default(), &frame).unwrap().wire_payload_len, 80_000 - 60);
}

#[test]
fn padding_is_no_payload() {
    for (packet, ends) in [(ipv4(), ENDS_V4), (ipv6(), ENDS_V6)] {
        let ether_type = if ends == ENDS_V4 { 0x0800 } else { 0x86dd };
        let bytes = [&in_ethernet(ether_type, &packet)[..], &[0; 9]].concat();
        assert_eq!(decode_one(LinkType::Ethernet, &bytes), Ok(seen(ends, &[])));
    }
}

#[test]
fn a_cut_frame_says_what_was_on_the_wire() {
    let bytes = ipv4();
    let wire_len = u32::try_from(bytes.len()).unwrap();
    for cut in 40..bytes.len() {
        let frame = RawFrame { wire_len, ..raw(LinkType::Ip, &bytes[..cut]) };
        let segment = decode(&mut Decoder::default(), &frame).unwrap();
        assert_eq!(segment.payload, &PAYLOAD[..cut - 40]);
        assert_eq!(segment.wire_payload_len as usize, PAYLOAD.len());
    }
}

#[test]
fn a_cut_inside_the_tcp_options_leaves_the_header() {
    let mut header = TcpHeader::new(40000, 21, 1, 1000);
    header.set_options_raw(&[1; 12]).unwrap();
    let bytes = in_ipv4(IpNumber::TCP, &[&header.to_bytes()[..], PAYLOAD].concat());
    let segment = packet(&bytes[..20 + 20 + 5]).unwrap();
    assert_eq!((segment.payload.len(), segment.wire_payload_len as usize), (0, PAYLOAD.len()));
}

#[test]
fn contradictions_are_bad_headers() {
    let mut cases = vec![vec![0x55; 40], vec![0x00; 40]];
    let mut short_ihl = ipv4();
    short_ihl[0] = 0x44;
    let mut short_total = ipv4();
    short_total[3] = 19;
    let mut short_offset = ipv4();
    short_offset[20 + 12] = 0x40;
    let mut long_offset = ipv4();
    long_offset[20 + 12] = 0xf0;
    cases.extend([short_ihl, short_total, short_offset, long_offset]);
    for bytes in cases {
        assert_eq!(packet(&bytes).unwrap_err().bad_header, 1, "{bytes:02x?}");
    }
}

#[test]
fn what_is_no_tcp_is_counted() {
    for bytes in
        [in_ipv4(IpNumber::ICMP, &[8, 0]), in_ipv4(IpNumber::UDP, &udp(53, b"?")), in_ipv6(IpNumber(59), &[])]
    {
        assert_eq!(packet(&bytes).unwrap_err().not_tcp, 1, "{bytes:02x?}");
    }
}
