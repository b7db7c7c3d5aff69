//! The ring between the kernel programs and the agent.

use std::io;

use aya::maps::MapData;
use aya::maps::ring_buf::RingBuf;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error::KernelError;

/// The ring's reading end.
pub struct Ring {
    events: AsyncFd<RingBuf<MapData>>,
    /// The last drain left something behind.
    more: bool,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Records read.
    pub records: usize,
    /// Bytes of them.
    pub bytes: usize,
    /// Nothing was left.
    pub empty: bool,
}

impl Ring {
    /// Reads from this map. Needs a tokio runtime.
    ///
    /// # Errors
    /// Where the ring cannot be polled.
    pub(super) fn new(events: RingBuf<MapData>) -> Result<Self, KernelError> {
        // SAFETY: the ring buffer owns its descriptor and is moved into the `AsyncFd`: it stays open and the same.
        let events = unsafe { AsyncFd::register_with_interest(events, Interest::READABLE) };
        Ok(Self { events: events.map_err(|e| KernelError::Ring(e.into()))?, more: false })
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

    /// Hands records to `take`, oldest first, until none is left or `budget` of them were handed over: whoever drains
    /// has other things to do as well.
    pub fn drain(&mut self, budget: usize, mut take: impl FnMut(&[u8])) -> Drained {
        let mut drained = Drained { records: 0, bytes: 0, empty: false };
        while drained.records < budget {
            let Some(record) = self.events.get_mut().next() else {
                drained.empty = true;
                break;
            };
            drained.records += 1;
            drained.bytes += record.len();
            take(&record);
        }
        self.more = !drained.empty;
        drained
    }
}
