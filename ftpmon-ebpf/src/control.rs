//! Control connections: counted, deduplicated, copied.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use ftpmon_common::{Address, ControlHalf, ControlState, Counter, Direction, Hook, Pair, Verdict};

use crate::counters::Counters;
use crate::emit;
use crate::fragments;
use crate::maps::{CONTROL, PAIRS, SERVERS, VERDICTS};
use crate::networks;
use crate::packet::Packet;
use crate::segment::{ACK, FIN, RST, SYN, Segment};
use crate::shared::{SharedControl, SharedControlHalf};

/// Bytes of the ring that a control connection may take in about a second, however full the ring is: about the dialogue of one
/// transfer.
const COPIED_FREE: u32 = 4_096;
/// Once the ring is half full, a connection may take one part in this many of its free bytes in about a second. So many connections
/// can flood together without filling it.
const COPIED_SHARE: u64 = 512;
/// A pair of hosts is refreshed at most this often, seconds. The table keeps what was entered last: a pair whose server replies is
/// in it, however many others are entered.
const PAIR_REFRESH_S: u32 = 1;
/// The largest distance of an acknowledgment from what was seen of the other end: the largest window (RFC 7323 section 2.3).
const WINDOW_MAX: u32 = 1 << 30;
/// A new entry.
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

/// Handles a packet of a control connection. The clock is read late: it costs as much as a look-up, and a bare ACK needs none.
/// Inlined, for the reason that [`emit::line`] gives.
#[inline(always)]
pub(crate) fn handle<P: Packet>(packet: P, segment: &mut Segment, counters: Counters) {
    let Some(state) = entry(segment) else {
        without_entry(packet, segment, counters);
        return;
    };
    // SAFETY: a value of a map. Another CPU may write it as well, or the LRU may reuse it: only deduplication and counters depend on
    // it.
    let state = unsafe { SharedControl::new(state) };
    if is_another(state, segment) {
        state.write(&EMPTY);
    }
    if state.flags() & (ControlState::ASKED | ControlState::DENIED) != ControlState::ASKED
        && !is_admitted(state, segment, counters)
    {
        return;
    }
    let Some(completes_handshake) = update(packet, segment, state, counters) else { return };
    counters.count(Counter::Control);
    let marks = segment.has_any(SYN | FIN | RST);
    if !marks && segment.payload == 0 && !completes_handshake {
        counters.count(Counter::ControlAcks);
        return;
    }
    // SAFETY: the helper only reads the clock.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    if state.first_ns() == 0 {
        state.set_first_ns(now_ns);
    }
    state.set_last_ns(now_ns);
    refresh_pair(state, segment, now_ns, counters);
    if completes_handshake {
        note_server(segment, now_ns);
    }
    let undecided = current_verdict(state, segment, now_ns) <= Verdict::COPY.0;
    if !undecided && !is_wanted(packet, segment, state, counters) {
        return;
    }
    if half_open_in_a_full_ring(state, segment) {
        counters.count(Counter::LostHalfOpen);
        segment.note_loss(Counter::LostHalfOpen);
        return;
    }
    if !marks && over_fair_share(state, segment) {
        counters.count(Counter::LostLoud);
        segment.note_loss(Counter::LostLoud);
        return;
    }
    emit::line::<P, emit::Control>(packet, segment, now_ns, counters);
}

/// The networks of the operator admit the connection. They are asked with its first packet; the answer holds until it ends, whatever
/// the networks are then.
#[inline(never)]
fn is_admitted(state: SharedControl, segment: &Segment, counters: Counters) -> bool {
    if state.flags() & ControlState::ASKED == 0 {
        if networks::admit(segment) {
            state.set_flags(ControlState::ASKED);
            return true;
        }
        // Another CPU may ask at the same time.
        let before = state.take_flags(ControlState::ASKED | ControlState::DENIED);
        if before & ControlState::ASKED == 0 {
            counters.count(Counter::DeniedConnections);
        }
        if segment.has_any(SYN) {
            // So that this SYN is known when it comes again, and another one by its number.
            state.set_flags(syn_flag(segment));
            state.halves(segment.index()).0.set_isn(segment.seq);
        }
    }
    if state.flags() & ControlState::DENIED == 0 {
        return true;
    }
    counters.count(Counter::DeniedPackets);
    false
}

/// Handles a packet whose connection gets no entry because the table is full of busy ones. Whether another vantage point saw it
/// before is unknown, so it is copied unless it is a bare ACK.
#[inline(never)]
fn without_entry<P: Packet>(packet: P, segment: &mut Segment, counters: Counters) {
    if !networks::admit(segment) {
        counters.count(Counter::DeniedPackets);
        return;
    }
    counters.count(Counter::TableControl);
    segment.note_loss(Counter::TableControl);
    counters.count(Counter::Control);
    if !segment.has_any(SYN | FIN | RST) && segment.payload == 0 {
        counters.count(Counter::ControlAcks);
        return;
    }
    // SAFETY: the helper only reads the clock.
    let now_ns = unsafe { bpf_ktime_get_boot_ns() };
    emit::frame::<P, emit::Control>(packet, segment, now_ns, counters);
}

/// The agent gave a verdict on the connection, and the packet is copied all the same: it opens or ends the connection, it is short,
/// or it begins like text. Any other packet is counted.
#[inline(never)]
fn is_wanted<P: Packet>(packet: P, segment: &Segment, state: SharedControl, counters: Counters) -> bool {
    if Verdict(state.verdict()) == Verdict::IGNORE {
        counters.count(Counter::ControlIgnored);
        return false;
    }
    if begins_like_text(packet, segment) {
        // What follows is copied from now on, and not only once the agent has read this and the verdict is looked up again.
        state.set_verdict(Verdict::COPY.0);
        return true;
    }
    if segment.has_any(SYN | FIN | RST) || segment.payload <= Verdict::SHORT_MAX {
        return true;
    }
    counters.count(Counter::ControlCounted);
    false
}

/// The payload begins like a line of text. No TLS record does, and one in 230 of the segments that begin within a record. The agent
/// finds out what it is.
#[inline(always)]
fn begins_like_text<P: Packet>(packet: P, segment: &Segment) -> bool {
    let Some(beginning) = segment.first_payload_bytes(packet) else { return false };
    let mut text = true;
    for byte in beginning {
        text &= matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b' ' | b'-' | b'\r');
    }
    text
}

/// The connection has taken more than its share of a ring that is filling up. Room is kept for the others, so that a flood does not
/// cost them their commands, replies and accounts.
#[inline(always)]
fn over_fair_share(state: SharedControl, segment: &Segment) -> bool {
    if state.copied() > COPIED_FREE {
        let left = emit::left_of_a_full_ring();
        if u64::from(state.copied()) > left / COPIED_SHARE {
            return true;
        }
    }
    // Reset about once a second: it does not overflow.
    state.set_copied(state.copied().wrapping_add(emit::record_len(segment.frame_len)));
    false
}

/// The ring is half full, and nothing was seen of the other end, nor of a session between the two hosts: packets of invented
/// connections give way to those of others.
#[inline(always)]
fn half_open_in_a_full_ring(state: SharedControl, segment: &Segment) -> bool {
    if other_half(state, segment).owner_hook() != 0 || emit::left_of_a_full_ring() == u64::MAX {
        return false;
    }
    PAIRS.get_ptr(segment.key.pair()).is_none()
}

/// The half of the end that the packet goes to.
#[inline(always)]
fn other_half(state: SharedControl, segment: &Segment) -> SharedControlHalf {
    state.halves(segment.index()).1
}

/// Notes the host of a control port: fragments to and from it are of interest.
#[inline(never)]
fn note_server(segment: &Segment, now_ns: u64) {
    let server = if segment.source_mark.is_control() { segment.index() } else { segment.index() ^ 1 };
    let address: &Address = if server == 0 { &segment.key.low } else { &segment.key.high };
    let now_s = (now_ns / 1_000_000_000) as u32;
    let _ = SERVERS.insert(address, now_s, 0);
}

/// Enters or refreshes the pair of hosts. Payload from the server that acknowledges what the client sent proves that the connection
/// is established: packets of one end alone make no pair, whatever sources they have.
#[inline(always)]
fn refresh_pair(state: SharedControl, segment: &mut Segment, now_ns: u64, counters: Counters) {
    if segment.payload == 0 || !segment.source_mark.is_control() {
        return;
    }
    let client = other_half(state, segment);
    if client.owner_hook() == 0 || client.next_seq().wrapping_sub(segment.ack) > WINDOW_MAX {
        // Nothing is proved, but a server of this host speaks: what it answers to may come in fragments.
        if segment.hook == Hook::TcEgress as u32 {
            note_server(segment, now_ns);
        }
        return;
    }
    let now_s = (now_ns / 1_000_000_000) as u32;
    if state.pair_s() == 0 || now_s.wrapping_sub(state.pair_s()) >= PAIR_REFRESH_S {
        state.set_pair_s(now_s);
        let fragments = fragments::of_pair(segment.key.pair());
        let entered = PAIRS.insert(segment.key.pair(), Pair { last_s: now_s, fragments }, 0);
        note_server(segment, now_ns);
        if entered.is_ok() {
            counters.count(Counter::Pairs);
        } else {
            counters.count(Counter::TablePairs);
            segment.note_loss(Counter::TablePairs);
        }
    }
}

/// The agent's verdict on a connection, 0 where there is none. Looked up about once a second and not for each packet.
#[inline(always)]
fn current_verdict(state: SharedControl, segment: &Segment, now_ns: u64) -> u32 {
    // Never 0 on a machine that has been up for a second, so that a new entry asks.
    let at = (now_ns >> 30) as u32;
    if state.verdict_at() != at {
        state.set_verdict_at(at);
        state.set_copied(0);
        // SAFETY: a map's value, one word.
        state.set_verdict(VERDICTS.get_ptr(&segment.key).map_or(0, |verdict| unsafe { verdict.read() }.0));
    }
    state.verdict()
}

/// The connection's entry, created where there is none.
#[inline(always)]
fn entry(segment: &Segment) -> Option<*mut ControlState> {
    if let Some(state) = CONTROL.get_ptr_mut(&segment.key) {
        return Some(state);
    }
    let _ = CONTROL.insert(&segment.key, &EMPTY, 0);
    CONTROL.get_ptr_mut(&segment.key)
}

/// A SYN that opens another connection between the same ends than the entry's.
#[inline(always)]
fn is_another(state: SharedControl, segment: &Segment) -> bool {
    if !segment.has_any(SYN) || segment.has_any(ACK) {
        return false;
    }
    let (half, _) = state.halves(segment.index());
    let known = half.owner_hook() != 0 || state.flags() & (syn_flag(segment) | ControlState::DENIED) != 0;
    known && half.isn() != segment.seq
}

/// The flag of the sender's SYN.
#[inline(always)]
const fn syn_flag(segment: &Segment) -> u32 {
    match segment.direction() {
        Direction::LowToHigh => ControlState::SYN_LOW,
        Direction::HighToLow => ControlState::SYN_HIGH,
    }
}

/// Enters a packet into its connection's state. `None`: another vantage point had seen it. `Some(true)`: it completes the handshake.
#[inline(always)]
fn update<P: Packet>(packet: P, segment: &Segment, state: SharedControl, counters: Counters) -> Option<bool> {
    let (half, _) = state.halves(segment.index());
    let ifindex = packet.ifindex();
    let hook = segment.hook;
    let next = segment.seq.wrapping_add(segment.sequence_len());
    if half.owner_hook() == 0 {
        half.set_next_seq(next);
        half.set_owner_ifindex(ifindex);
        half.set_owner_hook(hook);
    } else {
        let ahead = next.wrapping_sub(half.next_seq()) as i32 > 0;
        if half.owner_ifindex() != ifindex || half.owner_hook() != hook {
            // A vantage point that sees something new first becomes the owner.
            if !ahead {
                counters.count(Counter::ControlDuplicates);
                return None;
            }
            half.set_owner_ifindex(ifindex);
            half.set_owner_hook(hook);
        }
        if ahead {
            half.set_next_seq(next);
        }
    }
    half.set_packets(half.packets().wrapping_add(1));
    half.set_payload_bytes(half.payload_bytes().wrapping_add(u64::from(segment.payload)));
    let mut completes = false;
    if segment.has_any(SYN) {
        half.set_isn(segment.seq);
        state.set_flags(syn_flag(segment));
        if segment.has_any(ACK) {
            state.set_flags(ControlState::HANDSHAKE);
        }
    } else if state.flags() & ControlState::HANDSHAKE != 0 && !segment.source_mark.is_control() {
        state.clear_flags(ControlState::HANDSHAKE);
        completes = true;
    }
    Some(completes)
}
