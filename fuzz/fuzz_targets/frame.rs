//! Any frames of any link type, one after the other, as in a capture: fragments meet.
//!
//! Input: frames, each behind its length (one byte), the link type's choice and the share of it that was captured.
#![no_main]

use ftpmon_core::frame::{Decoder, LinkType, RawFrame};
use ftpmon_event::link::InterfaceId;
use ftpmon_event::time::Timestamp;
use libfuzzer_sys::fuzz_target;

const LINKS: [u16; 12] = [1, 101, 113, 276, 0, 108, 9, 50, 51, 104, 219, 12];

fuzz_target!(|input: &[u8]| {
    let mut decoder = Decoder::default();
    let mut rest = input;
    let mut at = Timestamp::from_parts(1_700_000_000, 0);
    let mut frames = 0;
    while let [length, choice, missing, tail @ ..] = rest {
        let (bytes, tail) = tail.split_at(tail.len().min(usize::from(*length) * 2));
        rest = tail;
        at = at.plus_nanos(i64::from(*missing) * 100_000_000);
        let link = LINKS[usize::from(*choice) % LINKS.len()];
        let frame = RawFrame {
            link: LinkType::from_number(link).expect("a known link type"),
            bytes,
            wire_len: bytes.len() as u32 + u32::from(*missing) * 16,
            interface: InterfaceId(0),
            tag: None,
        };
        if let Some(segment) = decoder.decode(at, &frame) {
            assert!(segment.payload.len() <= segment.wire_payload_len as usize);
            assert!(segment.vlan.as_slice().len() <= 2);
        }
        frames += 1;
        let (held, cap) = decoder.fragment_table();
        assert!(held <= cap);
    }
    decoder.finish();
    assert_eq!(decoder.fragment_table().0, 0);
    assert_eq!(decoder.counters().frames, frames);
    assert!(decoder.counters().segments <= frames);
});
