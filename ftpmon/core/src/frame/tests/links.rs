//! Link types and the layers between them and IP.

use super::*;
use crate::segment::VlanTag;

const VLAN_10: [u8; 2] = [0x00, 10];
const VLAN_100: [u8; 2] = [0xe0, 100];

#[test]
fn every_link_type_leads_to_ip() {
    let cooked = [&[0, 4, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 0x08, 0x00][..], &ipv4()].concat();
    let cooked2 = [&[0x86, 0xdd, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 2, 2, 2, 2, 2, 0, 0][..], &ipv6()].concat();
    let cases = [
        (1, in_ethernet(0x0800, &ipv4()), ENDS_V4),
        (1, in_ethernet(0x86dd, &ipv6()), ENDS_V6),
        (101, ipv4(), ENDS_V4),
        (101, ipv6(), ENDS_V6),
        (12, ipv4(), ENDS_V4),
        (14, ipv6(), ENDS_V6),
        (228, ipv4(), ENDS_V4),
        (229, ipv6(), ENDS_V6),
        (113, cooked, ENDS_V4),
        (276, cooked2, ENDS_V6),
        (0, [&[2, 0, 0, 0][..], &ipv4()].concat(), ENDS_V4),
        (0, [&[0, 0, 0, 2][..], &ipv4()].concat(), ENDS_V4),
        (0, [&[30, 0, 0, 0][..], &ipv6()].concat(), ENDS_V6),
        (108, [&[0, 0, 0, 24][..], &ipv6()].concat(), ENDS_V6),
        (9, [&[0x00, 0x21][..], &ipv4()].concat(), ENDS_V4),
        (9, [&[0x57][..], &ipv6()].concat(), ENDS_V6),
        (50, [&[0xff, 0x03, 0x00, 0x57][..], &ipv6()].concat(), ENDS_V6),
        (51, [&[0x11, 0, 0, 1, 0, 53, 0x00, 0x21][..], &ipv4()].concat(), ENDS_V4),
        (104, [&[0x0f, 0, 0x08, 0x00][..], &ipv4()].concat(), ENDS_V4),
        (219, [&[0, 1, 0x01, 64][..], &ipv4()].concat(), ENDS_V4),
    ];
    for (number, bytes, ends) in cases {
        let link = LinkType::from_number(number).unwrap();
        assert_eq!(decode_one(link, &bytes), Ok(seen(ends, &[])), "link type {number}");
    }
    assert_eq!(LinkType::from_number(147), None);
}

#[test]
fn vlan_tags_of_every_kind_and_depth() {
    let one = [&VLAN_100[..], &[0x08, 0x00], &ipv4()].concat();
    assert_eq!(
        decode_one(LinkType::Ethernet, &in_ethernet(0x8100, &one)),
        Ok(seen(ENDS_V4, &[100])),
        "802.1Q, the priority bits left out"
    );
    let two = [&VLAN_10[..], &[0x81, 0x00], &one].concat();
    for outer in [0x8100, 0x88a8, 0x9100] {
        assert_eq!(decode_one(LinkType::Ethernet, &in_ethernet(outer, &two)), Ok(seen(ENDS_V4, &[10, 100])));
    }
    let three = [&[0x00, 7][..], &[0x88, 0xa8], &two].concat();
    assert_eq!(
        decode_one(LinkType::Ethernet, &in_ethernet(0x88a8, &three)),
        Ok(seen(ENDS_V4, &[7, 10])),
        "a third tag is gone through, but not kept"
    );
    let priority = [&[0xe0, 0][..], &[0x08, 0x00], &ipv4()].concat();
    assert_eq!(decode_one(LinkType::Ethernet, &in_ethernet(0x8100, &priority)), Ok(seen(ENDS_V4, &[])));
}

#[test]
fn a_tag_from_the_metadata_is_the_outer_one() {
    let bytes = in_ethernet(0x8100, &[&VLAN_100[..], &[0x08, 0x00], &ipv4()].concat());
    let mut frame = raw(LinkType::Ethernet, &bytes);
    frame.tag = Some(VlanTag { protocol: 0x88a8, control: 0xe00a });
    assert_eq!(decode(&mut Decoder::default(), &frame), Some(seen(ENDS_V4, &[10, 100])));
    frame.tag = Some(VlanTag { protocol: 0x8100, control: 0xe000 });
    let priority = decode(&mut Decoder::default(), &frame);
    assert_eq!(priority, Some(seen(ENDS_V4, &[100])), "a priority tag names no VLAN");
}

#[test]
fn pppoe_mpls_and_llc_snap() {
    let pppoe = [&[0x11, 0, 0, 1, 0, 53, 0x00, 0x57][..], &ipv6()].concat();
    assert_eq!(decode_one(LinkType::Ethernet, &in_ethernet(0x8864, &pppoe)), Ok(seen(ENDS_V6, &[])));

    let label = [0, 1, 0x00, 64];
    let bottom = [0, 2, 0x01, 64];
    let mpls = [&label[..], &bottom, &ipv4()].concat();
    assert_eq!(decode_one(LinkType::Ethernet, &in_ethernet(0x8847, &mpls)), Ok(seen(ENDS_V4, &[])));
    let pseudowire = [&bottom[..], &[0; 4], &in_ethernet(0x0800, &ipv4())].concat();
    assert_eq!(decode_one(LinkType::Ethernet, &in_ethernet(0x8848, &pseudowire)), Ok(seen(ENDS_V4, &[])));

    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x00][..], &ipv4()].concat();
    let len = u16::try_from(snap.len()).unwrap();
    assert_eq!(decode_one(LinkType::Ethernet, &in_ethernet(len, &snap)), Ok(seen(ENDS_V4, &[])));
}

#[test]
fn what_is_no_ip_is_counted() {
    let cases = [
        (1, in_ethernet(0x0806, &[0; 28])),
        (1, in_ethernet(38, &[0x42, 0x42, 3, 0, 0, 0, 0, 0])),
        (1, in_ethernet(0x8864, &[0x11, 9, 0, 0, 0, 0])),
        (9, vec![0xc0, 0x21, 1, 1]),
        (0, vec![7, 0, 0, 0, 1, 2]),
    ];
    for (number, bytes) in cases {
        let counters = decode_one(LinkType::from_number(number).unwrap(), &bytes).unwrap_err();
        assert_eq!((counters.frames, counters.not_ip), (1, 1), "{bytes:02x?}");
    }
    let ppp = decode_one(LinkType::Ethernet, &in_ethernet(0x8864, &[0x21, 0, 0, 1, 0, 53, 0, 0x21]));
    assert_eq!(ppp.unwrap_err().bad_header, 1);
}
