//! The account of a data connection: exact bytes from sequence numbers.

use core::arch::asm;

use ftpmon_common::{Counter, Direction, FlowHalf, FlowState};

use crate::counters::Counters;
use crate::headers::{ACK, FIN, RST, SYN, Segment};
use crate::packet::Packet;

/// A sequence number further than this from the connection's is none of its own: the largest window there is (RFC 7323
/// section 2.3). It keeps stray and forged segments out of the account.
const WINDOW_MAX: i64 = 1 << 30;
/// A connection that was silent for so long may be replaced by a SYN without having been closed, nanoseconds.
const ABANDONED_NS: u64 = 60_000_000_000;

/// Adds to a counter that must be exact: what lies between it and the end of the stream was lost, or came again. A direction's
/// packets may be in the hands of two CPUs at a time.
#[inline(always)]
fn add(counter: &mut u64, bytes: u64) {
    // SAFETY: a valid and aligned place; the instruction touches nothing else.
    unsafe {
        asm!("lock *(u64 *)({counter} + 0) += {bytes}", counter = in(reg) counter, bytes = in(reg) bytes);
    }
}

/// How a connection stands after a packet.
pub(crate) enum Step {
    /// It goes on.
    Goes,
    /// One end said RST, for the first time.
    Reset,
    /// Both ends said FIN and were acknowledged.
    Over,
}

/// The packet comes from the end that opened the connection.
#[inline(always)]
pub(crate) fn from_initiator(state: &FlowState, segment: &Segment) -> bool {
    let initiator_high = state.flags & FlowState::INITIATOR_HIGH != 0;
    initiator_high == matches!(segment.direction(), Direction::HighToLow)
}

/// The two halves, the sender's first.
#[inline(always)]
fn halves(state: &mut FlowState, segment: &Segment) -> (*mut FlowHalf, *mut FlowHalf) {
    let halves = (&raw mut state.halves).cast::<FlowHalf>();
    // SAFETY: of two halves the one and the other.
    unsafe { (halves.add(segment.index()), halves.add(segment.index() ^ 1)) }
}

/// A SYN or SYN-ACK that belongs to another connection than the account. A SYN alone is believed only where the account's
/// connection is closing, was never answered or was silent for long: otherwise one end could blind the monitor by a SYN
/// that the other end refuses. A SYN-ACK is believed: it is the other end's consent.
#[inline(always)]
pub(crate) fn is_another(state: &mut FlowState, segment: &Segment, now_ns: u64) -> bool {
    if !segment.any(SYN) || segment.any(RST) {
        return false;
    }
    let (own, other) = halves(state, segment);
    // SAFETY: both point into the account; so in all that follows.
    let (own, other) = unsafe { (&*own, &*other) };
    if own.flags & FlowHalf::SEEN == 0 || own.isn == segment.seq {
        return false;
    }
    if segment.any(ACK) {
        return other.isn.wrapping_add(1) != segment.ack;
    }
    state.flags & (FlowState::CLOSED | FlowState::CLOSING) != 0
        || other.flags & FlowHalf::SEEN == 0
        || now_ns.wrapping_sub(state.last_ns) > ABANDONED_NS
}

/// Enters a packet. `None`: it does not count, and was counted as what it is.
#[inline(always)]
pub(crate) fn note<P: Packet>(
    packet: P,
    state: &mut FlowState,
    segment: &Segment,
    now_ns: u64,
    counters: Counters,
) -> Option<Step> {
    let (own, other) = halves(state, segment);
    // SAFETY: two different halves of one account.
    let (own, other) = unsafe { (&mut *own, &mut *other) };
    let syn = segment.any(SYN);
    if own.flags & (FlowHalf::SEEN | FlowHalf::SYN) == 0 {
        own.isn = if syn { segment.seq } else { segment.seq.wrapping_sub(1) };
        if syn {
            own.flags |= FlowHalf::SYN;
        }
    }
    if syn && segment.any(ACK) && other.flags & (FlowHalf::SEEN | FlowHalf::SYN) == 0 {
        // The SYN went by unseen; its acknowledgment tells its sequence number.
        other.isn = segment.ack.wrapping_sub(1);
        other.flags |= FlowHalf::SYN;
    }

    // The nearest offset, in 64 bits, to the highest seen that has this sequence number.
    let first = segment.seq.wrapping_add(syn as u32);
    let expected = own.isn.wrapping_add(1).wrapping_add(own.highest as u32);
    let distance = i64::from(first.wrapping_sub(expected) as i32);
    if !(-WINDOW_MAX..=WINDOW_MAX).contains(&distance) {
        counters.count(Counter::DataOutOfWindow);
        return None;
    }
    // A keep-alive before the first byte has a negative one.
    let start = (own.highest as i64).wrapping_add(distance);
    let end = start.wrapping_add(i64::from(segment.payload));
    let end = if end < 0 { 0 } else { end as u64 };

    let ifindex = packet.ifindex();
    let hook = segment.hook;
    let news = end > own.highest
        || (segment.any(FIN) && own.flags & FlowHalf::FIN == 0)
        || (segment.any(RST) && own.flags & FlowHalf::RST == 0);
    if own.owner_ifindex != ifindex || own.owner_hook != hook {
        // A vantage point that is shown something new stands before the owner, or in its place.
        if own.owner_hook != 0 && !news {
            counters.count(Counter::DataDuplicates);
            return None;
        }
        own.owner_ifindex = ifindex;
        own.owner_hook = hook;
    }

    own.flags |= FlowHalf::SEEN;
    own.packets = own.packets.wrapping_add(1);
    add(&mut own.payload_bytes, u64::from(segment.payload));
    own.wire_bytes = own.wire_bytes.wrapping_add(u64::from(segment.frame_len));
    if segment.payload > 0 && end > own.highest {
        own.highest = end;
    }

    let initiator_high = state.flags & FlowState::INITIATOR_HIGH != 0;
    let high = matches!(segment.direction(), Direction::HighToLow);
    let from_initiator = initiator_high == high;
    state.last_ns = now_ns;
    if syn {
        let place = if from_initiator { &mut state.syn_ns } else { &mut state.syn_ack_ns };
        if *place == 0 {
            *place = now_ns;
        }
    } else if from_initiator && state.ack_ns == 0 && state.syn_ack_ns != 0 && segment.any(ACK) {
        state.ack_ns = now_ns;
    }

    if segment.any(FIN | RST) && state.flags & FlowState::CLOSING == 0 {
        state.flags |= FlowState::CLOSING | if high { FlowState::CLOSED_BY_HIGH } else { 0 };
    }
    if segment.any(FIN) {
        if own.flags & FlowHalf::FIN == 0 || end > own.fin {
            own.fin = end;
        }
        own.flags |= FlowHalf::FIN;
    }
    if segment.any(ACK) && other.flags & (FlowHalf::FIN | FlowHalf::FIN_ACKED) == FlowHalf::FIN {
        // SYN and FIN take a sequence number each.
        let after_fin = other.isn.wrapping_add(2).wrapping_add(other.fin as u32);
        if segment.ack.wrapping_sub(after_fin) as i32 >= 0 {
            other.flags |= FlowHalf::FIN_ACKED;
        }
    }
    if segment.any(RST) {
        own.flags |= FlowHalf::RST;
        return Some(if state.flags & FlowState::CLOSED == 0 { Step::Reset } else { Step::Goes });
    }
    if own.flags & other.flags & FlowHalf::FIN_ACKED != 0 {
        return Some(Step::Over);
    }
    Some(Step::Goes)
}
