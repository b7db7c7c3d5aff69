//! The interface between ftpmon's kernel programs and its agent: the names of programs, maps and settings, map keys and values, the
//! layout of ring records, and the counters.
//!
//! Everything here is plain data with a fixed layout: `repr(C)`, no padding, sizes and offsets asserted at compile time.
//! Numbers stand in the byte order of the host, addresses in network byte order. Seconds and nanoseconds are those of
//! `CLOCK_BOOTTIME` (it counts up while the machine sleeps, so its distance to the wall clock changes only when somebody
//! sets the clock).
//!
//! | map | who writes | who deletes |
//! |---|---|---|
//! | [`names::PORTS`] | agent: control ports, marks of expected ports; kernel: marks of tracked flows | marks expire |
//! | [`names::EXPECTED`] | agent; the kernel only sets [`Expected::TAKEN`] | agent, or the LRU |
//! | [`names::PAIRS`] | kernel | the LRU |
//! | [`names::FLOWS`] | kernel | kernel on an orderly close, agent otherwise |
//! | [`names::CANDIDATES`] | kernel | never deleted |
//! | [`names::CONTROL`] | kernel | the LRU |
//! | [`names::VERDICTS`] | agent | agent, or the LRU |
//! | [`names::NETWORKS`], [`names::NETWORK_FILTER`] | agent | agent |
//! | [`names::STATS`] | kernel | never deleted |
//! | [`names::EVENTS`] | kernel | agent, by reading |
#![no_std]

mod counter;
mod flow;
mod key;
mod layout;
mod map;
pub mod names;
mod network;
mod record;
mod socket;

pub use counter::{COUNTERS, Counter, Stats};
pub use flow::{FlowHalf, FlowState};
pub use key::{Address, Direction, Endpoint, FlowKey, PairKey};
pub use map::{ControlHalf, ControlState, Expected, Pair, PortMark, Verdict};
pub use network::{NetworkFilter, NetworkKey, NetworkRule};
pub use record::{
    BANNER_MAX, BEGINNING_END, CHUNK_MAX, FRAME_MAX, FlowEvent, Hook, Link, RecordHeader, RecordKind,
    ReportReason, TLS_BEGINNING_MAX,
};
pub use socket::{OpenSocket, SocketOffsets};

/// The version of this crate's layouts. It goes into pin paths, so that an agent never opens the maps of another layout.
/// Raised by every change to a size, an offset, a meaning, a map or a program name.
pub const ABI_VERSION: u32 = 6;

/// Marks the shared types as plain data for aya: no padding, no pointers, any bit pattern is a value.
#[cfg(feature = "user")]
mod pod {
    macro_rules! pod {
        ($($name:ty),* $(,)?) => {$(
            // SAFETY: `repr(C)` or `repr(transparent)` over integers only; `no_padding!` beside the type's definition
            // asserts that its size is the sum of its fields' sizes.
            unsafe impl aya::Pod for $name {}
        )*};
    }
    pod!(
        crate::Address,
        crate::Endpoint,
        crate::FlowKey,
        crate::PairKey,
        crate::PortMark,
        crate::Expected,
        crate::Pair,
        crate::Verdict,
        crate::NetworkKey,
        crate::NetworkRule,
        crate::NetworkFilter,
        crate::ControlHalf,
        crate::ControlState,
        crate::FlowHalf,
        crate::FlowState,
        crate::RecordHeader,
        crate::FlowEvent,
        crate::Stats,
        crate::OpenSocket,
        crate::SocketOffsets,
    );
}
