//! Counting, on this CPU's own counters.

use ftpmon_common::{Counter, Stats};

use crate::maps::STATS;

/// This CPU's counters, looked up once a packet.
#[derive(Clone, Copy)]
pub(crate) struct Counters(*mut Stats);

impl Counters {
    /// This CPU's counters. They are always there; the verifier wants a check all the same.
    #[inline(always)]
    pub(crate) fn of_this_cpu() -> Option<Self> {
        STATS.get_ptr_mut(0).map(Self)
    }

    /// Adds one.
    #[inline(always)]
    pub(crate) fn count(self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Subtracts one that was counted too early.
    #[inline(always)]
    pub(crate) fn take_back(self, counter: Counter) {
        self.add(counter, u64::MAX);
    }

    /// The value of a counter.
    #[inline(always)]
    pub(crate) fn value(self, counter: Counter) -> u64 {
        // SAFETY: as in `add`.
        unsafe { *self.pointer(counter) }
    }

    /// Adds with wrap-around, so that adding the largest number subtracts one.
    #[inline(always)]
    pub(crate) fn add(self, counter: Counter, number: u64) {
        // SAFETY: the pointer is this CPU's value of a per-CPU map. A program that interrupts this one on the same CPU can at
        // worst lose one count.
        unsafe {
            let counter = self.pointer(counter);
            *counter = (*counter).wrapping_add(number);
        }
    }

    #[inline(always)]
    fn pointer(self, counter: Counter) -> *mut u64 {
        // SAFETY: the index is below the number of counters by the enumeration.
        unsafe { (&raw mut (*self.0).counters).cast::<u64>().add(counter as usize) }
    }
}
