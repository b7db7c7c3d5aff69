//! Messages about rare losses, through aya-log (`--kernel-log`).
//!
//! A message gives the reason, the addresses and the ports. The counters count every case whether it is logged or not. Code
//! that meets such a case notes it in the segment ([`Segment::note_loss`]), and the message is written in one place: writing one
//! takes many instructions and much stack. While [`SETTING_LOG`] is 0 the verifier removes all of this.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use aya_log_ebpf::warn;

use crate::maps::{SCRATCH, SETTING_LOG};
use crate::packet::Packet;
use crate::segment::Segment;

/// Messages that one CPU writes in about a second, so that a flood of losses fills neither the log nor its ring.
const MESSAGES_MAX: u64 = 10;
/// That second is 2^30 ns.
const INTERVAL_SHIFT: u32 = 30;

/// Writes what was noted in the segment, if anything.
#[inline(always)]
pub(crate) fn write_noted<P: Packet>(packet: P, segment: &Segment) {
    if SETTING_LOG.load() != 0 && segment.loss != 0 && is_allowed() {
        write(packet, segment);
    }
}

/// Writes one message. It begins with the number of the [`ftpmon_common::Counter`], which the agent replaces by the name.
#[inline(never)]
fn write<P: Packet>(packet: P, segment: &Segment) {
    let direction = segment.direction();
    warn!(
        &packet,
        "{} {:i} port {} to {:i} port {}, {} bytes of payload",
        segment.loss,
        segment.key.sender(direction).address.octets(),
        segment.source_port,
        segment.key.sender(direction.reverse()).address.octets(),
        segment.destination_port,
        segment.payload
    );
}

/// Counts a message against this CPU's limit.
#[inline(always)]
fn is_allowed() -> bool {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else { return false };
    // SAFETY: reads the clock.
    let interval = unsafe { bpf_ktime_get_boot_ns() } >> INTERVAL_SHIFT;
    // SAFETY: integers in this CPU's value of a per-CPU map; no reference to them is held anywhere.
    unsafe {
        if (*scratch).log_interval != interval {
            (*scratch).log_interval = interval;
            (*scratch).log_messages = 0;
        }
        if (*scratch).log_messages >= MESSAGES_MAX {
            return false;
        }
        (*scratch).log_messages += 1;
    }
    true
}
