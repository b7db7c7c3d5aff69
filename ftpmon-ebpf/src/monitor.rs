//! The body of all programs: find the TCP segment, ask what is known of its ports, hand it on.

use ftpmon_common::{Counter, Hook, Link};

use crate::counters::Counters;
use crate::headers::Located;
use crate::maps::{SCRATCH, port_mark};
use crate::packet::{Packet, Pieces, Read};
use crate::{control, data};

/// What a packet is to be taken as.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Taken {
    /// Of no interest, or counted as what is wrong with it.
    Not = 0,
    /// A control connection's.
    Control = 1,
    /// A data connection's, maybe.
    Data = 2,
}

/// Looks at one packet. Nothing of it is changed, whatever it holds.
///
/// What is known before the ports are looked up is asked for anew behind it: few packets come so far, and for the others nothing
/// has to be kept.
#[inline(always)]
pub(crate) fn monitor<P: Packet>(packet: P, hook: Hook, link: Link) {
    let Some(counters) = Counters::here() else { return };
    let taken = match Located::find(&packet.linear(), link) {
        Ok(located) => {
            counters.count(Counter::Segments);
            select(packet, || packet.linear(), located, hook, link)
        }
        Err(
            Counter::EthernetTruncated
            | Counter::VlanTruncated
            | Counter::Ipv4Truncated
            | Counter::Ipv6Truncated
            | Counter::Ipv6ExtensionTruncated
            | Counter::TcpTruncated,
        ) => in_pieces(packet, hook, link, counters),
        Err(reason) => {
            counters.count(reason);
            return;
        }
    };
    if taken == Taken::Not {
        return;
    }
    let (Some(scratch), Some(counters)) = (SCRATCH.get_ptr_mut(0), Counters::here()) else { return };
    // SAFETY: this CPU's value of a per-CPU map; the programs on a CPU run one after the other.
    let segment = unsafe { &mut (*scratch).segment };
    if taken == Taken::Control {
        control::handle(packet, segment, counters);
    } else {
        data::handle(packet, segment, counters);
    }
}

/// A packet whose headers go beyond its linear part: reads them again wherever they lie, and counts what is wrong with it
/// then. Rare, and out of the way of the others.
#[inline(never)]
fn in_pieces<P: Packet>(packet: P, hook: Hook, link: Link, counters: Counters) -> Taken {
    let pieces = Pieces(packet);
    match Located::find(&pieces, link) {
        Ok(located) => {
            counters.count(Counter::Segments);
            select(packet, || pieces, located, hook, link)
        }
        Err(reason) => {
            counters.count(reason);
            Taken::Not
        }
    }
}

/// A packet that touches no watched port and is no SYN has paid two array look-ups when it leaves here. Of others the
/// segment is read.
#[inline(always)]
fn select<P: Packet, R: Read>(
    packet: P,
    bytes: impl FnOnce() -> R,
    located: Located,
    hook: Hook,
    link: Link,
) -> Taken {
    let marks = port_mark(located.source_port).0 | port_mark(located.destination_port).0;
    if marks | located.syn == 0 {
        return Taken::Not;
    }
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else { return Taken::Not };
    // SAFETY: as in `monitor`.
    let segment = unsafe { &mut (*scratch).segment };
    match located.place.segment(&bytes(), packet, hook, link, segment) {
        Ok(()) if segment.source_mark.is_control() || segment.destination_mark.is_control() => Taken::Control,
        Ok(()) => Taken::Data,
        Err(reason) => {
            if let Some(counters) = Counters::here() {
                counters.take_back(Counter::Segments);
                counters.count(reason);
            }
            Taken::Not
        }
    }
}
