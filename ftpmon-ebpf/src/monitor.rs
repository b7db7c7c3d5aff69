//! The body of all programs: find the TCP segment, ask what is known of its ports, hand it on.

use ftpmon_common::{Counter, Hook, Link, PortMark};

use crate::counters::Counters;
use crate::headers::{Located, SYN};
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
#[inline(always)]
pub(crate) fn monitor<P: Packet>(packet: P, hook: Hook, link: Link) {
    let Some(counters) = Counters::here() else { return };
    counters.count(Counter::Packets);
    let linear = packet.linear();
    let taken = match Located::find(&linear, hook, link) {
        Ok(located) => select(packet, &linear, located, counters),
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
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else { return };
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
    match Located::find(&pieces, hook, link) {
        Ok(located) => select(packet, &pieces, located, counters),
        Err(reason) => {
            counters.count(reason);
            Taken::Not
        }
    }
}

/// A packet that touches no watched port and is no SYN has paid two array look-ups when it leaves here. Of others the
/// segment is read.
#[inline(always)]
fn select<P: Packet, R: Read>(packet: P, bytes: &R, located: Located, counters: Counters) -> Taken {
    let source = port_mark(located.source_port);
    let destination = port_mark(located.destination_port);
    if source == PortMark::default() && destination == PortMark::default() && located.flags & SYN == 0 {
        return Taken::Not;
    }
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else { return Taken::Not };
    // SAFETY: as in `monitor`.
    let segment = unsafe { &mut (*scratch).segment };
    match located.segment(bytes, packet, source, destination, segment) {
        Ok(()) if source.is_control() || destination.is_control() => Taken::Control,
        Ok(()) => Taken::Data,
        Err(reason) => {
            counters.count(reason);
            Taken::Not
        }
    }
}
