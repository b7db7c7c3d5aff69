//! Fragments of IP packets, and IPv6 packets with more extension headers than are followed: handed to the agent, which puts them
//! together, where one of the hosts is an FTP server.
//!
//! Which connection they belong to is not known here. So they are bounded by hosts: two hosts with a session have a share of their
//! own, all others have one together, and none takes more of the ring than half of it. What is more is counted as lost.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use ftpmon_common::{Address, Counter, FlowKey, Hook, Link, PairKey};

use crate::counters::Counters;
use crate::emit;
use crate::headers::{ETHERNET_LEN, ETHERTYPE_IPV4, ETHERTYPE_IPV6, TAG_LEN, TAGS_MAX, is_tag};
use crate::layout::{AddressPair, Octets8};
use crate::maps::{PAIRS, SCRATCH, SERVERS};
use crate::networks;
use crate::packet::{Packet, Pieces, Read};

/// Fragments of two hosts with a session that are copied in about a second; a longer one counts once for each 2 KiB. So a client that
/// sends nothing else takes 1 MiB/s of the ring.
const OF_PAIR_MAX: u32 = 512;
/// The same of all other hosts together, on one CPU: fragments from invented sources to a server.
const OF_OTHERS_MAX: u32 = 256;
/// That second is 2^30 ns.
const INTERVAL_SHIFT: u32 = 30;

/// A packet that was counted so may be one of FTP.
#[inline(always)]
pub(crate) const fn may_be_of_ftp(reason: Counter) -> bool {
    matches!(reason, Counter::FragmentFirst | Counter::FragmentLater | Counter::Ipv6ChainTooLong)
}

/// Copies the packet to the ring if one of its hosts is an FTP server.
#[inline(never)]
pub(crate) fn handle<P: Packet>(packet: P, hook: Hook, link: Link, counters: Counters) {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else { return };
    let Some((source, destination)) = hosts(&Pieces(packet), link) else { return };
    // SAFETY: this CPU's value of a per-CPU map; the programs on a CPU run one after the other.
    let segment = unsafe { &mut (*scratch).segment };
    segment.key = FlowKey::new(source, 0, destination, 0).0;
    let proved = PAIRS.get_ptr_mut(segment.key.pair());
    if proved.is_none()
        && SERVERS.get_ptr(&segment.key.low).is_none()
        && SERVERS.get_ptr(&segment.key.high).is_none()
    {
        return;
    }
    // Hosts with a session were admitted, and what is open goes on.
    if proved.is_none() && !networks::admit(segment) {
        counters.count(Counter::DeniedPackets);
        return;
    }
    // SAFETY: the helper only reads the clock.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    let frame_len = packet.len();
    // SAFETY: a word of a map's value, or of this CPU's.
    let (share, most) = unsafe {
        match proved {
            Some(pair) => (&raw mut (*pair).fragments, OF_PAIR_MAX),
            None => (&raw mut (*scratch).fragments, OF_OTHERS_MAX),
        }
    };
    // SAFETY: the same.
    let within = unsafe { take(share, most, 1 + (frame_len >> 11), now_ns) };
    if !within || emit::left_of_a_full_ring() != u64::MAX {
        counters.count(Counter::LostFragments);
        return;
    }
    let (control, protocol) = packet.tag();
    // The fields that a record is made of; nothing reads the others.
    segment.hook = hook as u32;
    segment.link = link as u32;
    segment.device_tag = [control, protocol];
    segment.frame_len = frame_len;
    segment.copied = 0;
    emit::fragment(packet, segment, now_ns, counters);
}

/// The fragments that two hosts sent in about the last second, for the pair's new entry.
#[inline(always)]
pub(crate) fn of_pair(key: PairKey) -> u32 {
    // SAFETY: a word of a map's value.
    PAIRS.get_ptr(key).map_or(0, |pair| unsafe { (&raw const (*pair).fragments).read() })
}

/// Takes a part of a share, which is the interval in its upper and what was taken in its lower half. False where it is used up. Two
/// CPUs may take the same part.
///
/// # Safety
/// The share is a word of a map's value.
#[inline(always)]
unsafe fn take(share: *mut u32, most: u32, part: u32, now_ns: u64) -> bool {
    let interval = (now_ns >> INTERVAL_SHIFT) as u32 & 0xffff;
    // SAFETY: the caller's word.
    let present = unsafe { share.read() };
    let taken = if present >> 16 == interval { present & 0xffff } else { 0 };
    if taken >= most {
        return false;
    }
    let taken = taken.wrapping_add(part) & 0xffff;
    // SAFETY: the caller's word.
    unsafe { share.write(interval << 16 | taken) };
    true
}

/// Source and destination of an IP packet.
#[inline(always)]
fn hosts<R: Read>(bytes: &R, link: Link) -> Option<(Address, Address)> {
    let mut ip = 0;
    let ipv6 = match link {
        Link::Ethernet => {
            let mut ethertype = u16::from_be(bytes.read(12)?);
            ip = ETHERNET_LEN;
            for _ in 0..TAGS_MAX {
                if is_tag(ethertype) {
                    ethertype = u16::from_be(bytes.read(ip + 2)?);
                    ip += TAG_LEN;
                }
            }
            match ethertype {
                ETHERTYPE_IPV4 => false,
                ETHERTYPE_IPV6 => true,
                _ => return None,
            }
        }
        Link::RawIp => {
            let [version, _]: [u8; 2] = bytes.read(0)?;
            version >> 4 == 6
        }
    };
    if ipv6 {
        let addresses: AddressPair = bytes.read(ip + 8)?;
        let [a, b, c, d] = addresses.halves();
        Some((Address::from_halves(a, b), Address::from_halves(c, d)))
    } else {
        let addresses: Octets8 = bytes.read(ip + 12)?;
        Some((Address::from_ipv4(addresses.first()), Address::from_ipv4(addresses.second())))
    }
}
