//! Bytes of a capture in one buffer, whatever they come from.

use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

/// Bytes read at once. Fits a processor's second-level cache, so that a frame is still there when it is decoded.
const BUFFER_BYTES: usize = 256 << 10;
/// Compressed bytes read at once.
const COMPRESSED_BYTES: usize = 64 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Whether the bytes that are needed are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// They are.
    Yes,
    /// They have to be read: the next call does it, and may have to wait for them.
    Wait,
    /// There are fewer, and no more to come.
    End,
}

/// A source behind a buffer that grows only to what one record needs.
pub(super) struct Input {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where `start` is in the stream, decompressed where it is compressed.
    offset: u64,
    /// [`Ready::Wait`] was said.
    asked: bool,
    ended: bool,
    /// The source says itself that it is not whole.
    cut: bool,
    /// Bytes taken from the source, compressed where it is compressed.
    taken: Arc<AtomicU64>,
}

impl Input {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        let taken = Arc::new(AtomicU64::new(0));
        Self {
            source: Box::new(Counted { source, taken: Arc::clone(&taken) }),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            offset: 0,
            asked: false,
            ended: false,
            cut: false,
            taken,
        }
    }

    /// Decompresses from here on, if what is in the buffer begins like gzip.
    pub(super) fn decompress_gzip(&mut self) -> bool {
        if !self.bytes().starts_with(&GZIP_MAGIC) {
            return false;
        }
        let begun = Cursor::new(self.bytes().to_vec());
        let source = std::mem::replace(&mut self.source, Box::new(io::empty()));
        let compressed = BufReader::with_capacity(COMPRESSED_BYTES, begun.chain(source));
        self.source = Box::new(MultiGzDecoder::new(compressed));
        (self.start, self.end, self.ended) = (0, 0, false);
        true
    }

    /// What is in the buffer.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Where in the stream the buffer begins.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The source ended in the middle of a compressed stream.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut
    }

    /// Memory that the buffer holds.
    #[cfg(test)]
    pub(super) const fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Bytes taken from the source, compressed where it is compressed.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Makes `need` bytes ready. The caller keeps `need` within its own cap: the buffer grows to it.
    #[inline]
    pub(super) fn ready(&mut self, need: usize) -> io::Result<Ready> {
        if self.end - self.start >= need { Ok(Ready::Yes) } else { self.refill(need) }
    }

    fn refill(&mut self, need: usize) -> io::Result<Ready> {
        if self.ended {
            return Ok(Ready::End);
        }
        if !std::mem::replace(&mut self.asked, true) {
            return Ok(Ready::Wait);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < need {
            self.buffer.resize(need, 0);
        }
        let read = loop {
            match self.source.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(read) => break read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What a decoder says of a stream that ends too soon. What came before it is good.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.cut = true;
                    break 0;
                }
                Err(error) => return Err(error),
            }
        };
        self.end += read;
        self.ended = read == 0;
        if self.end - self.start >= need {
            self.asked = false;
            Ok(Ready::Yes)
        } else if self.ended {
            Ok(Ready::End)
        } else {
            Ok(Ready::Wait)
        }
    }

    /// Takes `len` bytes, which are ready.
    #[inline]
    pub(super) fn take(&mut self, len: usize) -> &[u8] {
        let from = self.start;
        self.discard(len);
        self.buffer.get(from..self.start).unwrap_or_default()
    }

    /// Leaves out up to `len` bytes of what is ready. Tells how many.
    #[inline]
    pub(super) fn discard(&mut self, len: usize) -> usize {
        let len = len.min(self.end - self.start);
        self.start += len;
        self.offset += len as u64;
        len
    }
}

/// Counts what is read.
struct Counted {
    source: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
