//! Records into the ring.

use core::ffi::c_void;
use core::hint::black_box;

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE};
use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_ringbuf_query};
use aya_ebpf::maps::ring_buf::RingBufEntry;
use ftpmon_common::{
    BANNER_MAX, CHUNK_MAX, Counter, FRAME_MAX, FlowEvent, FlowState, HEAD_MAX, RecordHeader, RecordKind,
    ReportReason,
};

use crate::counters::Counters;
use crate::headers::Segment;
use crate::maps::{EVENTS, PAYLOAD, SETTING_PAYLOAD};
use crate::packet::Packet;

/// Bytes of a frame in a record of several, and how many of those it may take: beyond them it is cut.
const PIECE_MAX: usize = 16_384;
const PIECES_MAX: usize = FRAME_MAX / PIECE_MAX;
/// A frame longer than this, and shorter than [`CHUNK_MAX`], goes into one record: room for it is lost no more than in four.
/// XDP's copying helper takes 65,535 bytes at the most.
const SUPER_MIN: u32 = 3 * PIECE_MAX as u32;
const SUPER_MAX: u32 = CHUNK_MAX as u32 - 1;

/// The frame of a command or a reply of one line fits into one record of this much room.
const LINE_MAX: usize = 128;

/// A wire frame of the usual size fits into one record of this much room.
const TAIL_MAX: usize = 2048;

/// A record with room for `N` bytes of a frame. The verifier wants each reservation's size as a constant, so there are a
/// few sizes: a command or a reply, a longer one, a wire frame, a piece of a super-packet.
#[repr(C)]
struct Record<const N: usize> {
    header: RecordHeader,
    bytes: [u8; N],
}

/// Bytes of the ring that are left once it is half full; until then there is no end of them.
#[inline(never)]
pub(crate) fn left_of_a_full_ring() -> u64 {
    let ring = (&raw const EVENTS).cast_mut().cast::<c_void>();
    // SAFETY: a ring of this object; asks for numbers.
    let (waiting, size) = unsafe {
        let query = |what: u32| bpf_ringbuf_query(ring, u64::from(what));
        (query(BPF_RB_AVAIL_DATA), query(BPF_RB_RING_SIZE))
    };
    if waiting < size / 2 { u64::MAX } else { size.saturating_sub(waiting) }
}

/// About the bytes of the ring that a frame takes: which of the sizes its room has does not matter here, and finding out takes
/// as long as a helper's call.
#[inline(always)]
pub(crate) const fn record_len(frame_len: u32) -> u32 {
    frame_len.wrapping_add((size_of::<RecordHeader>() + LINE_MAX / 2) as u32)
}

/// Where a kind of frames goes: a ring each, so that files push no dialogue out.
pub(crate) trait Frames {
    const KIND: RecordKind;
    /// Counts a frame that went whole.
    const WHOLE: Counter;
    /// Counts one that found no room.
    const LOST: Counter;
    /// Counts one of which a part found none.
    const LOST_PART: Counter;

    fn reserve<T: 'static>() -> Option<RingBufEntry<T>>;
}

/// Frames of control connections.
pub(crate) struct Control;

impl Frames for Control {
    const KIND: RecordKind = RecordKind::Control;
    const WHOLE: Counter = Counter::ControlFrames;
    const LOST: Counter = Counter::LostControl;
    const LOST_PART: Counter = Counter::LostContinuation;

    #[inline(always)]
    fn reserve<T: 'static>() -> Option<RingBufEntry<T>> {
        EVENTS.reserve_untyped::<T>(0)
    }
}

/// Frames of data connections.
pub(crate) struct Data;

impl Frames for Data {
    const KIND: RecordKind = RecordKind::Data;
    const WHOLE: Counter = Counter::DataFrames;
    const LOST: Counter = Counter::LostData;
    const LOST_PART: Counter = Counter::LostDataContinuation;

    #[inline(always)]
    fn reserve<T: 'static>() -> Option<RingBufEntry<T>> {
        PAYLOAD.reserve_untyped::<T>(0)
    }
}

/// Beginnings of data connections. They go where the accounts go, so that the two stay in order.
struct Head;

impl Frames for Head {
    const KIND: RecordKind = RecordKind::Head;
    const WHOLE: Counter = Counter::DataHeads;
    const LOST: Counter = Counter::LostData;
    const LOST_PART: Counter = Counter::LostDataContinuation;

    #[inline(always)]
    fn reserve<T: 'static>() -> Option<RingBufEntry<T>> {
        if SETTING_PAYLOAD.load() == 0 { Control::reserve::<T>() } else { Data::reserve::<T>() }
    }
}

/// Copies a frame, whole, into as many records as it takes.
#[inline(never)]
pub(crate) fn frame<P: Packet, F: Frames>(packet: P, segment: &mut Segment, at_ns: u64, counters: Counters) {
    if segment.frame_len > FRAME_MAX as u32 {
        counters.count(Counter::FrameCut);
    }
    if segment.frame_len > SUPER_MIN && segment.frame_len <= SUPER_MAX {
        if piece::<P, F, CHUNK_MAX>(packet, segment, at_ns, counters) {
            counters.count(F::WHOLE);
        }
        return;
    }
    for _ in 0..PIECES_MAX {
        if segment.frame_len.wrapping_sub(segment.copied) <= TAIL_MAX as u32 {
            break;
        }
        if !piece::<P, F, PIECE_MAX>(packet, segment, at_ns, counters) {
            return;
        }
    }
    let left = segment.frame_len.wrapping_sub(segment.copied);
    let whole = if left == 0 || left > TAIL_MAX as u32 {
        true
    } else if left <= LINE_MAX as u32 {
        piece::<P, F, LINE_MAX>(packet, segment, at_ns, counters)
    } else if left <= 512 {
        piece::<P, F, 512>(packet, segment, at_ns, counters)
    } else {
        piece::<P, F, TAIL_MAX>(packet, segment, at_ns, counters)
    };
    if whole {
        counters.count(F::WHOLE);
    }
}

/// The same, and as long as most commands and replies are, as a part of its caller: a call costs as much as a map look-up where
/// the kernel guards returns.
#[inline(always)]
pub(crate) fn line<P: Packet, F: Frames>(packet: P, segment: &mut Segment, at_ns: u64, counters: Counters) {
    if segment.frame_len > LINE_MAX as u32 {
        frame::<P, F>(packet, segment, at_ns, counters);
    } else if piece::<P, F, LINE_MAX>(packet, segment, at_ns, counters) {
        counters.count(F::WHOLE);
    }
}

/// Copies the beginning of a frame into one record: more of it where the payload is a TLS handshake than where it is not.
#[inline(never)]
pub(crate) fn beginning<P: Packet>(
    packet: P,
    segment: &mut Segment,
    handshake: bool,
    at_ns: u64,
    counters: Counters,
) {
    let whole = if handshake {
        piece::<P, Head, HEAD_MAX>(packet, segment, at_ns, counters)
    } else {
        piece::<P, Head, BANNER_MAX>(packet, segment, at_ns, counters)
    };
    if whole {
        counters.count(Head::WHOLE);
    }
}

/// Copies what is left of a frame, `N` bytes at the most. False where that failed, and was counted.
#[inline(always)]
fn piece<P: Packet, F: Frames, const N: usize>(
    packet: P,
    segment: &mut Segment,
    at_ns: u64,
    counters: Counters,
) -> bool {
    const { assert!(N.is_power_of_two()) };
    let offset = segment.copied;
    let Some(mut entry) = F::reserve::<Record<N>>() else {
        counters.count(if offset == 0 { F::LOST } else { F::LOST_PART });
        return false;
    };
    let left = segment.frame_len.wrapping_sub(offset);
    let wanted = if left > N as u32 { N as u32 } else { left };
    // In one register, so that the verifier sees both bounds of the length: at least 1, at most `N`.
    let count = (black_box(wanted.wrapping_sub(1)) & (N as u32 - 1)) + 1;
    let record = entry.as_mut_ptr();
    // SAFETY: the record was just reserved and is as large as its type; `count` is at most `N`.
    let copied = unsafe {
        let header = &mut (*record).header;
        head(header, packet, segment, F::KIND, at_ns, counters);
        header.frame_len = segment.frame_len;
        header.offset = offset;
        header.chunk_len = count;
        header.report = 0;
        packet.copy(offset, (&raw mut (*record).bytes).cast(), count)
    };
    if copied {
        entry.submit(0);
        segment.copied = offset + count;
    } else {
        entry.discard(0);
        counters.count(Counter::CopyFailed);
    }
    copied
}

/// Reports an account, behind the frames of its connection; in the dialogues' ring where that of the files is full: the agent
/// reads both in order of time. False where none has room.
#[inline(never)]
pub(crate) fn report<P: Packet>(
    packet: P,
    segment: &Segment,
    state: &mut FlowState,
    reason: ReportReason,
    counters: Counters,
) -> bool {
    let Some(mut entry) = Head::reserve::<FlowEvent>().or_else(Control::reserve::<FlowEvent>) else {
        counters.count(Counter::LostReport);
        return false;
    };
    state.report_ns = state.last_ns;
    // SAFETY: the record was just reserved; all of its fields are written.
    unsafe {
        let event = entry.as_mut_ptr();
        let header = &mut (*event).header;
        head(header, packet, segment, RecordKind::Flow, state.last_ns, counters);
        header.frame_len = 0;
        header.offset = 0;
        header.chunk_len = 0;
        header.report = reason as u8;
        (*event).key = segment.key;
        (*event).state = *state;
    }
    entry.submit(0);
    counters.count(Counter::FlowReports);
    true
}

/// Fills in a header, but for lengths, offset and reason.
#[inline(always)]
fn head<P: Packet>(
    header: &mut RecordHeader,
    packet: P,
    segment: &Segment,
    kind: RecordKind,
    at_ns: u64,
    counters: Counters,
) {
    (header.vlan_tci, header.vlan_proto) = packet.tag();
    // SAFETY: asks for a number.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    header.at_ns = at_ns;
    // This CPU's segment number: 40 bits of it are a trillion segments.
    header.frame_id = (u64::from(cpu) << 40) | (counters.value(Counter::Segments) & ((1 << 40) - 1));
    header.ifindex = packet.ifindex();
    header.kind = kind as u8;
    header.hook = segment.hook as u8;
    header.link = segment.link as u8;
}
