//! Control connections: counted, deduplicated, copied.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use aya_log_ebpf::warn;
use ftpmon_common::{ControlHalf, ControlState, Counter, Direction, Pair, Verdict};

use crate::counters::Counters;
use crate::emit;
use crate::headers::{ACK, FIN, RST, SYN, Segment};
use crate::maps::{CONTROL, PAIRS, SETTING_LOG, VERDICTS};
use crate::packet::Packet;

/// Bytes of the ring that a control connection may take within about a second whatever the ring's state is: the dialogue of
/// a transfer is about as much.
const COPIED_FREE: u32 = 4_096;
/// Once the ring is half full a connection may take this part of what is left within about a second. As many connections
/// that flood together do not fill it.
const COPIED_PART: u64 = 512;
/// A pair of hosts is refreshed at most this often.
const PAIR_REFRESH_S: u32 = 4;
/// What a new entry is filled with before it is written to.
static EMPTY: ControlState = ControlState {
    first_ns: 0,
    last_ns: 0,
    pair_s: 0,
    flags: 0,
    verdict: 0,
    verdict_at: 0,
    copied: 0,
    reserved: 0,
    halves: [ControlHalf {
        packets: 0,
        payload_bytes: 0,
        next_seq: 0,
        owner_ifindex: 0,
        owner_hook: 0,
        isn: 0,
    }; 2],
};

/// Takes a packet of a control connection. The clock is read last: it costs as much as a look-up, and a bare ACK needs none.
/// Part of the program itself, see [`emit::line`].
#[inline(always)]
pub(crate) fn handle<P: Packet>(packet: P, segment: &mut Segment, counters: Counters) {
    let Some(state) = entry(segment) else {
        without_entry(packet, segment, counters);
        return;
    };
    // SAFETY: a map value; another CPU may write it as well, or the LRU give it away: only deduplication and counters hang
    // on it, and all fields are integers.
    let state = unsafe { &mut *state };
    let Some(completes_handshake) = note(packet, segment, state, counters) else { return };
    counters.count(Counter::Control);
    let marks = segment.any(SYN | FIN | RST);
    if !marks && segment.payload == 0 && !completes_handshake {
        counters.count(Counter::ControlAcks);
        return;
    }
    // SAFETY: asks for the time.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    if state.first_ns == 0 {
        state.first_ns = now_ns;
    }
    state.last_ns = now_ns;
    refresh_pair(state, segment, now_ns, counters);
    let undecided = current_verdict(state, segment, now_ns) <= Verdict::COPY.0;
    if !undecided && !is_wanted(packet, segment, state, counters) {
        return;
    }
    if !marks && is_too_loud(state, segment) {
        counters.count(Counter::LostLoud);
        return;
    }
    emit::line::<P, emit::Control>(packet, segment, now_ns, counters);
}

/// A packet whose connection has no entry, the table being full of others that are busy: nobody can tell whether it was seen
/// before, so it is copied unless it is a bare ACK.
#[inline(never)]
fn without_entry<P: Packet>(packet: P, segment: &mut Segment, counters: Counters) {
    counters.count(Counter::TableControl);
    if SETTING_LOG.load() != 0 {
        warn!(&packet, "CONTROL takes no entry");
    }
    counters.count(Counter::Control);
    if !segment.any(SYN | FIN | RST) && segment.payload == 0 {
        counters.count(Counter::ControlAcks);
        return;
    }
    // SAFETY: asks for the time.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    emit::frame::<P, emit::Control>(packet, segment, now_ns, counters);
}

/// A packet of a connection that the agent has given a verdict on is wanted all the same: what opens and ends it, what is
/// short, what is text again. Others are counted.
#[inline(never)]
fn is_wanted<P: Packet>(packet: P, segment: &Segment, state: &mut ControlState, counters: Counters) -> bool {
    if Verdict(state.verdict) == Verdict::IGNORE {
        counters.count(Counter::ControlIgnored);
        return false;
    }
    if is_text(packet, segment) {
        // What follows is wanted at once, and not when the agent has read this and the verdict is asked for again.
        state.verdict = Verdict::COPY.0;
        return true;
    }
    if segment.any(SYN | FIN | RST) || segment.payload <= Verdict::SHORT_MAX {
        return true;
    }
    counters.count(Counter::ControlCounted);
    false
}

/// The payload begins like a line of text: of TLS records none does, of pieces of records that look like nothing one in
/// 230. The agent tells what it is.
#[inline(always)]
fn is_text<P: Packet>(packet: P, segment: &Segment) -> bool {
    let Some(beginning) = segment.beginning(packet) else { return false };
    let mut text = true;
    for byte in beginning {
        text &= matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b' ' | b'-' | b'\r');
    }
    text
}

/// The connection has had more than its part of a ring that runs full: room is kept for others, so that those that flood do
/// not take their words and accounts along.
#[inline(always)]
fn is_too_loud(state: &mut ControlState, segment: &Segment) -> bool {
    if state.copied > COPIED_FREE {
        let left = emit::left_of_a_full_ring();
        if u64::from(state.copied) > left / COPIED_PART {
            return true;
        }
    }
    // Starts anew about each second: it does not run over.
    state.copied = state.copied.wrapping_add(emit::record_len(segment.frame_len));
    false
}

/// Keeps the two hosts a pair. Payload from the server is proof that the connection stands: a flood of SYNs with invented
/// sources makes no pair.
#[inline(always)]
fn refresh_pair(state: &mut ControlState, segment: &Segment, now_ns: u64, counters: Counters) {
    if segment.payload == 0 || !segment.source_mark.is_control() {
        return;
    }
    let now_s = (now_ns / 1_000_000_000) as u32;
    if state.pair_s == 0 || now_s.wrapping_sub(state.pair_s) >= PAIR_REFRESH_S {
        state.pair_s = now_s;
        let entered = PAIRS.insert(segment.key.pair(), Pair { last_s: now_s, flags: 0 }, 0);
        counters.count(if entered.is_ok() { Counter::Pairs } else { Counter::TablePairs });
    }
}

/// The agent's verdict on a connection, 0 where there is none; asked for about once a second and not for each packet.
#[inline(always)]
fn current_verdict(state: &mut ControlState, segment: &Segment, now_ns: u64) -> u32 {
    // Never 0 on a machine that has been up for a second, so that a new entry asks.
    let at = (now_ns >> 30) as u32;
    if state.verdict_at != at {
        state.verdict_at = at;
        state.copied = 0;
        // SAFETY: read at once.
        state.verdict = unsafe { VERDICTS.get(&segment.key) }.map_or(0, |verdict| verdict.0);
    }
    state.verdict
}

/// The connection's entry, made where it is missing.
#[inline(always)]
fn entry(segment: &Segment) -> Option<*mut ControlState> {
    if let Some(state) = CONTROL.get_ptr_mut(&segment.key) {
        return Some(state);
    }
    let _ = CONTROL.insert(&segment.key, &EMPTY, 0);
    CONTROL.get_ptr_mut(&segment.key)
}

/// Notes a packet in its connection's entry. `None`: another vantage point had it before. `Some(true)`: it completes the
/// handshake.
#[inline(always)]
fn note<P: Packet>(
    packet: P,
    segment: &Segment,
    state: &mut ControlState,
    counters: Counters,
) -> Option<bool> {
    let index = segment.index();
    let syn_flag = match segment.direction() {
        Direction::LowToHigh => ControlState::SYN_LOW,
        Direction::HighToLow => ControlState::SYN_HIGH,
    };
    // SAFETY: the index is 0 or 1, of two.
    let half = unsafe { &mut *(&raw mut state.halves).cast::<ControlHalf>().add(index) };
    let first_syn = segment.any(SYN) && !segment.any(ACK);
    if first_syn && (half.owner_hook != 0 || state.flags & syn_flag != 0) && half.isn != segment.seq {
        // The same ends, another connection.
        *state = EMPTY;
    }
    // SAFETY: as above; the entry may have been emptied.
    let half = unsafe { &mut *(&raw mut state.halves).cast::<ControlHalf>().add(index) };
    let ifindex = packet.ifindex();
    let hook = segment.hook;
    let next = segment.seq.wrapping_add(segment.sequence_len());
    if half.owner_hook == 0 {
        half.next_seq = next;
        half.owner_ifindex = ifindex;
        half.owner_hook = hook;
    } else {
        let ahead = next.wrapping_sub(half.next_seq) as i32 > 0;
        if half.owner_ifindex != ifindex || half.owner_hook != hook {
            // A vantage point that is shown something new stands before the owner, or in its place.
            if !ahead {
                counters.count(Counter::ControlDuplicates);
                return None;
            }
            half.owner_ifindex = ifindex;
            half.owner_hook = hook;
        }
        if ahead {
            half.next_seq = next;
        }
    }
    half.packets = half.packets.wrapping_add(1);
    half.payload_bytes = half.payload_bytes.wrapping_add(u64::from(segment.payload));
    let mut completes = false;
    if segment.any(SYN) {
        half.isn = segment.seq;
        state.flags |= syn_flag;
        if segment.any(ACK) {
            state.flags |= ControlState::HANDSHAKE;
        }
    } else if state.flags & ControlState::HANDSHAKE != 0 && !segment.source_mark.is_control() {
        state.flags &= !ControlState::HANDSHAKE;
        completes = true;
    }
    Some(completes)
}
