//! The account of a data connection: exact byte counts from sequence numbers.

use ftpmon_common::{Counter, Direction, FlowHalf, FlowState};

use crate::counters::Counters;
use crate::packet::Packet;
use crate::segment::{ACK, FIN, RST, SYN, Segment};
use crate::shared::SharedFlow;

/// The largest distance of a segment's sequence number from the connection's: the largest window (RFC 7323 section 2.3). Stray and
/// forged segments beyond it stay out of the account.
const WINDOW_MAX: i64 = 1 << 30;
/// After this long without a packet a SYN may replace a connection that never closed, nanoseconds.
const ABANDONED_NS: u64 = 60_000_000_000;

/// The state of a connection after a packet.
pub(crate) enum Step {
    /// It continues.
    Continues,
    /// The first RST.
    Reset,
    /// Both ends sent FIN, and both were acknowledged.
    Closed,
}

/// The initiator sent the packet.
#[inline(always)]
pub(crate) fn from_initiator(state: SharedFlow, segment: &Segment) -> bool {
    let initiator_high = state.flags() & FlowState::INITIATOR_HIGH != 0;
    initiator_high == matches!(segment.direction(), Direction::HighToLow)
}

/// A SYN or SYN-ACK that belongs to another connection than the account. A SYN alone counts only where the account's connection is
/// closing, was never answered or was silent for long: otherwise one end could blind the monitor with a SYN that the other end
/// refuses. A SYN-ACK counts: the other end has agreed.
#[inline(always)]
pub(crate) fn is_another(state: SharedFlow, segment: &Segment, now_ns: u64) -> bool {
    if !segment.has_any(SYN) || segment.has_any(RST) {
        return false;
    }
    let (own, other) = state.halves(segment.index());
    if own.flags() & FlowHalf::SEEN == 0 || own.isn() == segment.seq {
        return false;
    }
    if segment.has_any(ACK) {
        return other.isn().wrapping_add(1) != segment.ack;
    }
    state.flags() & (FlowState::CLOSED | FlowState::CLOSING) != 0
        || other.flags() & FlowHalf::SEEN == 0
        || now_ns.wrapping_sub(state.last_ns()) > ABANDONED_NS
}

/// Enters a packet into the account. `None`: it is not part of it, and a counter says why.
#[inline(always)]
pub(crate) fn update<P: Packet>(
    packet: P,
    state: SharedFlow,
    segment: &Segment,
    now_ns: u64,
    counters: Counters,
) -> Option<Step> {
    let (own, other) = state.halves(segment.index());
    let syn = segment.has_any(SYN);
    if own.flags() & (FlowHalf::SEEN | FlowHalf::SYN) == 0 {
        own.set_isn(if syn { segment.seq } else { segment.seq.wrapping_sub(1) });
        if syn {
            own.set_flags(FlowHalf::SYN);
        }
    }
    if syn && segment.has_any(ACK) && other.flags() & (FlowHalf::SEEN | FlowHalf::SYN) == 0 {
        // The SYN was not seen; its acknowledgment gives its sequence number.
        other.set_isn(segment.ack.wrapping_sub(1));
        other.set_flags(FlowHalf::SYN);
    }

    // Of the 64-bit offsets with this sequence number, the one nearest to the highest seen.
    let first = segment.seq.wrapping_add(syn as u32);
    let expected = own.isn().wrapping_add(1).wrapping_add(own.highest() as u32);
    let distance = i64::from(first.wrapping_sub(expected) as i32);
    if !(-WINDOW_MAX..=WINDOW_MAX).contains(&distance) {
        counters.count(Counter::DataOutOfWindow);
        return None;
    }
    // Negative on a keep-alive before the first byte.
    let start = (own.highest() as i64).wrapping_add(distance);
    let end = start.wrapping_add(i64::from(segment.payload));
    let end = if end < 0 { 0 } else { end as u64 };

    let ifindex = packet.ifindex();
    let hook = segment.hook;
    let news = end > own.highest()
        || (segment.has_any(FIN) && own.flags() & FlowHalf::FIN == 0)
        || (segment.has_any(RST) && own.flags() & FlowHalf::RST == 0);
    if own.owner_ifindex() != ifindex || own.owner_hook() != hook {
        // A vantage point that sees something new first becomes the owner.
        if own.owner_hook() != 0 && !news {
            counters.count(Counter::DataDuplicates);
            return None;
        }
        own.set_owner_ifindex(ifindex);
        own.set_owner_hook(hook);
    }

    if own.flags() & FlowHalf::SEEN == 0 {
        own.set_flags(FlowHalf::SEEN);
    }
    own.set_packets(own.packets().wrapping_add(1));
    own.add_payload_bytes(u64::from(segment.payload));
    own.set_wire_bytes(own.wire_bytes().wrapping_add(u64::from(segment.frame_len)));
    if segment.payload > 0 && end > own.highest() {
        own.set_highest(end);
    }

    let initiator_high = state.flags() & FlowState::INITIATOR_HIGH != 0;
    let high = matches!(segment.direction(), Direction::HighToLow);
    let from_initiator = initiator_high == high;
    state.set_last_ns(now_ns);
    if syn {
        if from_initiator && state.syn_ns() == 0 {
            state.set_syn_ns(now_ns);
        } else if !from_initiator && state.syn_ack_ns() == 0 {
            state.set_syn_ack_ns(now_ns);
        }
    } else if from_initiator && state.ack_ns() == 0 && state.syn_ack_ns() != 0 && segment.has_any(ACK) {
        state.set_ack_ns(now_ns);
    }

    if segment.has_any(FIN | RST) && state.flags() & FlowState::CLOSING == 0 {
        state.set_flags(FlowState::CLOSING | if high { FlowState::CLOSED_BY_HIGH } else { 0 });
    }
    if segment.has_any(FIN) {
        if own.flags() & FlowHalf::FIN == 0 || end > own.fin() {
            own.set_fin(end);
        }
        own.set_flags(FlowHalf::FIN);
    }
    if segment.has_any(ACK) && other.flags() & (FlowHalf::FIN | FlowHalf::FIN_ACKED) == FlowHalf::FIN {
        // SYN and FIN take a sequence number each.
        let after_fin = other.isn().wrapping_add(2).wrapping_add(other.fin() as u32);
        if segment.ack.wrapping_sub(after_fin) as i32 >= 0 {
            other.set_flags(FlowHalf::FIN_ACKED);
        }
    }
    if segment.has_any(RST) {
        own.set_flags(FlowHalf::RST);
        return Some(if state.flags() & FlowState::CLOSED == 0 { Step::Reset } else { Step::Continues });
    }
    if own.flags() & other.flags() & FlowHalf::FIN_ACKED != 0 {
        return Some(Step::Closed);
    }
    Some(Step::Continues)
}
