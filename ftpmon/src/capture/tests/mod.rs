//! Captures made in memory, in every variant of the two formats, cut off and broken.

mod build;

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use build::*;
use ftpmon_core::frame::LinkType;

/// A packet as the reader gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Got {
    ns: i64,
    link: LinkType,
    bytes: Vec<u8>,
    wire_len: u32,
    interface: u32,
}

/// All that a capture gives.
#[derive(Debug)]
struct Read {
    packets: Vec<Got>,
    interfaces: Vec<(u32, Option<String>)>,
    skipped: u64,
    error: Option<CaptureError>,
}

fn read_source(source: Box<dyn io::Read + Send>) -> Read {
    let mut file = CaptureFile::from_source(source, None);
    let mut read = Read { packets: vec![], interfaces: vec![], skipped: 0, error: None };
    loop {
        match file.step() {
            Ok(Step::Interface { id, name }) => read.interfaces.push((id.0, name.map(str::to_owned))),
            Ok(Step::Packet { at, frame }) => read.packets.push(Got {
                ns: at.as_nanos(),
                link: frame.link,
                bytes: frame.bytes.to_vec(),
                wire_len: frame.wire_len,
                interface: frame.interface.0,
            }),
            Ok(Step::Wait) => {}
            Ok(Step::End) => break,
            Err(error) => {
                read.error = Some(error);
                break;
            }
        }
    }
    read.skipped = file.unknown_link_type();
    read
}

fn read(bytes: &[u8]) -> Read {
    read_source(Box::new(Cursor::new(bytes.to_vec())))
}

/// A source that gives one byte at a time, as a slow stream might.
struct Drip(Cursor<Vec<u8>>);

impl io::Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(1);
        self.0.read(&mut buffer[..len])
    }
}

#[test]
fn pcap_in_both_endiannesses_and_units() {
    for order in ORDERS {
        for (magic, unit) in [(0xa1b2_c3d4, 1_000), (0xa1b2_3c4d, 1)] {
            let got = read(&pcap(order, magic).0);
            assert!(got.error.is_none());
            assert_eq!(got.interfaces, [(0, None)]);
            let times: Vec<_> = got.packets.iter().map(|packet| packet.ns).collect();
            assert_eq!(times, [10_000_000_000 + 7 * unit, 11_000_000_000 + 999_999 * unit]);
            assert_eq!(got.packets[0].bytes, b"one");
            assert_eq!((&got.packets[1].bytes[..], got.packets[1].wire_len), (&b"second"[..], 300));
        }
    }
}

#[test]
fn pcap_with_the_longer_record_header() {
    let record = [LITTLE.words(&[10, 7, 3, 3, 2, 8]), b"one".to_vec()].concat();
    let got = read(&[pcap_header(LITTLE, 0xa1b2_cd34, 1), record].concat());
    assert_eq!((got.packets.len(), &got.packets[0].bytes[..]), (1, &b"one"[..]));
}

#[test]
fn the_length_of_a_check_sequence_is_no_link_type() {
    let got = read(&pcap_header(LITTLE, 0xa1b2_c3d4, 0x2400_0001));
    assert!(got.error.is_none() && got.packets.is_empty());
}

#[test]
fn pcapng_with_every_block() {
    for order in ORDERS {
        let got = read(&pcapng(order).0);
        assert!(got.error.is_none(), "{:?}", got.error);
        assert_eq!(got.packets, pcapng_packets());
        assert_eq!(got.interfaces, [(0, Some("eth0".to_owned())), (1, None), (0, None)]);
    }
}

#[test]
fn sections_of_different_endianness_in_a_row() {
    let got = read(&[pcapng(LITTLE).0, pcapng(BIG).0].concat());
    assert!(got.error.is_none());
    assert_eq!(got.packets.len(), 2 * pcapng_packets().len());
}

#[test]
fn every_resolution_of_time() {
    for (resolution, ticks, ns) in [
        (0_u8, 7, 7_000_000_000),
        (9, 7, 7),
        (12, 7_999, 7),
        (28, u64::MAX, 1),
        (40, u64::MAX, 0),
        (127, u64::MAX, 0),
        (0x80, 7, 7_000_000_000),
        (0x80 + 10, 512, 500_000_000),
        (0x80 + 127, u64::MAX, 0),
        (0, u64::MAX, i64::MAX),
    ] {
        let bytes =
            [section(BIG), interface(BIG, 1, 0, &[(9, &[resolution])]), enhanced(BIG, 0, ticks, 1, b"x")];
        assert_eq!(read(&bytes.concat()).packets[0].ns, ns, "resolution {resolution}");
    }
}

#[test]
fn gzip_whole_and_in_members() {
    for plain in [pcap(LITTLE, 0xa1b2_c3d4).0, pcapng(BIG).0] {
        let whole = read(&plain).packets;
        assert_eq!(read(&gzip(&plain)).packets, whole);
        let members = plain.chunks(50).flat_map(gzip).collect::<Vec<_>>();
        let got = read(&members);
        assert!(got.error.is_none());
        assert_eq!(got.packets, whole);
        let drip = read_source(Box::new(Drip(Cursor::new(members))));
        assert_eq!(drip.packets, whole);
    }
}

#[test]
fn a_stream_that_drips_says_wait_before_it_reads() {
    let (bytes, ends) = pcap(BIG, 0xa1b2_c3d4);
    let mut file = CaptureFile::from_source(Box::new(Drip(Cursor::new(bytes))), None);
    let mut packets = 0;
    loop {
        match file.step().unwrap() {
            Step::Packet { .. } => packets += 1,
            Step::Wait => {
                let whole = ends.iter().filter(|end| **end as u64 <= file.bytes_read()).count();
                assert_eq!(packets, whole.saturating_sub(1), "what is there comes before the next wait");
            }
            Step::Interface { .. } => {}
            Step::End => break,
        }
    }
    assert_eq!(packets, 2);
}

#[test]
fn cut_at_every_byte() {
    for (bytes, ends) in [pcap(LITTLE, 0xa1b2_c3d4), pcapng(BIG), pcapng(LITTLE)] {
        let all = read(&bytes).packets;
        for cut in 0..bytes.len() {
            let got = read(&bytes[..cut]);
            assert_eq!(got.packets, all[..got.packets.len()], "cut at {cut}");
            assert_eq!(got.error.is_none(), ends.contains(&cut), "cut at {cut}: {:?}", got.error);
            let begun = ends.iter().take_while(|end| **end <= cut).last().copied().unwrap_or(0);
            match got.error {
                Some(CaptureError::Cut { offset }) => assert_eq!(offset, begun as u64, "cut at {cut}"),
                Some(CaptureError::Empty) => assert_eq!(cut, 0),
                Some(CaptureError::NotACapture) => assert!(cut < 4),
                Some(error) => panic!("cut at {cut}: {error}"),
                None => {}
            }
        }
    }
}

#[test]
fn a_compressed_stream_cut_at_every_byte() {
    let (plain, ends) = pcapng(LITTLE);
    let bytes = [gzip(&plain[..ends[3]]), gzip(&plain[ends[3]..])].concat();
    let first_member = gzip(&plain[..ends[3]]).len();
    let all = read(&plain).packets;
    for cut in 1..bytes.len() {
        let got = read(&bytes[..cut]);
        assert_eq!(got.packets, all[..got.packets.len()], "cut at {cut}");
        assert_eq!(got.error.is_none(), cut == first_member, "cut at {cut}: {:?}", got.error);
        if cut >= first_member {
            assert!(!got.packets.is_empty(), "what is whole before the cut is read");
        }
    }
}

#[test]
fn what_is_no_capture() {
    assert!(matches!(read(b"").error, Some(CaptureError::Empty)));
    for bytes in [&b"220 ready\r\n"[..], &[0; 4096], &[0xd4, 0xc3], &gzip(b"hello, world"), &gzip(b"")] {
        assert!(matches!(read(bytes).error, Some(CaptureError::NotACapture)), "{bytes:02x?}");
    }
}

#[test]
fn an_unknown_link_type_is_named() {
    let got = read(&pcap_header(BIG, 0xa1b2_c3d4, 147));
    assert_eq!(
        got.error.unwrap().to_string(),
        "unknown link type 147 (see https://www.tcpdump.org/linktypes.html)"
    );
    let unknown = [section(LITTLE), interface(LITTLE, 147, 0, &[]), interface(LITTLE, 148, 0, &[])].concat();
    let packet = enhanced(LITTLE, 0, 1, 1, b"x");
    let got = read(&[unknown.clone(), packet.clone()].concat());
    assert_eq!(got.skipped, 1);
    assert!(matches!(got.error, Some(CaptureError::UnknownLinkType { numbers }) if numbers == [147, 148]));
    let one_known = [unknown, interface(LITTLE, 1, 0, &[]), packet, enhanced(LITTLE, 2, 1, 1, b"y")].concat();
    let got = read(&one_known);
    assert!(got.error.is_none());
    assert_eq!((got.skipped, got.packets.len(), got.packets[0].interface), (1, 1, 2));
}

#[test]
fn a_length_beyond_all_measure_is_a_broken_file() {
    for len in [RECORD_LEN_MAX + 1, u32::MAX] {
        let (good, _) = pcap(LITTLE, 0xa1b2_c3d4);
        let bytes = [&good[..], &LITTLE.words(&[0, 0, len, len]), &[0; 64]].concat();
        let got = read(&bytes);
        assert_eq!(got.packets.len(), 2);
        assert!(matches!(got.error, Some(CaptureError::RecordTooLong { .. })));
    }
    let (good, _) = pcapng(LITTLE);
    for (kind, len) in [(6, u32::MAX - 3), (6, 4 << 20), (1, 4 << 20), (SHB, 4 << 20)] {
        let bytes = [&good[..], &LITTLE.words(&[kind, len, 0x1a2b_3c4d]), &[0; 64]].concat();
        let got = read(&bytes);
        assert_eq!(got.packets.len(), 5);
        assert!(matches!(got.error, Some(CaptureError::RecordTooLong { .. })), "{:?}", got.error);
    }
}

#[test]
fn a_long_block_of_no_interest_takes_no_memory() {
    let filler = vec![0; 8 << 20];
    let (good, _) = pcapng(LITTLE);
    let bytes = [good.clone(), block(LITTLE, 10, &filler), good].concat();
    let mut file = CaptureFile::from_source(Box::new(Cursor::new(bytes)), None);
    let mut packets = 0;
    loop {
        match file.step().unwrap() {
            Step::Packet { .. } => packets += 1,
            Step::End => break,
            Step::Interface { .. } | Step::Wait => assert!(file.input.capacity() <= 256 << 10),
        }
    }
    assert_eq!(packets, 10);
}

#[test]
fn broken_blocks_are_named() {
    let start = [section(LITTLE), interface(LITTLE, 1, 0, &[])].concat();
    let mut two_lengths = enhanced(LITTLE, 0, 1, 1, b"x");
    *two_lengths.last_mut().unwrap() = 1;
    let mut longer_than_its_block = enhanced(LITTLE, 0, 1, 1, b"x");
    longer_than_its_block[20] = 200;
    let mut no_order = section(LITTLE);
    no_order[8] = 0;
    for (block, what) in [
        (two_lengths, "two lengths"),
        (longer_than_its_block, "longer than its block"),
        (no_order, "byte order"),
        (enhanced(LITTLE, 7, 1, 1, b"x"), "not described"),
        (LITTLE.words(&[6, 13, 0, 0]), "impossible length"),
        (LITTLE.words(&[6, 8, 8]), "impossible length"),
        (block(LITTLE, 6, &[0; 8]), "too short"),
        (block(LITTLE, 1, b""), "too short"),
    ] {
        let error = read(&[start.clone(), block].concat()).error.unwrap();
        assert!(matches!(error, CaptureError::BadBlock { .. }), "{what}: {error}");
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
}

#[test]
fn descriptions_without_end_are_bounded() {
    let many = interface(LITTLE, 1, 0, &[]).repeat(5000);
    assert!(matches!(read(&[section(LITTLE), many].concat()).error, Some(CaptureError::BadBlock { .. })));
}

#[test]
fn an_interface_name_that_is_no_text_or_too_long() {
    let name = |value: &[u8]| {
        let bytes = [section(LITTLE), interface(LITTLE, 1, 0, &[(1, b"note"), (2, value)])].concat();
        read(&bytes).interfaces[0].1.clone()
    };
    assert_eq!(name(b"wan\xff0").as_deref(), Some("wan"));
    assert_eq!(name(b"\0\0"), None);
    assert_eq!(name(&[b'x'; 500]).unwrap().len(), 64);
}

proptest! {
    #[test]
    fn any_bytes_behind_a_good_beginning(
        order in any::<bool>(),
        ng in any::<bool>(),
        compressed in any::<bool>(),
        tail in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let order = Order { big: order };
        let (mut bytes, packets) = if ng { (pcapng(order).0, 5) } else { (pcap(order, 0xa1b2_c3d4).0, 2) };
        bytes.extend(&tail);
        let got = read(&if compressed { gzip(&bytes) } else { bytes });
        prop_assert!(got.packets.len() >= packets);
        prop_assert!(got.error.is_some() || got.packets.len() > packets || tail.is_empty());
    }

    #[test]
    fn a_good_file_with_some_bytes_changed(
        ng in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let (mut bytes, _) = if ng { pcapng(BIG) } else { pcap(BIG, 0xa1b2_3c4d) };
        for (index, value) in &changes {
            *index.get_mut(&mut bytes) = *value;
        }
        let got = read(&bytes);
        prop_assert!(got.packets.len() <= 16);
        let drip = read_source(Box::new(Drip(Cursor::new(bytes))));
        prop_assert_eq!(drip.packets, got.packets);
        prop_assert_eq!(drip.error.map(|error| error.to_string()), got.error.map(|error| error.to_string()));
    }
}
