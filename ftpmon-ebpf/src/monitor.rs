//! The body of all programs: find the TCP segment, look its ports up, hand it on.

use ftpmon_common::{Counter, Hook, Link};

use crate::counters::Counters;
use crate::headers::{Located, PortMarks};
use crate::maps::{SCRATCH, port_mark};
use crate::packet::{Packet, Pieces, Read};
use crate::{control, data, fragments, log};

/// The class of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Class {
    /// Of no interest.
    Ignored = 0,
    /// Of a control connection.
    Control = 1,
    /// Perhaps of a data connection.
    Data = 2,
    /// Selected, but its headers are wrong.
    Malformed = 3,
    /// A part of a packet that may be of one of these.
    Fragment = 4,
}

/// Handles one packet. It is never changed, whatever it holds.
///
/// Values known before the port look-ups are read again behind them: few packets get that far, and the others do not pay for
/// keeping it.
#[inline(always)]
pub(crate) fn monitor<P: Packet>(packet: P, hook: Hook, link: Link) {
    let Some(counters) = Counters::of_this_cpu() else { return };
    let class = match Located::find(&packet.linear(), link) {
        Ok(located) => {
            counters.count(Counter::Segments);
            classify(packet, || packet.linear(), located, hook, link)
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
            if !fragments::may_be_of_ftp(reason) {
                return;
            }
            Class::Fragment
        }
    };
    if class == Class::Ignored {
        return;
    }
    if class == Class::Fragment {
        fragments::handle(packet, hook, link, counters);
        return;
    }
    let (Some(scratch), Some(counters)) = (SCRATCH.get_ptr_mut(0), Counters::of_this_cpu()) else { return };
    // SAFETY: this CPU's value of a per-CPU map; the programs on a CPU run one after the other.
    let segment = unsafe { &mut (*scratch).segment };
    match class {
        Class::Control => control::handle(packet, segment, counters),
        Class::Data => data::handle(packet, segment, counters),
        Class::Ignored | Class::Malformed | Class::Fragment => {}
    }
    log::write_noted(packet, segment);
}

/// A packet whose headers reach beyond its linear part: reads them again with a helper, wherever they lie, and counts what is
/// wrong with it then. Rare, so it is kept out of the other packets' way.
#[inline(never)]
fn in_pieces<P: Packet>(packet: P, hook: Hook, link: Link, counters: Counters) -> Class {
    let pieces = Pieces(packet);
    match Located::find(&pieces, link) {
        Ok(located) => {
            counters.count(Counter::Segments);
            classify(packet, || pieces, located, hook, link)
        }
        Err(reason) => {
            counters.count(reason);
            if fragments::may_be_of_ftp(reason) { Class::Fragment } else { Class::Ignored }
        }
    }
}

/// A packet that touches no watched port and is no SYN has cost two array look-ups when it leaves here. The segment of any other
/// packet is read.
#[inline(always)]
fn classify<P: Packet, R: Read>(
    packet: P,
    bytes: impl FnOnce() -> R,
    located: Located,
    hook: Hook,
    link: Link,
) -> Class {
    let source = port_mark(located.source_port);
    let destination = port_mark(located.destination_port);
    if source.0 | destination.0 | located.syn == 0 {
        return Class::Ignored;
    }
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else { return Class::Ignored };
    // SAFETY: as in `monitor`.
    let segment = unsafe { &mut (*scratch).segment };
    let marks = PortMarks { source, destination };
    match located.offsets.read_segment(&bytes(), packet, (hook, link), marks, segment) {
        Ok(()) if source.is_control() || destination.is_control() => Class::Control,
        Ok(()) => Class::Data,
        Err(reason) => {
            if let Some(counters) = Counters::of_this_cpu() {
                counters.take_back(Counter::Segments);
                counters.count(reason);
            }
            segment.note_loss(reason);
            Class::Malformed
        }
    }
}
