//! The Internet checksum (RFC 1071), and whether a segment has its own (RFC 9293 section 3.1).

use std::net::IpAddr;

use crate::segment::{HeaderSum, Segment};

/// Whether a segment has the right checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumState {
    /// It has.
    Good,
    /// It has others: its receiver drops it, unless it was captured before its checksums were made.
    Bad,
    /// Not all of it was captured, or the interface was still to make its checksum: the sum of the pseudo-header stands in its place.
    Unknown,
}

/// Payload bytes of the largest segment on an Ethernet. Longer ones were put together, by an interface that verified them and
/// left the sum of the pseudo-header in the place of the checksum.
const SEGMENT_MAX: usize = 1_460;

/// The ones' complement sum of the 16-bit words of a header without options, not folded. It takes a few instructions.
#[inline(always)]
pub(crate) fn header_sum(header: &[u8; 20]) -> u64 {
    let (words, _) = header.as_chunks::<4>();
    words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum()
}

/// The ones' complement sum of the 16-bit words of `bytes`, in 16 bits.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    // Sums of words in the other byte order are the same but for the order of their own bytes (RFC 1071 section 2): those of this
    // machine need no exchange for each word.
    let (words, rest) = bytes.as_chunks::<4>();
    let words: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let last = match *rest {
        [] => [0; 4],
        [a] => [a, 0, 0, 0],
        [a, b] => [a, b, 0, 0],
        [a, b, c, ..] => [a, b, c, 0],
    };
    u64::from(u16::from_be(fold(words + u64::from(u32::from_ne_bytes(last)))))
}

/// The sum of the words of an IPv6 address.
#[inline]
const fn address_sum(bits: u128) -> u64 {
    let (high, low) = ((bits >> 64) as u64, bits as u64);
    (high >> 32) + (high & 0xffff_ffff) + (low >> 32) + (low & 0xffff_ffff)
}

/// A sum in 16 bits.
pub(crate) const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// The checksum of a segment of which the bytes `old` became `new`, which are as many, at an even place (RFC 1624). What was right
/// stays right, and what was wrong stays wrong.
pub fn adjusted(checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    let without = u64::from(!checksum) + u64::from(!fold(sum(old)));
    !fold(without + u64::from(fold(sum(new))))
}

impl Segment<'_> {
    /// The length of its TCP header, bytes; 0 where it is not known.
    pub const fn header_len(&self) -> usize {
        (self.signs.sum.rest >> 24) as usize
    }

    /// Whether it has the right checksums.
    pub fn checksums(&self) -> ChecksumState {
        let HeaderSum { checksum, rest, bad_ip, is_known } = self.signs.sum;
        if !is_known || self.payload.len() != self.wire_payload_len as usize {
            return ChecksumState::Unknown;
        }
        let addresses = match (self.src.ip, self.dst.ip) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => u64::from(src.to_bits()) + u64::from(dst.to_bits()),
            (IpAddr::V6(src), IpAddr::V6(dst)) => address_sum(src.to_bits()) + address_sum(dst.to_bits()),
            _ => return ChecksumState::Unknown,
        };
        const TCP: u64 = 6;
        let header_len = u64::from(rest >> 24);
        let pseudo = addresses + TCP + header_len + self.payload.len() as u64;
        let header = u64::from(self.src.port)
            + u64::from(self.dst.port)
            + u64::from(self.seq)
            + u64::from(self.ack)
            + u64::from(rest & 0xff_ffff)
            + u64::from(checksum);
        if bad_ip {
            return ChecksumState::Bad;
        }
        if fold(pseudo + header + sum(self.payload)) == 0xffff {
            return ChecksumState::Good;
        }
        match checksum == fold(pseudo) {
            true if self.payload.len() > SEGMENT_MAX => ChecksumState::Good,
            true => ChecksumState::Unknown,
            false => ChecksumState::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Decoder, LinkType, RawFrame};
    use crate::segment::InterfaceId;
    use crate::time::Timestamp;

    /// The checksum as RFC 1071 defines it, word by word.
    fn checksum(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    fn frame(payload: &[u8], v6: bool, options: &[u8]) -> Vec<u8> {
        let mut tcp = vec![0x9c, 0x40, 0, 21, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0x18, 0xff, 0xfe, 0, 0, 0, 0];
        tcp.extend(options);
        tcp[12] = ((tcp.len() / 4) as u8) << 4;
        tcp.extend(payload);
        let (src, dst): (&[u8], &[u8]) =
            if v6 { (&[0x20; 16], &[0xfe; 16]) } else { (&[192, 0, 2, 1], &[198, 51, 100, 254]) };
        let mut summed = [src, dst].concat();
        summed.extend((tcp.len() as u32).to_be_bytes());
        summed.extend([0, 0, 0, 6]);
        summed.extend(&tcp);
        let of_tcp = checksum(&summed).to_be_bytes();
        tcp[16..18].copy_from_slice(&of_tcp);
        let mut frame = vec![2; 12];
        if v6 {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend((tcp.len() as u16).to_be_bytes());
            frame.extend([6, 64]);
            frame.extend([src, dst].concat());
        } else {
            let mut ip = vec![0x45, 0];
            ip.extend((20 + tcp.len() as u16).to_be_bytes());
            ip.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
            ip.extend([src, dst].concat());
            let of_ip = checksum(&ip).to_be_bytes();
            ip[10..12].copy_from_slice(&of_ip);
            frame.extend([8, 0]);
            frame.extend(ip);
        }
        frame.extend(tcp);
        frame
    }

    fn verdict(bytes: &[u8]) -> ChecksumState {
        let mut decoder = Decoder::default();
        let wire_len = bytes.len() as u32;
        let frame =
            RawFrame { link: LinkType::Ethernet, bytes, wire_len, interface: InterfaceId(0), tag: None };
        decoder.decode(Timestamp::from_nanos(0), &frame).unwrap().checksums()
    }

    #[test]
    fn any_other_bit_is_found() {
        for v6 in [false, true] {
            for options in [&[][..], &[1, 1, 8, 10, 0, 1, 2, 3, 0, 0, 0, 9], &[2, 4, 5, 180]] {
                for payload in [&b""[..], b"a", b"NOOP\r\n", &[0xff; 1_001]] {
                    let frame = frame(payload, v6, options);
                    assert_eq!(verdict(&frame), ChecksumState::Good);
                    let headers = if v6 { 54 } else { 26 };
                    for at in (headers..frame.len()).step_by(7) {
                        let mut other = frame.clone();
                        other[at] ^= 0x10;
                        // A header of another length is another segment.
                        if at != 46 && at != 66 {
                            assert_eq!(verdict(&other), ChecksumState::Bad, "{v6} {at}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_checksum_that_the_interface_was_still_to_make_is_unknown() {
        let mut frame = frame(b"NOOP\r\n", false, &[]);
        let pseudo = [&frame[26..34], &[0, 6, 0, 26]].concat();
        frame[50..52].copy_from_slice(&(!checksum(&pseudo)).to_be_bytes());
        assert_eq!(verdict(&frame), ChecksumState::Unknown);
        frame[51] ^= 1;
        assert_eq!(verdict(&frame), ChecksumState::Bad);
    }

    #[test]
    fn an_adjusted_checksum_is_right() {
        for payload in [&b"PASS hunter2\r\n"[..], b"odd", &[0xff; 64], &[0; 3]] {
            let mut frame = frame(payload, false, &[]);
            let other: Vec<u8> = payload.iter().map(|byte| byte ^ 0x2a).collect();
            let old = u16::from_be_bytes([frame[50], frame[51]]);
            frame[50..52].copy_from_slice(&adjusted(old, payload, &other).to_be_bytes());
            frame[54..].copy_from_slice(&other);
            assert_eq!(verdict(&frame), ChecksumState::Good);
        }
    }

    #[test]
    fn a_segment_that_was_cut_is_unknown() {
        let whole = frame(b"NOOP\r\n", false, &[]);
        let mut decoder = Decoder::default();
        let (bytes, wire_len) = (&whole[..whole.len() - 1], whole.len() as u32);
        let frame =
            RawFrame { link: LinkType::Ethernet, bytes, wire_len, interface: InterfaceId(0), tag: None };
        let segment = decoder.decode(Timestamp::from_nanos(0), &frame).unwrap();
        assert_eq!(segment.checksums(), ChecksumState::Unknown);
    }
}
