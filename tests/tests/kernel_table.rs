//! One packet at a time through every kernel program: verdict, counters, ring records.
#![allow(clippy::indexing_slicing, clippy::panic, reason = "the helpers of tests")]

use ftpmon_common::{Counter, Hook, Link, RecordKind};
use ftpmon_tests::kernel::bench::BenchRecord;
use ftpmon_tests::kernel::frame::{ACK, FIN, RST, SYN};
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, privileged};

const CLIENT: (&str, u16) = ("192.168.1.106", 57_658);
const SERVER: (&str, u16) = ("192.168.1.109", 21);
const CLIENT6: (&str, u16) = ("2001:db8::106", 57_658);
const SERVER6: (&str, u16) = ("2001:db8::109", 21);
const WEB: (&str, u16) = ("192.168.1.109", 80);

/// The expected content of the ring after a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ring {
    Empty,
    /// The frame, whole.
    Whole,
}

struct Case {
    what: &'static str,
    frame: Vec<u8>,
    raw: bool,
    counted: &'static [(Counter, u64)],
    ring: Ring,
}

const COPIED: &[(Counter, u64)] = &[(Counter::Control, 1), (Counter::ControlFrames, 1)];
const ACK_ONLY: &[(Counter, u64)] = &[(Counter::Control, 1), (Counter::ControlAcks, 1)];

fn case(what: &'static str, frame: &Frame, counted: &'static [(Counter, u64)], ring: Ring) -> Case {
    Case { what, frame: frame.bytes(), raw: frame.raw, counted, ring }
}

fn command() -> Frame {
    Frame::new(CLIENT, SERVER, ACK | 8, 1_000, 5_000).payload(b"USER anonymous\r\n")
}

fn command6() -> Frame {
    Frame::new(CLIENT6, SERVER6, ACK | 8, 1_000, 5_000).payload(b"USER anonymous\r\n")
}

fn copied(what: &'static str, frame: &Frame) -> Case {
    case(what, frame, COPIED, Ring::Whole)
}

fn control() -> Vec<Case> {
    vec![
        copied("a command", &command()),
        copied("a reply", &Frame::new(SERVER, CLIENT, ACK | 8, 5_000, 1_016).payload(b"331 Password?\r\n")),
        copied("a SYN", &Frame::new(CLIENT, SERVER, SYN, 999, 0)),
        copied("a SYN-ACK", &Frame::new(SERVER, CLIENT, SYN | ACK, 4_999, 1_000)),
        copied("a FIN", &Frame::new(CLIENT, SERVER, FIN | ACK, 1_016, 5_000)),
        copied("an RST", &Frame::new(SERVER, CLIENT, RST, 5_000, 0)),
        case("a bare ACK", &Frame::new(CLIENT, SERVER, ACK, 1_016, 5_000), ACK_ONLY, Ring::Empty),
        copied("128 bytes of frame", &command().filled(74)),
        copied("129 bytes of frame", &command().filled(75)),
        copied("512 bytes of frame", &command().filled(458)),
        copied("513 bytes of frame", &command().filled(459)),
        copied("a full wire frame", &command().filled(1_460)),
        copied("a command behind TCP options", &Frame { tcp_options: vec![1; 40], ..command() }),
        copied("a command behind IPv4 options", &Frame { options: vec![1; 40], ..command() }),
        copied("a command over IPv6", &command6()),
        copied("a SYN over IPv6", &Frame::new(CLIENT6, SERVER6, SYN, 999, 0)),
        copied("a VLAN", &command().tag(0x8100, 100)),
        copied("QinQ", &command().tag(0x88a8, 200).tag(0x8100, 100)),
        copied("old QinQ", &command().tag(0x9100, 200).tag(0x8100, 100)),
        copied("IPv6 in QinQ", &command6().tag(0x88a8, 200).tag(0x8100, 100)),
        copied("IPv4 without a link layer", &command().raw()),
        copied("IPv6 without a link layer", &command6().raw()),
        copied("IPv4 options without a link layer", &Frame { options: vec![1; 8], ..command().raw() }),
        copied("hop-by-hop options", &command6().extension(0, &[0; 8])),
        copied("long destination options", &command6().extension(60, &[&[0, 31], &[0; 254][..]].concat())),
        copied("a routing header", &command6().extension(43, &[&[0, 2], &[0; 22][..]].concat())),
        copied("an authentication header", &command6().extension(51, &[&[0, 4], &[0; 22][..]].concat())),
        copied("an atomic fragment", &command6().extension(44, &[0; 8])),
        copied("five extension headers", &(0..5).fold(command6(), |frame, _| frame.extension(60, &[0; 8]))),
        copied("six extension headers", &(0..6).fold(command6(), |frame, _| frame.extension(60, &[0; 8]))),
        copied(
            "extension headers in QinQ",
            &command6().tag(0x88a8, 2).tag(0x8100, 1).extension(0, &[0; 8]).extension(60, &[0; 8]),
        ),
    ]
}

fn ignored() -> Vec<Case> {
    let later = Frame { fragment: 0x0010, ..command() };
    let middle = Frame { fragment: 0x2010, ..command() };
    let first = Frame { fragment: 0x2000, ..command() };
    let mut arp = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x06];
    arp.extend_from_slice(&[0; 28]);
    let mut wrong_version = command().bytes();
    wrong_version[14] = 0x65;
    let mut short_header = command().bytes();
    short_header[14] = 0x44;
    let mut short_total = command().bytes();
    short_total[16..18].copy_from_slice(&19_u16.to_be_bytes());
    let mut long_total = command().bytes();
    long_total[16..18].copy_from_slice(&1_500_u16.to_be_bytes());
    let mut no_room_for_tcp = command().bytes();
    no_room_for_tcp[16..18].copy_from_slice(&30_u16.to_be_bytes());
    let mut short_tcp = command().bytes();
    short_tcp[14 + 20 + 12] = 0x40;
    let mut long_tcp = command().bytes();
    long_tcp[14 + 20 + 12] = 0xf0;
    let mut wrong_version6 = command6().bytes();
    wrong_version6[14] = 0x45;
    let mut long_payload6 = command6().bytes();
    long_payload6[18..20].copy_from_slice(&1_500_u16.to_be_bytes());
    let fragment6 = |offset_and_more: u16| {
        let [high, low] = offset_and_more.to_be_bytes();
        command6().extension(44, &[0, 0, high, low, 0, 0, 0, 1])
    };
    let bytes = |what, frame, counted| Case { what, frame, raw: false, counted, ring: Ring::Empty };
    vec![
        case("a web request", &Frame::new(CLIENT, WEB, ACK, 1, 1).payload(b"GET /"), &[], Ring::Empty),
        case("a SYN to a web server", &Frame::new(CLIENT, WEB, SYN, 1, 1), &[], Ring::Empty),
        case("UDP to port 21", &Frame { protocol: 17, ..command() }, &[(Counter::NotTcp, 1)], Ring::Empty),
        case("UDP over IPv6", &Frame { protocol: 17, ..command6() }, &[(Counter::NotTcp, 1)], Ring::Empty),
        case("ESP over IPv6", &Frame { protocol: 50, ..command6() }, &[(Counter::NotTcp, 1)], Ring::Empty),
        bytes("ARP", arp, &[(Counter::NotIp, 1)]),
        case("a first fragment", &first, &[(Counter::FragmentFirst, 1)], Ring::Empty),
        case("a middle fragment", &middle, &[(Counter::FragmentLater, 1)], Ring::Empty),
        case("a last fragment", &later, &[(Counter::FragmentLater, 1)], Ring::Empty),
        case(
            "UDP's fragment",
            &Frame { protocol: 17, ..first.clone() },
            &[(Counter::NotTcp, 1)],
            Ring::Empty,
        ),
        case("a first fragment of IPv6", &fragment6(1), &[(Counter::FragmentFirst, 1)], Ring::Empty),
        case("a later fragment of IPv6", &fragment6(8), &[(Counter::FragmentLater, 1)], Ring::Empty),
        case(
            "three tags",
            &command().tag(0x88a8, 3).tag(0x88a8, 2).tag(0x8100, 1),
            &[(Counter::VlanTooDeep, 1)],
            Ring::Empty,
        ),
        case(
            "seven extension headers",
            &(0..7).fold(command6(), |frame, _| frame.extension(60, &[0; 8])),
            &[(Counter::Ipv6ChainTooLong, 1)],
            Ring::Empty,
        ),
        bytes("version 6 in an IPv4 frame", wrong_version, &[(Counter::Ipv4Malformed, 1)]),
        bytes("an IPv4 header of 16 bytes", short_header, &[(Counter::Ipv4Malformed, 1)]),
        bytes("a total length within the header", short_total, &[(Counter::Ipv4Malformed, 1)]),
        bytes("a total length beyond the frame", long_total, &[(Counter::Ipv4Malformed, 1)]),
        bytes("a total length within the TCP header", no_room_for_tcp, &[(Counter::TcpMalformed, 1)]),
        bytes("a TCP header of 16 bytes", short_tcp, &[(Counter::TcpMalformed, 1)]),
        bytes("a TCP header beyond the packet", long_tcp, &[(Counter::TcpMalformed, 1)]),
        bytes("version 4 in an IPv6 frame", wrong_version6, &[(Counter::Ipv6Malformed, 1)]),
        bytes("a payload length beyond the frame", long_payload6, &[(Counter::Ipv6Malformed, 1)]),
    ]
}

fn programs(raw: bool) -> [(Hooked, Hook); 3] {
    if raw {
        [
            (Hooked::XdpRaw, Hook::Xdp),
            (Hooked::TcIngressRaw, Hook::TcIngress),
            (Hooked::TcEgressRaw, Hook::TcEgress),
        ]
    } else {
        [(Hooked::Xdp, Hook::Xdp), (Hooked::TcIngress, Hook::TcIngress), (Hooked::TcEgress, Hook::TcEgress)]
    }
}

/// With all programs loaded.
fn all() -> Settings {
    Settings { programs: &Hooked::ALL, ..Settings::default() }
}

#[test]
fn each_packet_is_counted_and_copied_as_it_should() {
    if !privileged("each_packet_is_counted_and_copied_as_it_should") {
        return;
    }
    let mut bench = Bench::load(all()).unwrap();
    for case in control().into_iter().chain(ignored()) {
        for (hooked, hook) in programs(case.raw) {
            bench.forget().unwrap();
            bench.run(hooked, &case.frame).unwrap();
            assert_eq!(bench.stats().unwrap().packets(), 1, "{}", case.what);
            assert_eq!(bench.counted().unwrap(), case.counted, "{} at {hooked:?}", case.what);
            let records = bench.records().unwrap();
            match case.ring {
                Ring::Empty => assert_eq!(records, [], "{} at {hooked:?}", case.what),
                Ring::Whole => {
                    let [BenchRecord::Frame(header, bytes)] = records.as_slice() else {
                        panic!("{} at {hooked:?}: {records:?}", case.what)
                    };
                    assert_eq!(*bytes, case.frame, "{} at {hooked:?}", case.what);
                    assert_eq!(header.frame_len as usize, case.frame.len());
                    assert_eq!(header.offset, 0);
                    assert_eq!(header.kind, RecordKind::Control as u8);
                    assert_eq!(header.hook, hook as u8);
                    assert_eq!(header.link, if case.raw { Link::RawIp } else { Link::Ethernet } as u8);
                    assert_eq!(header.vlan_proto, 0);
                    assert_ne!(header.at_ns, 0);
                    assert_ne!(header.ifindex, 0);
                }
            }
        }
    }
}

#[test]
fn a_frame_cut_at_any_byte_of_its_headers_is_counted_and_passes() {
    if !privileged("a_frame_cut_at_any_byte_of_its_headers_is_counted_and_passes") {
        return;
    }
    let frames = [
        command(),
        command6(),
        command().tag(0x8100, 1),
        command().tag(0x88a8, 2).tag(0x8100, 1),
        command6()
            .tag(0x88a8, 2)
            .tag(0x8100, 1)
            .extension(0, &[0; 8])
            .extension(60, &[&[0, 1], &[0; 14][..]].concat()),
        Frame { options: vec![1; 12], tcp_options: vec![1; 12], ..command() },
        command().raw(),
        command6().raw(),
    ];
    let reasons = [
        Counter::NotIp,
        Counter::EthernetTruncated,
        Counter::VlanTruncated,
        Counter::Ipv4Truncated,
        Counter::Ipv4Malformed,
        Counter::Ipv6Truncated,
        Counter::Ipv6Malformed,
        Counter::Ipv6ExtensionTruncated,
        Counter::TcpTruncated,
    ];
    let mut bench = Bench::load(all()).unwrap();
    let mut met = Vec::new();
    for frame in frames {
        let whole = frame.bytes();
        for (hooked, _) in programs(frame.raw) {
            // The kernel's test run makes no packet without a whole Ethernet header; for TC it wants the IP header as
            // well, where the ethertype says that there is one.
            let shortest = (14..=54).find(|len| bench.run(hooked, &whole[..*len]).is_ok()).unwrap();
            if matches!(hooked, Hooked::Xdp | Hooked::XdpRaw) {
                assert_eq!(shortest, 14);
            }
            for len in shortest..whole.len() {
                bench.forget().unwrap();
                bench.run(hooked, &whole[..len]).unwrap();
                let counted = bench.counted().unwrap();
                let [(reason, 1)] = counted.as_slice() else { panic!("{frame:?} at {len}: {counted:?}") };
                assert!(reasons.contains(reason), "{frame:?} at {len}: {reason:?}");
                met.push(*reason);
                assert_eq!(bench.records().unwrap(), [], "{frame:?} at {len}");
            }
        }
    }
    for reason in [
        Counter::VlanTruncated,
        Counter::Ipv4Truncated,
        Counter::Ipv6Truncated,
        Counter::Ipv6ExtensionTruncated,
        Counter::TcpTruncated,
    ] {
        assert!(met.contains(&reason), "{reason:?} was never the reason");
    }
}

/// Puts a frame together from its records.
fn joined(records: &[BenchRecord]) -> (usize, Vec<u8>) {
    let mut whole = Vec::new();
    let mut id = None;
    for record in records {
        let BenchRecord::Frame(header, bytes) = record else { panic!("{record:?}") };
        assert_eq!(*id.get_or_insert(header.frame_id), header.frame_id);
        assert_eq!(header.offset as usize, whole.len());
        assert_eq!(header.chunk_len as usize, bytes.len());
        whole.extend_from_slice(bytes);
        assert!(whole.len() <= header.frame_len as usize);
    }
    (records.len(), whole)
}

#[test]
fn large_frames_come_whole_in_pieces() {
    if !privileged("large_frames_come_whole_in_pieces") {
        return;
    }
    let xdp = [(2_049, 1), (9_014, 1), (16_384, 1), (16_385, 2), (40_000, 3), (49_153, 1), (65_000, 1)];
    let tc = [(2_049, 1), (3_000, 1)];
    let mut bench = Bench::load(all()).unwrap();
    for (hooked, sizes) in
        [(Hooked::Xdp, xdp.as_slice()), (Hooked::TcEgress, tc.as_slice()), (Hooked::TcIngress, tc.as_slice())]
    {
        for (size, pieces) in sizes {
            bench.forget().unwrap();
            let frame = command().filled(size - 54).bytes();
            bench.run(hooked, &frame).unwrap();
            let (count, bytes) = joined(&bench.records().unwrap());
            assert_eq!((count, bytes.len()), (*pieces, frame.len()), "{size} at {hooked:?}");
            assert_eq!(bytes, frame);
            assert_eq!(bench.counted().unwrap(), COPIED);
        }
    }
}

/// Only the first bytes lie in the packet's linear part: headers are read by helper calls then.
#[test]
fn headers_beyond_the_linear_part_are_read() {
    if !privileged("headers_beyond_the_linear_part_are_read") {
        return;
    }
    let mut bench = Bench::load(Settings::default()).unwrap();
    for frame in [command().filled(6_000), command6().filled(6_000).extension(60, &[0; 8])] {
        let frame = frame.bytes();
        for linear in [14_u32, 20, 34, 40, 60] {
            bench.forget().unwrap();
            // xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
            let mut context = [0; 24];
            context[4..8].copy_from_slice(&linear.to_ne_bytes());
            if bench.run_with(Hooked::Xdp, &frame, Some(&context)).is_err() {
                eprintln!("SKIP linear part of {linear} bytes: this kernel's test run makes none");
                continue;
            }
            assert_eq!(bench.counted().unwrap(), COPIED, "linear {linear}");
            assert_eq!(joined(&bench.records().unwrap()).1, frame);
        }
    }
}

#[test]
fn a_full_ring_is_counted_by_what_was_lost() {
    if !privileged("a_full_ring_is_counted_by_what_was_lost") {
        return;
    }
    let mut bench = Bench::load(Settings { ring: 4_096, ..Settings::default() }).unwrap();
    let mut delivered = 0;
    for index in 0..40_u32 {
        let frame = Frame::new(CLIENT, SERVER, ACK, 1_000 + index * 4, 1).payload(b"NOOP");
        bench.run(Hooked::Xdp, &frame.bytes()).unwrap();
    }
    delivered += bench.records().unwrap().len() as u64;
    let stats = bench.stats().unwrap();
    assert_eq!(stats.value(Counter::ControlFrames), delivered);
    // By then the one connection has had more than its part.
    let lost = [Counter::LostControl, Counter::LostLoud, Counter::LostHalfOpen].map(|it| stats.value(it));
    let lost: u64 = lost.iter().sum();
    assert_eq!(lost, 40 - delivered);
    assert!(delivered > 0 && delivered < 40);

    // A frame whose first part fits and whose second does not.
    let mut bench = Bench::load(Settings { ring: 32_768, ..Settings::default() }).unwrap();
    let frame = command().filled(40_000).bytes();
    bench.run(Hooked::Xdp, &frame).unwrap();
    let (pieces, bytes) = joined(&bench.records().unwrap());
    assert_eq!(pieces, 1);
    assert_eq!(bytes, frame[..bytes.len()]);
    assert_eq!(bench.counted().unwrap(), [(Counter::Control, 1), (Counter::LostContinuation, 1)]);
}
