//! The bytes of a capture in one buffer, from a file, a stream or a gzip decoder.

use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::error::CaptureError;

/// Bytes read at once. Fits a processor's second-level cache, so that a frame is still there when it is decoded.
const BUFFER_BYTES: usize = 256 << 10;
/// Compressed bytes read at once.
const COMPRESSED_BYTES: usize = 64 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Whether the bytes asked for are in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// They are.
    Yes,
    /// They have to be read: the next call reads and may block.
    Wait,
    /// The source ended before them.
    End,
}

/// A source with a buffer that grows only to what one record needs.
pub(super) struct Input {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of `start` in the decompressed stream.
    offset: u64,
    /// [`Ready::Wait`] was returned.
    asked: bool,
    ended: bool,
    /// The decompressor reported a stream cut short.
    cut: bool,
    /// Bytes read from the source, before decompression.
    source_bytes: Arc<AtomicU64>,
}

impl Input {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        let source_bytes = Arc::new(AtomicU64::new(0));
        Self {
            source: Box::new(Counted { source, source_bytes: Arc::clone(&source_bytes) }),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            offset: 0,
            asked: false,
            ended: false,
            cut: false,
            source_bytes,
        }
    }

    /// Decompresses from here on if the buffer begins like gzip. Returns whether it does.
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

    /// The bytes in the buffer.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Offset of the buffer in the decompressed stream.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The source ended in the middle of a compressed stream.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut
    }

    /// The error of a capture that ends in the middle of what begins here.
    pub(super) const fn cut_error(&self) -> CaptureError {
        CaptureError::Cut { offset: self.offset() }
    }

    /// Memory that the buffer holds.
    #[cfg(test)]
    pub(super) const fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Bytes read from the source, before decompression.
    pub(super) fn source_bytes(&self) -> u64 {
        self.source_bytes.load(Ordering::Relaxed)
    }

    /// Makes `need` bytes ready. The buffer grows to `need`, which the caller bounds.
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
                // A decoder's error for a stream that ends early. The bytes before are good.
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

    /// Consumes `len` bytes, which are ready.
    #[inline]
    pub(super) fn consume(&mut self, len: usize) -> &[u8] {
        let from = self.start;
        self.discard(len);
        self.buffer.get(from..self.start).unwrap_or_default()
    }

    /// Skips up to `len` bytes of those that are ready. Returns how many.
    #[inline]
    pub(super) fn discard(&mut self, len: usize) -> usize {
        let len = len.min(self.end - self.start);
        self.start += len;
        self.offset += len as u64;
        len
    }
}

/// A source that counts the bytes read from it.
struct Counted {
    source: Box<dyn Read + Send>,
    source_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.source_bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
