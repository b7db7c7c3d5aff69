//! The usual frame: Ethernet, IPv4 without options, no fragment, TCP. All others are read header by header.

use super::ip;
use super::layer::Layer;
use super::link::LinkType;
use super::raw::RawFrame;
use super::span::Span;
use super::walk::Walk;
use crate::checksum::{fold, header_sum};
use crate::segment::{Segment, VlanTags};

/// Length of an IPv4 header without options.
const IPV4_LEN: usize = 20;
/// Length of an Ethernet header and that IPv4 header.
const HEADERS_LEN: usize = 14 + IPV4_LEN;

/// The segment that [`Walk::run`] finds in a usual frame; none for any other frame.
#[inline(always)]
pub(super) fn segment<'a>(frame: &RawFrame<'a>) -> Option<Segment<'a>> {
    /// The flag of more fragments, and the offset.
    const FRAGMENT: u16 = 0x3fff;
    let (headers, bytes) = frame.bytes.split_first_chunk::<HEADERS_LEN>()?;
    let &[
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        0x08,
        0x00,
        0x45,
        _,
        l0,
        l1,
        _,
        _,
        f0,
        f1,
        hop_limit,
        ip::TCP,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = headers
    else {
        return None;
    };
    if frame.link != LinkType::Ethernet || u16::from_be_bytes([f0, f1]) & FRAGMENT != 0 {
        return None;
    }
    let mut span = Span { bytes, missing: 0 };
    span.limit(usize::from(u16::from_be_bytes([l0, l1])).checked_sub(IPV4_LEN)?);
    let mut walk = Walk::frame(span, Layer::Transport(ip::TCP), VlanTags::of(frame.tag), frame.interface);
    walk.hop_limit = hop_limit;
    walk.bad_ip = headers.last_chunk().is_none_or(|header| fold(header_sum(header)) != 0xffff);
    walk.between_v4([s0, s1, s2, s3], [d0, d1, d2, d3]);
    walk.segment().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::walk::Found;
    use super::*;
    use crate::segment::InterfaceId;

    /// A segment of `payload`, with or without the options of TCP.
    fn frame(payload: &[u8], options: bool) -> Vec<u8> {
        let options: &[u8] = if options { &[1; 12] } else { &[] };
        let len = (IPV4_LEN + 20 + options.len() + payload.len()) as u16;
        let data_offset = (5 + options.len() / 4) as u8;
        let mut frame = vec![2; 12];
        frame.extend([8, 0, 0x45, 0]);
        frame.extend(len.to_be_bytes());
        frame.extend([0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        frame.extend([0x9c, 0x40, 0, 21, 0, 0, 0, 1, 0, 0, 0, 2, data_offset << 4, 0x18, 1, 0, 0, 0, 0, 0]);
        frame.extend(options);
        frame.extend(payload);
        frame
    }

    fn both_ways(bytes: &[u8], wire_len: u32) -> [Option<String>; 2] {
        let interface = InterfaceId(3);
        let frame = RawFrame { link: LinkType::Ethernet, bytes, wire_len, interface, tag: None };
        let span = Span { bytes, missing: (wire_len as usize).saturating_sub(bytes.len()) };
        let walked = match Walk::frame(span, Layer::Ethernet, VlanTags::default(), interface).run() {
            Ok(Found::Segment(segment)) => Some(format!("{segment:?}")),
            _ => None,
        };
        [segment(&frame).map(|segment| format!("{segment:?}")), walked]
    }

    #[test]
    fn the_usual_frame_is_decoded() {
        for options in [false, true] {
            let frame = frame(b"USER alice\r\n", options);
            let [quick, walked] = both_ways(&frame, frame.len() as u32);
            assert!(quick.is_some());
            assert_eq!(quick, walked);
        }
    }

    proptest! {
        #[test]
        fn a_usual_frame_gives_what_the_walk_gives(
            payload in proptest::collection::vec(any::<u8>(), 0..20),
            options: bool,
            padding in 0_usize..8,
            cut in 0_usize..80,
            missing in 0_u32..9,
            changes in proptest::collection::vec((12_usize..70, any::<u8>()), 0..3),
        ) {
            let mut frame = frame(&payload, options);
            frame.extend(vec![0; padding]);
            for (at, byte) in changes {
                if let Some(place) = frame.get_mut(at) {
                    *place = byte;
                }
            }
            frame.truncate(frame.len().saturating_sub(cut.saturating_sub(40)));
            let [quick, walked] = both_ways(&frame, frame.len() as u32 + missing);
            prop_assert!(quick.is_none() || quick == walked, "{quick:?} {walked:?}");
        }
    }
}
