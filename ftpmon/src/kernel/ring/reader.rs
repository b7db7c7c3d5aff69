//! The reading end of one ring (kernel/bpf/ringbuf.c, Documentation/bpf/ringbuf.rst).
//!
//! The kernel offers a ring's bytes twice in a row, so that no record breaks at their end. Mapped like that every page of it
//! counts twice as the agent's memory; here they are mapped once, and the one record in a round that goes over the end is
//! put together (docs/adr/0092-map-the-ring-once.md).

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use memmap2::{MmapOptions, MmapRaw};

/// Bytes before each record: its length with two flags, and a number that the kernel uses itself.
const HEADER_LEN: usize = 8;
/// The record is still being written.
const BUSY: u32 = 1 << 31;
/// It was discarded.
const DISCARDED: u32 = 1 << 30;

/// The room that a record of `len` bytes takes in the ring.
pub(super) const fn room(len: usize) -> usize {
    (HEADER_LEN + len).next_multiple_of(8)
}

/// The only reader of a ring. `F` holds its descriptor.
pub(super) struct RingReader<F> {
    descriptor: F,
    /// A page that begins with the position up to which was read.
    consumer: MmapRaw,
    /// A page that begins with the position up to which was written; then the bytes.
    producer: MmapRaw,
    page: usize,
    /// The size of the ring in bytes: a power of two.
    capacity: usize,
    /// The position up to which was read. Positions only grow; modulo the capacity they are offsets in the ring.
    position: usize,
    /// The position up to which was written, as last read.
    written: usize,
    /// Something was read since the kernel was last given the time to see that: it wakes the reader of a ring that it saw
    /// read up, and no other.
    unseen: bool,
    /// A record that goes over the end.
    crossing: Vec<u8>,
}

/// The position of a record.
struct Span {
    /// Its first byte.
    at: usize,
    len: usize,
}

impl<F: AsFd> RingReader<F> {
    /// Maps the ring of this descriptor, which has `capacity` bytes, a power of two of pages.
    ///
    /// # Errors
    /// The kernel does not map it.
    pub(super) fn new(descriptor: F, capacity: usize) -> io::Result<Self> {
        let page = rustix::param::page_size();
        if !capacity.is_power_of_two() || capacity < page {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let fd = descriptor.as_fd().as_raw_fd();
        let consumer = MmapOptions::new().len(page).map_raw(fd)?;
        let producer = MmapOptions::new().offset(page as u64).len(page + capacity).map_raw_read_only(fd)?;
        let position = word(&consumer).load(Ordering::Relaxed);
        Ok(Self {
            descriptor,
            consumer,
            producer,
            page,
            capacity,
            position,
            written: position,
            unseen: false,
            crossing: Vec::new(),
        })
    }
}

impl<F> RingReader<F> {
    /// The oldest record, which stays where it is until [`Self::advance`].
    #[inline]
    pub(super) fn peek(&mut self) -> Option<&[u8]> {
        let Span { at, len } = self.oldest()?;
        let first = len.min(self.capacity - at);
        if first == len {
            return Some(self.bytes(at, len));
        }
        let mut whole = core::mem::take(&mut self.crossing);
        whole.clear();
        whole.extend_from_slice(self.bytes(at, first));
        whole.extend_from_slice(self.bytes(0, len - first));
        self.crossing = whole;
        Some(&self.crossing)
    }

    /// Returns the record that was peeked at, and has `len` bytes, to the kernel.
    #[inline]
    pub(super) fn advance(&mut self, len: usize) {
        self.position = self.position.wrapping_add(room(len));
        self.unseen = true;
        word(&self.consumer).store(self.position, Ordering::Release);
    }

    /// The position of the oldest record. Discarded ones are skipped.
    #[inline]
    fn oldest(&mut self) -> Option<Span> {
        loop {
            while !self.is_written() {
                // Either what is written now is seen here, or the kernel sees that all before it was read, and wakes.
                if !core::mem::take(&mut self.unseen) {
                    return None;
                }
                fence(Ordering::SeqCst);
            }
            let place = self.position & (self.capacity - 1);
            let header = self.header(place);
            let len = (header & !(BUSY | DISCARDED)) as usize;
            if header & DISCARDED == 0 {
                return Some(Span { at: (place + HEADER_LEN) & (self.capacity - 1), len });
            }
            self.advance(len);
        }
    }

    /// A record stands at the position, whole or given up.
    #[inline]
    fn is_written(&mut self) -> bool {
        if self.position == self.written {
            self.written = word(&self.producer).load(Ordering::Relaxed);
            // Headers are read after it.
            fence(Ordering::Acquire);
            if self.position == self.written {
                return false;
            }
        }
        let header = self.header(self.position & (self.capacity - 1));
        // A record's bytes are read after its header says that they are there.
        fence(Ordering::Acquire);
        header & BUSY == 0
    }

    /// The header at a place, which is a multiple of 8 below the capacity: none breaks at the end.
    #[inline]
    fn header(&self, place: usize) -> u32 {
        let at = self.producer.as_ptr().wrapping_add(self.page + place);
        // SAFETY: within the mapping, which lives as long as `self`, and aligned to 8. The kernel writes the word whole. A
        // relaxed load may be made of memory that is mapped read-only.
        unsafe { AtomicU32::from_ptr(at.cast_mut().cast()) }.load(Ordering::Relaxed)
    }

    /// Bytes of the record that is oldest. What the kernel says is bounded by what is mapped.
    #[inline]
    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        let len = len.min(self.capacity.saturating_sub(at));
        // SAFETY: within the mapping by the line above (`at` is below the capacity). The kernel writes nothing of a record
        // that stays until it is returned, for which `self` is borrowed again.
        unsafe { core::slice::from_raw_parts(self.producer.as_ptr().wrapping_add(self.page + at), len) }
    }
}

impl<F: AsFd> AsRawFd for RingReader<F> {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_fd().as_raw_fd()
    }
}

/// The position that a page begins with.
fn word(page: &MmapRaw) -> &AtomicUsize {
    // SAFETY: a page or more is mapped and lives as long as the borrow; the kernel, too, writes the word whole.
    unsafe { AtomicUsize::from_ptr(page.as_mut_ptr().cast()) }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    use proptest::prelude::*;

    use super::*;

    const CAPACITY: usize = 1 << 16;

    /// The kernel's end, as far as a file can play it.
    struct RingWriter {
        file: File,
        page: usize,
        position: usize,
    }

    impl RingWriter {
        fn new() -> (Self, RingReader<File>) {
            let page = rustix::param::page_size();
            let memory = rustix::fs::memfd_create("ring", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
            let file = File::from(memory);
            file.set_len((2 * page + CAPACITY) as u64).unwrap();
            let reader = RingReader::new(file.try_clone().unwrap(), CAPACITY).unwrap();
            (Self { file, page, position: 0 }, reader)
        }

        fn put(&self, position: usize, bytes: &[u8]) {
            for (index, byte) in bytes.iter().enumerate() {
                let place = 2 * self.page + ((position + index) & (CAPACITY - 1));
                self.file.write_all_at(&[*byte], place as u64).unwrap();
            }
        }

        /// Reserves room; false if there is none.
        fn reserve(&mut self, len: usize) -> Option<usize> {
            let mut read = [0; 8];
            self.file.read_exact_at(&mut read, 0).unwrap();
            let read = usize::from_ne_bytes(read);
            if self.position + room(len) - read >= CAPACITY {
                return None;
            }
            let place = self.position;
            self.put(place, &(len as u32 | BUSY).to_ne_bytes());
            self.position += room(len);
            self.file.write_all_at(&self.position.to_ne_bytes(), self.page as u64).unwrap();
            Some(place)
        }

        fn submit(&self, place: usize, bytes: &[u8], flags: u32) {
            self.put(place + HEADER_LEN, bytes);
            self.put(place, &(bytes.len() as u32 | flags).to_ne_bytes());
        }
    }

    #[test]
    fn a_record_that_is_being_written_holds_up_those_behind_it() {
        let (mut kernel, mut reader) = RingWriter::new();
        assert!(reader.peek().is_none());
        let first = kernel.reserve(3).unwrap();
        let second = kernel.reserve(3).unwrap();
        kernel.submit(second, b"two", 0);
        assert!(reader.peek().is_none());
        kernel.submit(first, b"one", 0);
        assert_eq!(reader.peek(), Some(&b"one"[..]));
        assert_eq!(reader.peek(), Some(&b"one"[..]), "it stays until it is given back");
        reader.advance(3);
        assert_eq!(reader.peek(), Some(&b"two"[..]));
        reader.advance(3);
        assert!(reader.peek().is_none());
    }

    #[test]
    fn a_ring_is_a_power_of_two_of_pages() {
        let file = || File::open("/dev/zero").unwrap();
        for capacity in [0, 1, rustix::param::page_size() * 3] {
            assert!(RingReader::new(file(), capacity).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn records_come_as_they_went_in_however_often_the_end_is_passed(
            lens in proptest::collection::vec((0_usize..9_000, any::<bool>(), 1_usize..5), 1..80),
        ) {
            let (mut kernel, mut reader) = RingWriter::new();
            let mut waiting = std::collections::VecDeque::new();
            for (number, (len, discarded, held)) in lens.into_iter().enumerate() {
                let bytes: Vec<u8> = (0..len).map(|at| (at * 31 + number) as u8).collect();
                while waiting.len() >= held {
                    let expected: Vec<u8> = waiting.pop_front().unwrap();
                    prop_assert_eq!(reader.peek(), Some(&expected[..]));
                    reader.advance(expected.len());
                }
                let Some(place) = kernel.reserve(len) else { continue };
                kernel.submit(place, &bytes, if discarded { DISCARDED } else { 0 });
                if !discarded {
                    waiting.push_back(bytes);
                }
            }
            for expected in waiting {
                prop_assert_eq!(reader.peek(), Some(&expected[..]));
                reader.advance(expected.len());
            }
            prop_assert!(reader.peek().is_none());
        }
    }
}
