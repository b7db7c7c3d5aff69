//! Counting, on this CPU's own counters.

use ftpmon_common::{Counter, Stats};

use crate::maps::STATS;

/// This CPU's counters: looked up once a packet.
#[derive(Clone, Copy)]
pub(crate) struct Counters(*mut Stats);

impl Counters {
    /// This CPU's counters; always there, but the verifier wants to see the question asked.
    #[inline(always)]
    pub(crate) fn here() -> Option<Self> {
        STATS.get_ptr_mut(0).map(Self)
    }

    /// Counts one.
    #[inline(always)]
    pub(crate) fn count(self, counter: Counter) {
        self.add(counter, 1);
    }

    /// One was counted that was none.
    #[inline(always)]
    pub(crate) fn take_back(self, counter: Counter) {
        self.add(counter, u64::MAX);
    }

    /// The value of a counter.
    #[inline(always)]
    pub(crate) fn value(self, counter: Counter) -> u64 {
        // SAFETY: as in `add`.
        unsafe { *self.place(counter) }
    }

    /// Adds, round the end: the largest number takes one away.
    #[inline(always)]
    fn add(self, counter: Counter, number: u64) {
        // SAFETY: the pointer is this CPU's value of a per-CPU map. A program that interrupts this one on the same CPU may take one
        // count away, nothing else.
        unsafe {
            let place = self.place(counter);
            *place = (*place).wrapping_add(number);
        }
    }

    #[inline(always)]
    fn place(self, counter: Counter) -> *mut u64 {
        // SAFETY: the index is below the number of counters by the enumeration.
        unsafe { (&raw mut (*self.0).counters).cast::<u64>().add(counter as usize) }
    }
}
