//! Data connections: which are tracked, and what happens to their packets.

use aya_ebpf::helpers::generated::{bpf_ktime_get_boot_ns, bpf_ktime_get_coarse_ns};
use ftpmon_common::names::CANDIDATE_PORT_MIN;
use ftpmon_common::{
    Address, BEGINNING_END, Counter, Direction, Endpoint, Expected, FlowHalf, FlowState, PortMark,
    ReportReason, Verdict,
};

use crate::account::{self, Step};
use crate::candidates;
use crate::counters::Counters;
use crate::emit;
use crate::hide::hide_from_compiler;
use crate::maps::{
    EXPECTED, FLOWS, PAIRS, PORTS, SETTING_CANDIDATES, SETTING_FLOW_IDLE_S, SETTING_PAIR_S, SETTING_PAYLOAD,
    SETTING_REPORT_NS, VERDICTS,
};
use crate::packet::Packet;
use crate::segment::{ACK, FIN, RST, SYN, Segment};
use crate::shared::{SharedExpected, SharedFlow, SharedHalf};

/// Insert only a missing entry.
const BPF_NOEXIST: u64 = 1;
/// A new entry.
pub(crate) static EMPTY: FlowState = FlowState {
    first_ns: 0,
    last_ns: 0,
    tick_ns: 0,
    syn_ns: 0,
    syn_ack_ns: 0,
    ack_ns: 0,
    report_ns: 0,
    halves: [FlowHalf {
        highest: 0,
        fin: 0,
        packets: 0,
        payload_bytes: 0,
        wire_bytes: 0,
        isn: 0,
        flags: 0,
        owner_ifindex: 0,
        owner_hook: 0,
    }; 2],
    flags: 0,
    vlan_outer: 0,
    vlan_inner: 0,
};

/// Handles a packet that touches a watched data port, or is a SYN.
#[inline(never)]
pub(crate) fn handle<P: Packet>(packet: P, segment: &mut Segment, counters: Counters) {
    let marked = segment.source_mark.is_data() || segment.destination_mark.is_data();
    let known = if marked { flow(segment) } else { None };
    let mut opened = false;
    let state = match known {
        Some(state) => state,
        None => {
            let flags = origin(segment, marked);
            if flags == 0 {
                return;
            }
            // An entry may exist all the same, where its port's mark has expired.
            let now_ns = boot_ns();
            if flags & FlowState::SHARED != 0
                && FLOWS.get_ptr_mut(&segment.key).is_none()
                && !candidates::take_slot(segment, now_ns, counters)
            {
                note_no_slot(segment, counters);
                return;
            }
            let inserted = FLOWS.insert(&segment.key, &EMPTY, BPF_NOEXIST).is_ok();
            let Some(state) = flow(segment) else {
                counters.count(Counter::LostFlow);
                segment.note_loss(Counter::LostFlow);
                return;
            };
            if inserted {
                opened = true;
                begin(state, segment, flags, now_ns, counters);
            }
            state
        }
    };
    let Now { ns: now_ns, fresh } = now(state, segment);
    if !opened && account::is_another(state, segment, now_ns) {
        if state.flags() & FlowState::UNTOLD == 0 {
            emit::report(packet, segment, state, ReportReason::Reused, counters);
        }
        counters.count(Counter::FlowsReused);
        // The entry stays what it is to the table: it has its slot, or a place of its own.
        let shared = state.flags() & FlowState::SHARED;
        let kept = state.flags() & (FlowState::EXPECTED | FlowState::CANDIDATE | FlowState::PAYLOAD);
        let flags = match origin(segment, true) & !FlowState::SHARED {
            0 => kept | initiator_of_syn(segment),
            flags => flags,
        };
        let flags = flags | shared;
        state.write(&EMPTY);
        opened = true;
        begin(state, segment, flags, now_ns, counters);
    }
    let step = account::update(packet, state, segment, now_ns, counters);
    let Some(step) = step else { return };
    counters.count(Counter::Data);
    if fresh {
        keep_watched(state, segment, seconds(now_ns));
    }
    if is_told_now(state, segment, opened) {
        state.clear_flags(FlowState::UNTOLD);
        emit::report(packet, segment, state, ReportReason::Open, counters);
    }
    if SETTING_PAYLOAD.load() != 0
        && (segment.payload > 0 || segment.has_any(SYN | FIN | RST))
        && wanted(state, segment)
    {
        // The time of a frame is exact.
        emit::frame::<P, emit::Data>(packet, segment, boot_ns(), counters);
    } else if segment.payload > 0 && own_half(state, segment).flags() & FlowHalf::BEGINNING_DONE == 0 {
        copy_beginning(packet, segment, state, now_ns, counters);
    }
    match step {
        Step::Continues if fresh && is_report_due(state, now_ns) => {
            emit::report(packet, segment, state, ReportReason::Progress, counters);
        }
        Step::Continues => {}
        Step::Reset => {
            counters.count(Counter::FlowsClosed);
            state.set_flags(FlowState::CLOSED);
            if !emit::report(packet, segment, state, ReportReason::Close, counters) {
                state.set_flags(FlowState::UNREPORTED);
            }
        }
        Step::Closed => {
            counters.count(Counter::FlowsClosed);
            state.set_flags(FlowState::CLOSED);
            if emit::report(packet, segment, state, ReportReason::Close, counters) {
                let _ = FLOWS.remove(&segment.key);
            } else {
                state.set_flags(FlowState::UNREPORTED);
            }
        }
    }
}

/// The connection's opening is reported with this packet. That of one without an announcement of its own waits for more than its
/// SYN: a flood of SYNs makes no reports.
#[inline(always)]
fn is_told_now(state: SharedFlow, segment: &Segment, opened: bool) -> bool {
    let only_syn = segment.has_any(SYN) && !segment.has_any(ACK);
    if opened {
        if only_syn && state.flags() & FlowState::SHARED != 0 {
            state.set_flags(FlowState::UNTOLD);
            return false;
        }
        return true;
    }
    !only_syn && state.flags() & FlowState::UNTOLD != 0
}

/// The connection was not reported for a while.
#[inline(always)]
fn is_report_due(state: SharedFlow, now_ns: u64) -> bool {
    state.flags() & FlowState::UNTOLD == 0
        && now_ns.wrapping_sub(state.report_ns()) >= SETTING_REPORT_NS.load()
}

/// A connection without an announcement of its own found no slot. With its SYN that is no loss yet.
#[inline(never)]
fn note_no_slot(segment: &mut Segment, counters: Counters) {
    let counter = if segment.has_any(ACK) { Counter::LostFlow } else { Counter::CandidatesRefused };
    counters.count(counter);
    segment.note_loss(counter);
}

/// The sender's half of an account.
#[inline(always)]
fn own_half(state: SharedFlow, segment: &Segment) -> SharedHalf {
    state.halves(segment.index()).0
}

/// The account of a packet's connection.
///
/// Each direction's half is written by the CPU that gets its packets. If two write the same field at once, one packet's share of a
/// counter is lost, except of payload bytes and flags, which are written atomically. The agent deletes an entry only long after its
/// last packet.
#[inline(always)]
fn flow(segment: &Segment) -> Option<SharedFlow> {
    // SAFETY: a value of a map.
    FLOWS.get_ptr_mut(&segment.key).map(|state| unsafe { SharedFlow::new(state) })
}

/// Copies the beginning of what one end sends: the first segments of a TLS handshake, of anything else between a pair of hosts the
/// first bytes. A few records a connection, whatever it carries.
#[inline(never)]
fn copy_beginning<P: Packet>(
    packet: P,
    segment: &mut Segment,
    state: SharedFlow,
    now_ns: u64,
    counters: Counters,
) {
    let announced = state.flags() & FlowState::EXPECTED != 0;
    let half = own_half(state, segment);
    let offset = segment.seq.wrapping_sub(half.isn().wrapping_add(1));
    if half.flags() & FlowHalf::SYN == 0 || (offset >= BEGINNING_END && offset <= i32::MAX as u32) {
        half.set_flags(FlowHalf::BEGINNING_DONE);
        return;
    }
    if half.flags() & FlowHalf::TLS == 0 {
        // A segment that overtook the first one is not copied.
        if offset != 0 {
            return;
        }
        if !matches!(segment.first_payload_bytes(packet), Some([22, 3, 0..=4, _])) {
            half.set_flags(FlowHalf::BEGINNING_DONE);
            if !announced {
                emit::beginning(packet, segment, false, now_ns, counters);
            }
            return;
        }
        half.set_flags(FlowHalf::TLS);
    }
    let copied = half.flags() & FlowHalf::BEGINNINGS;
    if copied == FlowHalf::BEGINNINGS {
        half.set_flags(FlowHalf::BEGINNING_DONE);
    } else {
        half.set_flags((copied << 1 | FlowHalf::BEGINNINGS_STEP) & FlowHalf::BEGINNINGS);
    }
    emit::beginning(packet, segment, true, now_ns, counters);
}

/// The time of a packet.
struct Now {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    ns: u64,
    /// It was read now, and not taken over from the connection's last packet.
    fresh: bool,
}

/// The time of a known connection's packet. Reading the clock is a third of the cost of a data segment, and reading the tick a
/// fraction of that: segments within one tick share a reading, except SYN, FIN, RST and the last of the handshake.
#[inline(always)]
fn now(state: SharedFlow, segment: &Segment) -> Now {
    // SAFETY: the helper only reads the clock.
    let tick_ns = unsafe { bpf_ktime_get_coarse_ns() };
    let completes_handshake = state.syn_ack_ns() != 0 && state.ack_ns() == 0;
    let exact = segment.has_any(SYN | FIN | RST) || completes_handshake;
    if state.tick_ns() == tick_ns && state.last_ns() != 0 && !exact {
        return Now { ns: state.last_ns(), fresh: false };
    }
    state.set_tick_ns(tick_ns);
    Now { ns: boot_ns(), fresh: true }
}

/// `CLOCK_BOOTTIME`, nanoseconds.
#[inline(always)]
fn boot_ns() -> u64 {
    // SAFETY: the helper only reads the clock.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// The second of a time in nanoseconds.
#[inline(always)]
fn seconds(ns: u64) -> u32 {
    (ns / 1_000_000_000) as u32
}

/// The initiator's flag, taken from a SYN or SYN-ACK.
#[inline(always)]
fn initiator_of_syn(segment: &Segment) -> u32 {
    // The sender of a SYN, the receiver of a SYN-ACK.
    initiator(segment, segment.has_any(ACK))
}

/// The initiator's flag, where the initiator sends this packet, or with `receives` receives it.
#[inline(always)]
fn initiator(segment: &Segment, receives: bool) -> u32 {
    let high = matches!(segment.direction(), Direction::HighToLow) != receives;
    if high { FlowState::INITIATOR_HIGH } else { 0 }
}

/// The first flags of an unknown connection that is to be tracked; 0 for any other.
#[inline(never)]
fn origin(segment: &Segment, marked: bool) -> u32 {
    if segment.has_any(RST) {
        return 0;
    }
    if segment.has_any(SYN) {
        let (sender, receiver) = (source(segment), destination(segment));
        let (listener, other) =
            if segment.has_any(ACK) { (sender, receiver.0) } else { (receiver, sender.0) };
        let port = listener.1;
        let flags = expected(listener, other, true);
        if flags != 0 {
            return flags | initiator_of_syn(segment);
        }
        if SETTING_CANDIDATES.load() == 0 || port < u32::from(CANDIDATE_PORT_MIN) {
            return 0;
        }
        let Some(pair) = PAIRS.get_ptr(segment.key.pair()) else { return 0 };
        // SAFETY: a word of a map's value.
        let last_s = unsafe { (&raw const (*pair).last_s).read() };
        if seconds(boot_ns()).wrapping_sub(last_s) as i32 > SETTING_PAIR_S.load() as i32 {
            return 0;
        }
        return FlowState::CANDIDATE | FlowState::SHARED | initiator_of_syn(segment);
    }
    if !marked {
        return 0;
    }
    let now_s = seconds(boot_ns());
    clear_expired_mark(segment.source_port, segment.source_mark, now_s);
    clear_expired_mark(segment.destination_port, segment.destination_mark, now_s);
    // The announcement may have come after the SYN. Payload only: late packets of a connection that has ended carry none.
    if segment.payload == 0 {
        return 0;
    }
    let flags = expected(destination(segment), source(segment).0, false);
    if flags != 0 {
        return flags | FlowState::MIDSTREAM | initiator(segment, false);
    }
    let flags = expected(source(segment), destination(segment).0, false);
    if flags != 0 {
        return flags | FlowState::MIDSTREAM | initiator(segment, true);
    }
    0
}

/// Clears an expired mark, so that the port's packets cost no more than others.
#[inline(always)]
fn clear_expired_mark(port: u32, mark: PortMark, now_s: u32) {
    if !mark.is_data() || mark.is_watched(now_s) {
        return;
    }
    if let Some(present) = PORTS.get_ptr_mut(port) {
        // SAFETY: a map value, one word. A mark that another CPU or the agent raised in the meantime stays, except when that
        // happens between the comparison and the write; then the next packet of a tracked connection raises it again.
        unsafe {
            if *present == mark {
                *present = PortMark::default();
            }
        }
    }
}

/// The packet's sender.
#[inline(always)]
fn source(segment: &Segment) -> (Address, u32) {
    (sender_address(segment, segment.direction()), segment.source_port)
}

/// The packet's receiver.
#[inline(always)]
fn destination(segment: &Segment) -> (Address, u32) {
    (sender_address(segment, segment.direction().reverse()), segment.destination_port)
}

/// The address that sends packets of a direction.
#[inline(always)]
fn sender_address(segment: &Segment, direction: Direction) -> Address {
    match direction {
        Direction::LowToHigh => segment.key.low,
        Direction::HighToLow => segment.key.high,
    }
}

/// The flags of a connection from `other` to an endpoint that is announced to it; otherwise 0.
///
/// An announcement that names a third host must not get that host's traffic counted. Without a SYN only the expected host is
/// admitted, and with a SYN another one only where the endpoint is the announcer's own.
#[inline(always)]
fn expected((address, port): (Address, u32), other: Address, syn: bool) -> u32 {
    let Some(entry) = EXPECTED.get_ptr_mut(Endpoint::new(address, port as u16)) else { return 0 };
    // SAFETY: a value of a map; the agent may replace it at the same time, then one of the two wins.
    let entry = unsafe { SharedExpected::new(entry) };
    let admitted = entry.peer() == other || (syn && entry.flags() & Expected::ANYONE != 0);
    if !admitted || entry.expires_s() <= seconds(boot_ns()) || (!syn && entry.flags() & Expected::TAKEN != 0)
    {
        return 0;
    }
    // One announcement has one place of its own.
    let taken = entry.take_flags(Expected::TAKEN) & Expected::TAKEN;
    let shared = hide_from_compiler(taken) * (FlowState::SHARED / Expected::TAKEN);
    let payload = entry.flags() & Expected::PAYLOAD != 0 && port >= u32::from(CANDIDATE_PORT_MIN);
    FlowState::EXPECTED | shared | if payload { FlowState::PAYLOAD } else { 0 }
}

/// Opens an account.
#[inline(always)]
fn begin(state: SharedFlow, segment: &Segment, flags: u32, now_ns: u64, counters: Counters) {
    let mut tagged = flags;
    if segment.tags.count > 0 {
        tagged |= FlowState::VLAN;
        state.set_vlan_outer(segment.tags.outer as u16);
    }
    if segment.tags.count > 1 {
        tagged |= FlowState::VLAN_INNER;
        state.set_vlan_inner(segment.tags.inner as u16);
    }
    state.begin_flags(tagged);
    state.set_first_ns(now_ns);
    counters.count(if flags & FlowState::MIDSTREAM != 0 {
        Counter::FlowsMidstream
    } else if flags & FlowState::EXPECTED != 0 {
        Counter::FlowsExpected
    } else {
        Counter::FlowsCandidate
    });
}

/// Keeps the listener's port watched for as long as the connection lives.
#[inline(always)]
fn keep_watched(state: SharedFlow, segment: &Segment, now_s: u32) {
    let from_initiator = account::from_initiator(state, segment);
    let (port, mark) = if from_initiator {
        (segment.destination_port, segment.destination_mark)
    } else {
        (segment.source_port, segment.source_mark)
    };
    let idle_s = SETTING_FLOW_IDLE_S.load();
    if mark.is_watched(now_s.wrapping_add(idle_s / 2)) {
        return;
    }
    if let Some(mark) = PORTS.get_ptr_mut(port) {
        // SAFETY: a map value, one word.
        unsafe { *mark = PortMark::until(now_s.wrapping_add(idle_s)) };
    }
}

/// The connection's frames are to be copied: by the agent's verdict, or before there is one, as its origin suggests.
#[inline(always)]
fn wanted(state: SharedFlow, segment: &Segment) -> bool {
    match VERDICTS.get_ptr(&segment.key) {
        // SAFETY: a map's value, one word.
        Some(verdict) => (unsafe { verdict.read() }) == Verdict::COPY,
        None => state.flags() & (FlowState::PAYLOAD | FlowState::CANDIDATE) != 0,
    }
}
