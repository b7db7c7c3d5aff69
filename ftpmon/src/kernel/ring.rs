//! The rings between the kernel programs and the agent: one, or with `--files` a second one for data connections.

mod reader;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use aya::maps::MapData;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error::KernelError;
use reader::RingReader;

/// One ring, once it is mapped.
type Reader = RingReader<Map>;

/// The rings' reading end.
pub struct Ring {
    events: AsyncFd<Reader>,
    payload: Option<AsyncFd<Reader>>,
    capacity: usize,
    /// The last drain left records.
    more: bool,
}

/// The result of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Records read.
    pub records: usize,
    /// Bytes of the dialogues' ring that they took.
    pub bytes: usize,
    /// Nothing was left.
    pub empty: bool,
}

impl Ring {
    /// Reads from these maps; the first has `capacity` bytes. Needs a tokio runtime.
    ///
    /// # Errors
    /// A ring cannot be polled.
    pub(super) fn new(
        events: MapData,
        payload: Option<MapData>,
        capacity: usize,
    ) -> Result<Self, KernelError> {
        let payload = payload.map(polled).transpose()?;
        Ok(Self { events: polled(events)?, payload, capacity, more: false })
    }

    /// The size of the dialogues' ring, bytes.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Comes back when there is something to read.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn readable(&mut self) -> io::Result<()> {
        if self.more {
            // Everything else that is due gets its turn between two drains.
            tokio::task::yield_now().await;
            return Ok(());
        }
        // Cleared before the drain: what comes during it announces itself again.
        let Self { events, payload, .. } = self;
        let Some(payload) = payload else {
            return events.readable_mut().await.map(|mut guard| guard.clear_ready());
        };
        tokio::select! {
            ready = events.readable_mut() => ready.map(|mut guard| guard.clear_ready()),
            ready = payload.readable_mut() => ready.map(|mut guard| guard.clear_ready()),
        }
    }

    /// Hands records to `take`, oldest first, until none is left or the budget is used up: `records` of them, or `bytes`
    /// of the dialogues' ring. The caller has other work between drains.
    pub fn drain(&mut self, records: usize, bytes: usize, mut take: impl FnMut(&[u8])) -> Drained {
        let mut drained = Drained { records: 0, bytes: 0, empty: false };
        let events = self.events.get_mut();
        let mut payload = self.payload.as_mut().map(AsyncFd::get_mut);
        let mut next = OldestTimes::default();
        while drained.records < records && drained.bytes < bytes {
            let from_payload = match &mut payload {
                Some(payload) => next.is_of_payload(events, payload),
                None => false,
            };
            let ring = match &mut payload {
                Some(payload) if from_payload => &mut **payload,
                _ => &mut *events,
            };
            let Some(record) = ring.peek() else {
                drained.empty = true;
                break;
            };
            let len = record.len();
            drained.records += 1;
            if !from_payload {
                drained.bytes += reader::room(len);
            }
            take(record);
            ring.advance(len);
        }
        self.more = !drained.empty;
        drained
    }
}

/// The times of the oldest records of the two rings, as far as they were looked at.
#[derive(Default)]
struct OldestTimes {
    events: Option<u64>,
    payload: Option<u64>,
}

impl OldestTimes {
    /// The next record in order of time is one of the second ring.
    ///
    /// A packet's record is in its ring before the packet continues. So the packet that another one answers is there by the
    /// time that its own record is seen; it has to be looked for after that, though: a ring that was empty before may not be.
    fn is_of_payload(&mut self, events: &mut Reader, payload: &mut Reader) -> bool {
        self.payload = self.payload.or_else(|| oldest(payload));
        self.events = self.events.or_else(|| oldest(events));
        if self.payload.is_none() && self.events.is_some() {
            self.payload = oldest(payload);
        }
        let of_payload = match (self.events, self.payload) {
            (Some(events), Some(payload)) => payload < events,
            (None, payload) => payload.is_some(),
            (Some(_), None) => false,
        };
        // It will be taken.
        *(if of_payload { &mut self.payload } else { &mut self.events }) = None;
        of_payload
    }
}

/// The time of the packet in a ring's oldest record, boot time in nanoseconds. The record stays in the ring.
fn oldest(ring: &mut Reader) -> Option<u64> {
    let record = ring.peek()?;
    // The first field of every record; one that is shorter is read at once, and found to be so.
    Some(record.first_chunk().map_or(0, |at| u64::from_ne_bytes(*at)))
}

/// A map, for its descriptor.
struct Map(MapData);

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd().as_fd()
    }
}

/// Maps a ring and has it waited for.
fn polled(map: MapData) -> Result<AsyncFd<Reader>, KernelError> {
    let capacity = map.info().map_err(|e| KernelError::Ring(io::Error::other(e)))?.max_entries() as usize;
    let ring = RingReader::new(Map(map), capacity).map_err(KernelError::Ring)?;
    // SAFETY: the reader owns its descriptor and is moved into the `AsyncFd`: it stays open and the same.
    let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
    ring.map_err(|e| KernelError::Ring(e.into()))
}
