//! The share of [`FLOWS`] that connections without an announcement of their own have, so that a flood of them leaves the announced
//! ones their places.
//!
//! Each such connection holds a slot. The slots of a pair of hosts lie in one group, so that a pair has one group's share at most.
//! A slot is free when its connection is gone from the table: nothing has to be counted down, whoever removed the connection.

use aya_ebpf::helpers::generated::bpf_get_prandom_u32;
use ftpmon_common::names::{CANDIDATES_GROUP_MAX, CANDIDATES_GROUPS};
use ftpmon_common::{Counter, FlowHalf, FlowKey, FlowState, PairKey};

use crate::counters::Counters;
use crate::maps::{CANDIDATES, FLOWS, SETTING_SEED};
use crate::segment::{ACK, Segment};
use crate::shared::SharedFlow;

/// Slots that are looked at for a new connection, from a random one on. While less than half of a group is taken by connections
/// that stay, one in 16 finds none.
const TRIES: u32 = 4;
/// A connection that is not established may be replaced by a SYN after this long without a packet, nanoseconds.
const UNANSWERED_NS: u64 = 1_000_000_000;
/// An odd number without pattern.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

const _: () = assert!(CANDIDATES_GROUPS.is_power_of_two() && CANDIDATES_GROUP_MAX.is_power_of_two());

/// Takes a slot for a new connection; false where none is free or held by a connection that may be replaced.
///
/// A SYN replaces connections that were not established within a second. A SYN-ACK comes from a host that agrees to a connection,
/// so it may replace younger ones as well: a flood of SYNs keeps nobody's connection out.
#[inline(never)]
pub(crate) fn take_slot(segment: &Segment, now_ns: u64, counters: Counters) -> bool {
    let first = group(&segment.key.pair()) * CANDIDATES_GROUP_MAX as u32;
    // SAFETY: the helper only returns a number.
    let start = unsafe { bpf_get_prandom_u32() };
    let answered = segment.has_any(ACK);
    for number in 0..TRIES {
        let index = first + (start.wrapping_add(number) & (CANDIDATES_GROUP_MAX as u32 - 1));
        let Some(slot) = CANDIDATES.get_ptr_mut(index) else { return false };
        // SAFETY: a map value of integers. Where two CPUs take one slot at a time, one of the connections keeps its entry without a
        // slot until it ends.
        let taken = unsafe { slot.read() };
        if is_free(&taken, answered, now_ns, counters) {
            // SAFETY: as above.
            unsafe { slot.write(segment.key) };
            return true;
        }
    }
    false
}

/// The slot's connection is gone, or it may be replaced and was removed.
#[inline(always)]
fn is_free(slot: &FlowKey, answered: bool, now_ns: u64, counters: Counters) -> bool {
    let Some(state) = FLOWS.get_ptr_mut(slot) else { return true };
    // SAFETY: a value of a map.
    let state = unsafe { SharedFlow::new(state) };
    if state.flags() & FlowState::SHARED == 0 {
        // Another connection between the same ends, with a place of its own.
        return true;
    }
    let silent_ns = now_ns.wrapping_sub(state.last_ns()) as i64;
    if !may_be_replaced(state, answered, silent_ns) {
        return false;
    }
    if state.flags() & FlowState::CLOSED == 0 {
        counters.count(Counter::CandidatesReplaced);
        if state.syn_ack_ns() != 0 && silent_ns < UNANSWERED_NS as i64 {
            // It may be about to be established.
            counters.count(Counter::LostFlow);
        }
    }
    let _ = FLOWS.remove(slot);
    true
}

#[inline(always)]
fn may_be_replaced(state: SharedFlow, answered: bool, silent_ns: i64) -> bool {
    if state.flags() & FlowState::CLOSED != 0 {
        return state.flags() & FlowState::UNREPORTED == 0;
    }
    let (low, high) = state.halves(0);
    let payload = low.payload_bytes() | high.payload_bytes();
    let both = low.flags() & high.flags() & FlowHalf::SEEN != 0;
    if both && (state.ack_ns() != 0 || payload != 0) {
        return false;
    }
    silent_ns >= UNANSWERED_NS as i64 || (answered && payload == 0)
}

/// The group of a pair of hosts. The seed keeps others from finding hosts that share a group.
#[inline(always)]
fn group(pair: &PairKey) -> u32 {
    let mut hash = SETTING_SEED.load();
    for half in [pair.low.halves(), pair.high.halves()] {
        for word in half {
            hash = (hash ^ word).wrapping_mul(MIX);
            hash ^= hash >> 32;
        }
    }
    hash as u32 & (CANDIDATES_GROUPS as u32 - 1)
}
