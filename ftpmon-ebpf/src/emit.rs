//! Records written to the rings.

use core::ffi::c_void;
use core::hint::black_box;

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE};
use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_ringbuf_query};
use aya_ebpf::maps::ring_buf::RingBufEntry;
use ftpmon_common::{
    BANNER_MAX, CHUNK_MAX, Counter, FRAME_MAX, FlowEvent, RecordHeader, RecordKind, ReportReason,
    TLS_BEGINNING_MAX,
};

use crate::counters::Counters;
use crate::maps::{EVENTS, PAYLOAD, SETTING_PAYLOAD};
use crate::packet::Packet;
use crate::segment::Segment;
use crate::shared::SharedFlow;

/// Bytes of a frame in each record but the last, where it takes several.
const PIECE_MAX: usize = 16_384;
/// Such records of one frame. A longer frame is cut.
const PIECES_MAX: usize = FRAME_MAX / PIECE_MAX;
/// A frame longer than this, and shorter than [`CHUNK_MAX`], goes into one record, which wastes no more room than four would.
/// XDP's copying helper takes at most 65,535 bytes.
const SUPER_MIN: u32 = 3 * PIECE_MAX as u32;
const SUPER_MAX: u32 = CHUNK_MAX as u32 - 1;

/// Room of the record for a short frame: a command, or a reply of one line.
const LINE_MAX: usize = 128;

/// Room of the record for a frame of the usual MTU.
const MTU_MAX: usize = 2048;

/// A record with room for `N` bytes of a frame. The verifier wants the size of each reservation as a constant, so there are a few
/// sizes: a command or a reply, a longer one, a frame of the usual MTU, a piece of a super-packet.
#[repr(C)]
struct FrameRecord<const N: usize> {
    header: RecordHeader,
    bytes: [u8; N],
}

/// Free bytes of the ring once it is half full; `u64::MAX` before that.
#[inline(never)]
pub(crate) fn left_of_a_full_ring() -> u64 {
    let ring = (&raw const EVENTS).cast_mut().cast::<c_void>();
    // SAFETY: a ring of this object; the helper only reads its positions.
    let (waiting, size) = unsafe {
        let query = |what: u32| bpf_ringbuf_query(ring, u64::from(what));
        (query(BPF_RB_AVAIL_DATA), query(BPF_RB_RING_SIZE))
    };
    if waiting < size / 2 { u64::MAX } else { size.saturating_sub(waiting) }
}

/// About how many bytes of the ring a frame takes. The exact size of its record does not matter here, and finding it would cost
/// as much as a helper call.
#[inline(always)]
pub(crate) const fn record_len(frame_len: u32) -> u32 {
    frame_len.wrapping_add((size_of::<RecordHeader>() + LINE_MAX / 2) as u32)
}

/// A kind of frames and its ring. Control and data have a ring each, so that files do not displace dialogues.
pub(crate) trait Frames {
    const KIND: RecordKind;
    /// Counts a frame that was written whole.
    const WHOLE: Counter;
    /// Counts a frame of which nothing found room.
    const LOST: Counter;
    /// Counts a frame of which a further part found no room.
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

/// Beginnings of data connections. They share the ring of the accounts, so that the two stay in order.
struct Beginning;

impl Frames for Beginning {
    const KIND: RecordKind = RecordKind::Beginning;
    const WHOLE: Counter = Counter::DataBeginnings;
    const LOST: Counter = Counter::LostData;
    const LOST_PART: Counter = Counter::LostDataContinuation;

    #[inline(always)]
    fn reserve<T: 'static>() -> Option<RingBufEntry<T>> {
        if SETTING_PAYLOAD.load() == 0 { Control::reserve::<T>() } else { Data::reserve::<T>() }
    }
}

/// Fragments of IP packets, in the ring of the dialogues: most that are worth a look are of them.
struct Fragment;

impl Frames for Fragment {
    const KIND: RecordKind = RecordKind::Fragment;
    const WHOLE: Counter = Counter::Fragments;
    const LOST: Counter = Counter::LostFragments;
    const LOST_PART: Counter = Counter::LostFragments;

    #[inline(always)]
    fn reserve<T: 'static>() -> Option<RingBufEntry<T>> {
        Control::reserve::<T>()
    }
}

/// Copies a fragment into one record.
#[inline(always)]
pub(crate) fn fragment<P: Packet>(packet: P, segment: &mut Segment, at_ns: u64, counters: Counters) {
    let whole = if segment.frame_len <= MTU_MAX as u32 {
        last_piece::<P, Fragment, MTU_MAX>(packet, segment, at_ns, counters)
    } else {
        last_piece::<P, Fragment, CHUNK_MAX>(packet, segment, at_ns, counters)
    };
    if whole {
        counters.count(Fragment::WHOLE);
    }
}

/// Copies a frame, whole, into as many records as it takes.
#[inline(never)]
pub(crate) fn frame<P: Packet, F: Frames>(packet: P, segment: &mut Segment, at_ns: u64, counters: Counters) {
    if segment.frame_len > FRAME_MAX as u32 {
        counters.count(Counter::FrameCut);
        segment.note_loss(Counter::FrameCut);
    }
    if segment.frame_len > SUPER_MIN && segment.frame_len <= SUPER_MAX {
        if last_piece::<P, F, CHUNK_MAX>(packet, segment, at_ns, counters) {
            counters.count(F::WHOLE);
        }
        return;
    }
    // Each round has one way through and begins with numbers from a map: older verifiers drop the states of a loop of this length,
    // and would walk all combinations of what can differ between two rounds.
    for _ in 0..PIECES_MAX {
        if segment.uncopied() < PIECE_MAX as u32 {
            break;
        }
        if !piece::<P, F, PIECE_MAX>(packet, segment, PIECE_MAX as u32, at_ns, counters) {
            return;
        }
    }
    let left = segment.uncopied();
    let whole = if left == 0 || segment.copied() >= FRAME_MAX as u32 {
        true
    } else if left <= LINE_MAX as u32 {
        last_piece::<P, F, LINE_MAX>(packet, segment, at_ns, counters)
    } else if left <= 512 {
        last_piece::<P, F, 512>(packet, segment, at_ns, counters)
    } else if left <= MTU_MAX as u32 {
        last_piece::<P, F, MTU_MAX>(packet, segment, at_ns, counters)
    } else {
        last_piece::<P, F, PIECE_MAX>(packet, segment, at_ns, counters)
    };
    if whole {
        counters.count(F::WHOLE);
    }
}

/// The same, with the common case, a frame of at most [`LINE_MAX`] bytes, inlined into the caller: where the kernel guards
/// returns, a call costs as much as a map look-up.
#[inline(always)]
pub(crate) fn line<P: Packet, F: Frames>(packet: P, segment: &mut Segment, at_ns: u64, counters: Counters) {
    if segment.frame_len > LINE_MAX as u32 {
        frame::<P, F>(packet, segment, at_ns, counters);
    } else if last_piece::<P, F, LINE_MAX>(packet, segment, at_ns, counters) {
        counters.count(F::WHOLE);
    }
}

/// Copies the beginning of a frame into one record: [`TLS_BEGINNING_MAX`] bytes of a TLS handshake, [`BANNER_MAX`] of anything else.
#[inline(never)]
pub(crate) fn beginning<P: Packet>(
    packet: P,
    segment: &mut Segment,
    handshake: bool,
    at_ns: u64,
    counters: Counters,
) {
    let whole = if handshake {
        last_piece::<P, Beginning, TLS_BEGINNING_MAX>(packet, segment, at_ns, counters)
    } else {
        last_piece::<P, Beginning, BANNER_MAX>(packet, segment, at_ns, counters)
    };
    if whole {
        counters.count(Beginning::WHOLE);
    }
}

/// Copies what is left of a frame, at most `N` bytes. False where that failed, which is counted.
#[inline(always)]
fn last_piece<P: Packet, F: Frames, const N: usize>(
    packet: P,
    segment: &mut Segment,
    at_ns: u64,
    counters: Counters,
) -> bool {
    const { assert!(N.is_power_of_two()) };
    let left = segment.uncopied();
    let wanted = if left > N as u32 { N as u32 } else { left };
    // In one register, so that the verifier sees both bounds of the length: at least 1, at most `N`.
    let len = (black_box(wanted.wrapping_sub(1)) & (N as u32 - 1)) + 1;
    piece::<P, F, N>(packet, segment, len, at_ns, counters)
}

/// Copies the next `len` bytes of a frame, from 1 to `N`. False where that failed, which is counted.
#[inline(always)]
fn piece<P: Packet, F: Frames, const N: usize>(
    packet: P,
    segment: &mut Segment,
    len: u32,
    at_ns: u64,
    counters: Counters,
) -> bool {
    let offset = segment.copied();
    let Some(mut entry) = F::reserve::<FrameRecord<N>>() else {
        counters.count(if offset == 0 { F::LOST } else { F::LOST_PART });
        segment.note_loss(F::LOST);
        return false;
    };
    let record = entry.as_mut_ptr();
    // SAFETY: the record was just reserved and is as large as its type; `len` is at most `N`.
    let copied = unsafe {
        let header = &mut (*record).header;
        fill_header(header, packet, segment, F::KIND, at_ns, counters);
        header.frame_len = segment.frame_len;
        header.offset = offset;
        header.chunk_len = len;
        header.report = 0;
        packet.copy(offset, (&raw mut (*record).bytes).cast(), len)
    };
    if copied {
        entry.submit(0);
        segment.copied = offset + len;
    } else {
        entry.discard(0);
        counters.count(Counter::CopyFailed);
        segment.note_loss(Counter::CopyFailed);
    }
    copied
}

/// Reports an account, behind the frames of its connection. Where the ring of the data connections is full it goes into the other
/// one: the agent reads both in order of time. False where neither has room.
#[inline(never)]
pub(crate) fn report<P: Packet>(
    packet: P,
    segment: &mut Segment,
    state: SharedFlow,
    reason: ReportReason,
    counters: Counters,
) -> bool {
    let Some(mut entry) = Beginning::reserve::<FlowEvent>().or_else(Control::reserve::<FlowEvent>) else {
        counters.count(Counter::LostReport);
        segment.note_loss(Counter::LostReport);
        return false;
    };
    state.set_report_ns(state.last_ns());
    // SAFETY: the record was just reserved; all of its fields are written.
    unsafe {
        let event = entry.as_mut_ptr();
        let header = &mut (*event).header;
        fill_header(header, packet, segment, RecordKind::Flow, state.last_ns(), counters);
        header.frame_len = 0;
        header.offset = 0;
        header.chunk_len = 0;
        header.report = reason as u8;
        (*event).key = segment.key;
        state.copy_to(&raw mut (*event).state);
    }
    entry.submit(0);
    counters.count(Counter::FlowReports);
    true
}

/// Fills in a header, except lengths, offset and report reason.
#[inline(always)]
fn fill_header<P: Packet>(
    header: &mut RecordHeader,
    packet: P,
    segment: &Segment,
    kind: RecordKind,
    at_ns: u64,
    counters: Counters,
) {
    [header.vlan_tci, header.vlan_proto] = segment.device_tag;
    // SAFETY: the helper only returns a number.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    header.at_ns = at_ns;
    // The number of this CPU's segment: 40 bits are enough for a trillion.
    header.frame_id = (u64::from(cpu) << 40) | (counters.value(Counter::Segments) & ((1 << 40) - 1));
    header.ifindex = packet.ifindex();
    header.kind = kind as u8;
    header.hook = segment.hook as u8;
    header.link = segment.link as u8;
}
