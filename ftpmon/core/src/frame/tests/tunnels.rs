//! IP within IP in all its ways, and how deep.

use super::*;
use crate::frame::LAYERS_MAX;

fn over_ipv4(protocol: u8, payload: &[u8]) -> Result<Seen, DecodeCounters> {
    decode_one(LinkType::Ip, &in_ipv4(IpNumber(protocol), payload))
}

#[test]
fn ip_in_ip_and_etherip() {
    assert_eq!(over_ipv4(4, &ipv4()), Ok(seen(ENDS_V4, &[])));
    assert_eq!(over_ipv4(41, &ipv6()), Ok(seen(ENDS_V6, &[])));
    let etherip = [&[0x30, 0][..], &in_ethernet(0x0800, &ipv4())].concat();
    assert_eq!(over_ipv4(97, &etherip), Ok(seen(ENDS_V4, &[])));
    assert_eq!(over_ipv4(137, &[&[0, 1, 0x01, 64][..], &ipv6()].concat()), Ok(seen(ENDS_V6, &[])));
    assert_eq!(
        decode_one(LinkType::Ip, &in_ipv6(IpNumber::IPV4, &ipv4())),
        Ok(seen(ENDS_V4, &[])),
        "IPv4 in IPv6"
    );
}

#[test]
fn gre_with_every_optional_field() {
    let word = [0xaa; 4];
    for flags in [0x0000_u16, 0x8000, 0x2000, 0x1000, 0xa000, 0xb000] {
        let mut gre = [&flags.to_be_bytes()[..], &[0x08, 0x00]].concat();
        (0..(flags & 0xb000).count_ones()).for_each(|_| gre.extend(word));
        gre.extend(ipv4());
        assert_eq!(over_ipv4(47, &gre), Ok(seen(ENDS_V4, &[])), "flags {flags:04x}");
    }
    let bridged = [&[0x20, 0, 0x65, 0x58][..], &word, &in_ethernet(0x86dd, &ipv6())].concat();
    assert_eq!(over_ipv4(47, &bridged), Ok(seen(ENDS_V6, &[])));
    let routed = [&[0x40, 0, 0x08, 0x00][..], &[0; 8], &ipv4()].concat();
    assert_eq!(over_ipv4(47, &routed).unwrap_err().bad_header, 1);
}

#[test]
fn pptp_carries_ppp() {
    let pptp = [&[0x30, 0x81, 0x88, 0x0b, 0, 53, 0, 1][..], &[0; 8], &[0xff, 3, 0, 0x21], &ipv4()].concat();
    assert_eq!(over_ipv4(47, &pptp), Ok(seen(ENDS_V4, &[])));
    let acknowledgment = [0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 9];
    assert_eq!(over_ipv4(47, &acknowledgment).unwrap_err().not_tcp, 1);
}

#[test]
fn a_mirror_port_over_erspan() {
    let frame = in_ethernet(0x0800, &ipv4());
    let type_1 = [&[0, 0, 0x88, 0xbe][..], &frame].concat();
    let type_2 = [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1][..], &[0x10, 0, 0, 0, 0, 0, 0, 0], &frame].concat();
    let type_3 = [&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1][..], &[0x20; 11], &[0x01], &[0; 8], &frame].concat();
    for bytes in [type_1, type_2, type_3] {
        assert_eq!(over_ipv4(47, &bytes), Ok(seen(ENDS_V4, &[])), "{bytes:02x?}");
    }
}

#[test]
fn vxlan_and_geneve() {
    let tagged = in_ethernet(0x8100, &[&[0x00, 42, 0x08, 0x00][..], &ipv4()].concat());
    let vxlan = [&[0x08, 0, 0, 0, 0, 0, 7, 0][..], &tagged].concat();
    assert_eq!(over_ipv4(17, &udp(4789, &vxlan)), Ok(seen(ENDS_V4, &[42])));
    let geneve = [&[0x01, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 4][..], &tagged].concat();
    assert_eq!(over_ipv4(17, &udp(6081, &geneve)), Ok(seen(ENDS_V4, &[42])));
    for (port, payload) in [(4789, &b"GET / HTTP"[..]), (4789, b"short"), (6081, &[0xff; 9]), (5000, &vxlan)]
    {
        assert_eq!(over_ipv4(17, &udp(port, payload)).unwrap_err().not_tcp, 1);
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| (0..depth).fold(ipv4(), |packet, _| in_ipv4(IpNumber::IPV4, &packet));
    // Each packet opens its IP header and what that carries.
    let deepest = usize::from(LAYERS_MAX) / 2 - 1;
    assert_eq!(decode_one(LinkType::Ip, &nested(deepest)), Ok(seen(ENDS_V4, &[])));
    assert_eq!(decode_one(LinkType::Ip, &nested(deepest + 1)).unwrap_err().depth_exceeded, 1);
    let labels = [&[0; 4000][..], &[0, 1, 1, 64], &ipv4()].concat();
    assert_eq!(decode_one(LinkType::Mpls, &labels).unwrap_err().depth_exceeded, 1);
}
