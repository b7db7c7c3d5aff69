//! Map values that other CPUs, and the agent, may read and write at the same time.
//!
//! No reference is made to such a value: the compiler may take what lies behind one to stand still. Each field is read and written by
//! itself, through a pointer.

use ftpmon_common::{Address, ControlHalf, ControlState, Expected, FlowHalf, FlowState};

use crate::atomic;

macro_rules! shared {
    ($(#[$doc:meta])* $name:ident of $value:ty: $($field:ident, $set:ident: $kind:ty;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name(*mut $value);

        #[allow(dead_code, reason = "not every field is both read and written")]
        impl $name {
            /// The value behind a pointer.
            ///
            /// # Safety
            /// A map gave the pointer, or it points to a part of a map's value. The kernel frees a value only after the program.
            #[inline(always)]
            pub(crate) const unsafe fn new(value: *mut $value) -> Self {
                Self(value)
            }

            $(
                #[inline(always)]
                pub(crate) fn $field(self) -> $kind {
                    // SAFETY: an aligned integer in a map's value, see `new`.
                    unsafe { (&raw const (*self.0).$field).read() }
                }

                #[inline(always)]
                pub(crate) fn $set(self, value: $kind) {
                    // SAFETY: as above.
                    unsafe { (&raw mut (*self.0).$field).write(value) }
                }
            )*
        }
    };
}

shared! {
    /// An account of a data connection.
    SharedFlow of FlowState:
    first_ns, set_first_ns: u64;
    last_ns, set_last_ns: u64;
    tick_ns, set_tick_ns: u64;
    syn_ns, set_syn_ns: u64;
    syn_ack_ns, set_syn_ack_ns: u64;
    ack_ns, set_ack_ns: u64;
    report_ns, set_report_ns: u64;
    vlan_outer, set_vlan_outer: u16;
    vlan_inner, set_vlan_inner: u16;
}

shared! {
    /// One direction of a data connection.
    SharedHalf of FlowHalf:
    highest, set_highest: u64;
    fin, set_fin: u64;
    packets, set_packets: u64;
    payload_bytes, set_payload_bytes: u64;
    wire_bytes, set_wire_bytes: u64;
    isn, set_isn: u32;
    owner_ifindex, set_owner_ifindex: u32;
    owner_hook, set_owner_hook: u32;
}

shared! {
    /// A control connection.
    SharedControl of ControlState:
    first_ns, set_first_ns: u64;
    last_ns, set_last_ns: u64;
    pair_s, set_pair_s: u32;
    verdict, set_verdict: u32;
    verdict_at, set_verdict_at: u32;
    copied, set_copied: u32;
}

shared! {
    /// One direction of a control connection.
    SharedControlHalf of ControlHalf:
    packets, set_packets: u64;
    payload_bytes, set_payload_bytes: u64;
    next_seq, set_next_seq: u32;
    owner_ifindex, set_owner_ifindex: u32;
    owner_hook, set_owner_hook: u32;
    isn, set_isn: u32;
}

shared! {
    /// An announced endpoint.
    SharedExpected of Expected:
    expires_s, set_expires_s: u32;
    peer, set_peer: Address;
}

macro_rules! flags {
    ($($name:ident)*) => {$(
        #[allow(dead_code, reason = "not every flag is both set and cleared")]
        impl $name {
            /// Sets flags; another CPU's stay.
            #[inline(always)]
            pub(crate) fn set_flags(self, flags: u32) {
                // SAFETY: a field of a map's value, see `new`.
                unsafe { atomic::set(&raw mut (*self.0).flags, flags) }
            }

            /// Clears flags; another CPU's stay.
            #[inline(always)]
            pub(crate) fn clear_flags(self, flags: u32) {
                // SAFETY: a field of a map's value, see `new`.
                unsafe { atomic::clear(&raw mut (*self.0).flags, flags) }
            }

            /// Sets flags and gives those that were set before.
            #[inline(always)]
            pub(crate) fn take_flags(self, flags: u32) -> u32 {
                // SAFETY: a field of a map's value, see `new`.
                unsafe { atomic::take(&raw mut (*self.0).flags, flags) }
            }

            #[inline(always)]
            pub(crate) fn flags(self) -> u32 {
                // SAFETY: as above.
                unsafe { (&raw const (*self.0).flags).read() }
            }
        }
    )*};
}

flags!(SharedFlow SharedHalf SharedControl SharedExpected);

impl SharedFlow {
    /// The first flags, of an entry that nobody else has yet.
    #[inline(always)]
    pub(crate) fn begin_flags(self, flags: u32) {
        // SAFETY: a field of a map's value, see `new`.
        unsafe { (&raw mut (*self.0).flags).write(flags) }
    }

    /// The half of this index, and the other one. The index is 0 or 1.
    #[inline(always)]
    pub(crate) fn halves(self, index: usize) -> (SharedHalf, SharedHalf) {
        // SAFETY: the two halves of an array of two in a map's value.
        unsafe {
            let halves = (&raw mut (*self.0).halves).cast::<FlowHalf>();
            (SharedHalf::new(halves.add(index)), SharedHalf::new(halves.add(index ^ 1)))
        }
    }

    /// Replaces all of it.
    #[inline(always)]
    pub(crate) fn write(self, value: &FlowState) {
        // SAFETY: a map's value, see `new`.
        unsafe { self.0.copy_from_nonoverlapping(value, 1) }
    }

    /// Copies it. Another CPU may write it meanwhile: then the copy has fields of both.
    ///
    /// # Safety
    /// `to` is valid for writing.
    #[inline(always)]
    pub(crate) unsafe fn copy_to(self, to: *mut FlowState) {
        // SAFETY: a map's value, and the caller's place for another.
        unsafe { self.0.copy_to_nonoverlapping(to, 1) }
    }
}

impl SharedHalf {
    /// Counts payload. Exact, because its difference to the length of the stream is what was lost, or repeated.
    #[inline(always)]
    pub(crate) fn add_payload_bytes(self, bytes: u64) {
        // SAFETY: a field of a map's value, see `new`.
        unsafe { atomic::add(&raw mut (*self.0).payload_bytes, bytes) }
    }
}

impl SharedControl {
    /// The half of this index, and the other one. The index is 0 or 1.
    #[inline(always)]
    pub(crate) fn halves(self, index: usize) -> (SharedControlHalf, SharedControlHalf) {
        // SAFETY: the two halves of an array of two in a map's value.
        unsafe {
            let halves = (&raw mut (*self.0).halves).cast::<ControlHalf>();
            (SharedControlHalf::new(halves.add(index)), SharedControlHalf::new(halves.add(index ^ 1)))
        }
    }

    /// Replaces all of it.
    #[inline(always)]
    pub(crate) fn write(self, value: &ControlState) {
        // SAFETY: a map's value, see `new`.
        unsafe { self.0.copy_from_nonoverlapping(value, 1) }
    }
}
