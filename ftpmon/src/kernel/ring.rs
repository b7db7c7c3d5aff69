//! The ring between the kernel programs and the agent.

use std::io;

use aya::maps::MapData;
use aya::maps::ring_buf::RingBuf;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error::KernelError;

/// What a record takes in the ring beside its bytes: a header of this size, and padding up to a multiple of it.
const RECORD_OVERHEAD: usize = 8;

/// The ring's reading end.
pub struct Ring {
    events: AsyncFd<RingBuf<MapData>>,
    capacity: usize,
    /// The last drain left something behind.
    more: bool,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Records read.
    pub records: usize,
    /// Bytes of the ring that they took.
    pub bytes: usize,
    /// Nothing was left.
    pub empty: bool,
}

impl Ring {
    /// Reads from this map of `capacity` bytes. Needs a tokio runtime.
    ///
    /// # Errors
    /// Where the ring cannot be polled.
    pub(super) fn new(events: RingBuf<MapData>, capacity: usize) -> Result<Self, KernelError> {
        // SAFETY: the ring buffer owns its descriptor and is moved into the `AsyncFd`: it stays open and the same.
        let events = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) };
        Ok(Self { events: events.map_err(|e| KernelError::Ring(e.into()))?, capacity, more: false })
    }

    /// How many bytes of records fit.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Comes back when there is something to read.
    ///
    /// # Errors
    /// Where the runtime is shutting down.
    pub async fn readable(&mut self) -> io::Result<()> {
        if self.more {
            // Everything else that is due gets its turn between two drains.
            tokio::task::yield_now().await;
            return Ok(());
        }
        // Cleared before the drain: what comes during it announces itself again.
        self.events.readable_mut().await.map(|mut guard| guard.clear_ready())
    }

    /// Hands records to `take`, oldest first, until none is left or the budget is used up: `records` of them, or `bytes`
    /// of the ring. Whoever drains has other things to do as well.
    pub fn drain(&mut self, records: usize, bytes: usize, mut take: impl FnMut(&[u8])) -> Drained {
        let mut drained = Drained { records: 0, bytes: 0, empty: false };
        while drained.records < records && drained.bytes < bytes {
            let Some(record) = self.events.get_mut().next() else {
                drained.empty = true;
                break;
            };
            drained.records += 1;
            drained.bytes += (RECORD_OVERHEAD + record.len()).next_multiple_of(RECORD_OVERHEAD);
            take(&record);
        }
        self.more = !drained.empty;
        drained
    }
}
