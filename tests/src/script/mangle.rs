//! Frames of a capture as another network, or a worse monitor, would have them: cut into smaller segments, doubled, lost.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::capture::Frame;
use super::wire::{FIN, PSH, RST, SYN, URG, checksum};
use crate::dialogues::dice::Dice;

const ETHERNET: usize = 14;
const TCP_PROTOCOL: u8 = 6;

/// The places of the headers in a frame that holds nothing but Ethernet, IP without fragments and extensions, and TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    six: bool,
    tcp: usize,
    payload: usize,
}

fn byte(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at).map(|byte| usize::from(*byte))
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    Some((byte(bytes, at)? << 8) | byte(bytes, at + 1)?)
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(field) = bytes.get_mut(at..at + value.len()) {
        field.copy_from_slice(value);
    }
}

/// The layout of a frame that is whole and plain.
fn layout(frame: &Frame) -> Option<Layout> {
    let bytes = &frame.bytes;
    if frame.wire_len != bytes.len() {
        return None;
    }
    let (six, tcp, len) = match number(bytes, 12)? {
        0x0800
            if byte(bytes, ETHERNET)? == 0x45 && byte(bytes, ETHERNET + 9)? == usize::from(TCP_PROTOCOL) =>
        {
            let fragment = number(bytes, ETHERNET + 6)? & 0x3fff;
            (fragment == 0).then_some((false, ETHERNET + 20, number(bytes, ETHERNET + 2)? + ETHERNET))?
        }
        0x86dd if byte(bytes, ETHERNET + 6)? == usize::from(TCP_PROTOCOL) => {
            (true, ETHERNET + 40, number(bytes, ETHERNET + 4)? + ETHERNET + 40)
        }
        _ => return None,
    };
    let payload = tcp + (byte(bytes, tcp + 12)? >> 4) * 4;
    let layout = Layout { six, tcp, payload };
    (len == bytes.len() && payload <= len && sum(bytes, layout) == 0).then_some(layout)
}

/// The checksum of the TCP segment: 0 where it is right.
fn sum(bytes: &[u8], layout: Layout) -> u16 {
    let segment = bytes.get(layout.tcp..).unwrap_or_default();
    let addresses = if layout.six { ETHERNET + 8..layout.tcp } else { ETHERNET + 12..layout.tcp };
    let len = (segment.len() as u32).to_be_bytes();
    checksum(&[bytes.get(addresses).unwrap_or_default(), &len, &[0, 0, 0, TCP_PROTOCOL], segment])
}

/// Every frame is whole and plain.
pub fn are_plain(frames: &[Frame]) -> bool {
    frames.iter().all(|frame| layout(frame).is_some())
}

/// The flags and the ports of the frames' connection, and the bytes of the dialogue that it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The host that sent it.
    pub from: IpAddr,
    /// Source and destination port.
    pub ports: (u16, u16),
    /// The flags.
    pub flags: u8,
    /// The payload.
    pub payload: Vec<u8>,
}

/// That which a plain frame carries.
pub fn carried(frame: &Frame) -> Option<Carried> {
    let Layout { six, tcp, payload } = layout(frame)?;
    let bytes = &frame.bytes;
    let from = if six {
        let octets: [u8; 16] = bytes.get(ETHERNET + 8..ETHERNET + 24)?.try_into().ok()?;
        IpAddr::V6(Ipv6Addr::from(octets))
    } else {
        let octets: [u8; 4] = bytes.get(ETHERNET + 12..ETHERNET + 16)?.try_into().ok()?;
        IpAddr::V4(Ipv4Addr::from(octets))
    };
    let port = |at| number(bytes, at).map(|port| port as u16);
    let ports = (port(tcp)?, port(tcp + 2)?);
    Some(Carried { from, ports, flags: *bytes.get(tcp + 13)?, payload: bytes.get(payload..)?.to_vec() })
}

/// The frame with only a part of its payload.
fn part(frame: &Frame, layout: Layout, from: usize, to: usize, is_last: bool) -> Frame {
    let Layout { six, tcp, payload } = layout;
    let mut bytes = frame.bytes.get(..payload).unwrap_or_default().to_vec();
    bytes.extend_from_slice(frame.bytes.get(payload + from..payload + to).unwrap_or_default());
    let seq =
        frame.bytes.get(tcp + 4..tcp + 8).and_then(|seq| seq.try_into().ok()).map_or(0, u32::from_be_bytes);
    put(&mut bytes, tcp + 4, &seq.wrapping_add(from as u32).to_be_bytes());
    if !is_last && let Some(flags) = bytes.get_mut(tcp + 13) {
        *flags &= !(FIN | PSH);
    }
    if six {
        let len = (bytes.len() - ETHERNET - 40) as u16;
        put(&mut bytes, ETHERNET + 4, &len.to_be_bytes());
    } else {
        let len = (bytes.len() - ETHERNET) as u16;
        put(&mut bytes, ETHERNET + 2, &len.to_be_bytes());
        put(&mut bytes, ETHERNET + 10, &[0, 0]);
        let header = checksum(&[bytes.get(ETHERNET..ETHERNET + 20).unwrap_or_default()]);
        put(&mut bytes, ETHERNET + 10, &header.to_be_bytes());
    }
    put(&mut bytes, tcp + 16, &[0, 0]);
    let right = sum(&bytes, layout);
    put(&mut bytes, tcp + 16, &right.to_be_bytes());
    Frame { wire_len: bytes.len(), bytes, ..frame.clone() }
}

/// The same bytes in more segments, one after another within a microsecond.
pub fn cut(frames: &[Frame], dice: &mut Dice) -> Vec<Frame> {
    let mut out = Vec::with_capacity(frames.len() * 2);
    for frame in frames {
        let whole = layout(frame).and_then(|layout| {
            let flags = byte(&frame.bytes, layout.tcp + 13)? as u8;
            let len = frame.bytes.len() - layout.payload;
            (len > 1 && flags & (SYN | RST | URG) == 0 && dice.percent(60)).then_some((layout, len))
        });
        let Some((layout, len)) = whole else {
            out.push(frame.clone());
            continue;
        };
        let mut ends: Vec<usize> = (0..1 + dice.below(3)).map(|_| 1 + dice.below(len - 1)).collect();
        ends.push(len);
        ends.sort_unstable();
        ends.dedup();
        let mut from = 0;
        for to in ends {
            let mut piece = part(frame, layout, from, to, to == len);
            piece.at_ns += out.len() as u64 % 7;
            out.push(piece);
            from = to;
        }
    }
    // In the order of their times, as a capture has them.
    let mut latest = 0;
    for frame in &mut out {
        latest = latest.max(frame.at_ns);
        frame.at_ns = latest;
    }
    out
}

/// Some frames once more, right behind themselves.
pub fn double(frames: &[Frame], dice: &mut Dice) -> Vec<Frame> {
    let copies = |frame: &Frame| vec![frame.clone(); 1 + usize::from(dice.percent(15))];
    frames.iter().flat_map(copies).collect()
}

/// Without so many of a hundred frames.
pub fn lose(frames: &[Frame], percent: usize, dice: &mut Dice) -> Vec<Frame> {
    frames.iter().filter(|_| !dice.percent(percent)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    const SCRIPT: &str = "host client 2001:db8::10\nhost server 2001:db8::21\nopen c client:40000 server:21\n\
                          S: 220 ready\nC: USER alice\nS: 331 go on\nclose c <\n";

    fn text(frames: &[Frame]) -> Vec<u8> {
        frames.iter().filter_map(carried).filter(|it| it.ports.0 == 21).flat_map(|it| it.payload).collect()
    }

    #[test]
    fn cut_frames_carry_the_same_bytes_and_are_plain() {
        for script in [SCRIPT.to_owned(), SCRIPT.replace("2001:db8::", "192.0.2.")] {
            let frames = script::frames(&script).unwrap();
            assert!(are_plain(&frames));
            let cut = cut(&frames, &mut Dice::new(3));
            assert!(cut.len() > frames.len() && are_plain(&cut));
            assert_eq!(text(&cut), text(&frames));
            assert!(cut.is_sorted_by_key(|frame| frame.at_ns));
        }
    }

    #[test]
    fn frames_are_doubled_and_lost_by_their_seed() {
        let frames = script::frames(SCRIPT).unwrap();
        assert_eq!(double(&frames, &mut Dice::new(1)), double(&frames, &mut Dice::new(1)));
        // Of all frames of 200 seeds: 15 and 50 of a hundred, give or take five.
        let of_all =
            |count: &dyn Fn(u64) -> usize| (1..=200).map(count).sum::<usize>() * 100 / (200 * frames.len());
        let doubled = of_all(&|seed| double(&frames, &mut Dice::new(seed)).len() - frames.len());
        let lost = of_all(&|seed| frames.len() - lose(&frames, 50, &mut Dice::new(seed)).len());
        assert!((10..20).contains(&doubled) && (45..55).contains(&lost), "{doubled} {lost}");
        assert_eq!(lose(&frames, 0, &mut Dice::new(1)), frames);
    }

    #[test]
    fn what_is_not_plain_is_left_alone() {
        let mut frames = script::frames(SCRIPT).unwrap();
        if let Some(last) = frames.last_mut().and_then(|frame| frame.bytes.last_mut()) {
            *last ^= 1;
        }
        assert!(!are_plain(&frames));
        assert_eq!(cut(&frames, &mut Dice::new(3)).last(), frames.last());
    }
}
