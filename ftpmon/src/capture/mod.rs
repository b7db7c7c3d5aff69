//! Capture files: pcap and pcapng, of either endianness, compressed with gzip or not, from a file or a stream.
//!
//! [`CaptureFile::step`] returns one packet after the other, borrowed from the buffer. Memory is bounded whatever lengths
//! the file claims. If a file is broken or cut off, the packets before that place are returned first.
//!
//! The containers are parsed without a library (docs/adr/0040-own-pcap-and-pcapng-readers.md).

mod error;
mod input;
mod pcap;
mod pcapng;
mod step;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub use error::CaptureError;
pub use step::{RECORD_LEN_MAX, Step};

use input::{Input, Ready};
use pcap::Pcap;
use pcapng::Pcapng;

/// The format of a file.
#[derive(Debug)]
enum Container {
    /// Not known until its first bytes are read.
    Unknown {
        decompressed: bool,
    },
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// A capture file, or a stream in a capture file's format.
pub struct CaptureFile {
    input: Input,
    container: Container,
    source_len: Option<u64>,
}

impl CaptureFile {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// The file cannot be opened. Errors inside it come from [`Self::step`].
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path == Path::new("-") {
            return Ok(Self::from_source(Box::new(io::stdin()), None));
        }
        let file = File::open(path).map_err(CaptureError::Open)?;
        let facts = file.metadata().map_err(CaptureError::Open)?;
        Ok(Self::from_source(Box::new(file), facts.is_file().then_some(facts.len())))
    }

    /// Reads from `source`, whose length in bytes is `source_len` where that is known.
    pub fn from_source(source: Box<dyn Read + Send>, source_len: Option<u64>) -> Self {
        Self { input: Input::new(source), container: Container::Unknown { decompressed: false }, source_len }
    }

    /// The next step. After [`Step::End`] or an error there is none.
    ///
    /// # Errors
    /// The source failed, or the capture is cut off or broken. All packets before that place have been returned.
    #[inline]
    pub fn step(&mut self) -> Result<Step<'_>, CaptureError> {
        if let Container::Unknown { decompressed } = self.container
            && let Some(step) = self.recognize(decompressed)?
        {
            return Ok(step);
        }
        match &mut self.container {
            Container::Unknown { .. } => Ok(Step::Wait),
            Container::Pcap(pcap) => pcap.step(&mut self.input),
            Container::Pcapng(pcapng) => pcapng.step(&mut self.input),
        }
    }

    /// Packets skipped so far because their interface has a link type that ftpmon cannot read.
    pub const fn unknown_link_type(&self) -> u64 {
        match &self.container {
            Container::Pcapng(pcapng) => pcapng.unknown_link_type(),
            Container::Unknown { .. } | Container::Pcap(_) => 0,
        }
    }

    /// Bytes read from the source so far, before decompression.
    pub fn bytes_read(&self) -> u64 {
        self.input.source_bytes()
    }

    /// Length of the source in bytes; none for a stream.
    pub const fn source_len(&self) -> Option<u64> {
        self.source_len
    }

    /// Recognizes the format. `None` once that is done.
    #[cold]
    fn recognize(&mut self, decompressed: bool) -> Result<Option<Step<'static>>, CaptureError> {
        match self.input.ready(4)? {
            Ready::Yes => {}
            Ready::Wait => return Ok(Some(Step::Wait)),
            Ready::End if self.input.bytes().is_empty() && !decompressed => return Err(CaptureError::Empty),
            Ready::End if self.input.is_cut() => return Err(self.input.cut_error()),
            Ready::End => return Err(CaptureError::NotACapture),
        }
        if !decompressed && self.input.decompress_gzip() {
            self.container = Container::Unknown { decompressed: true };
            return Ok(Some(Step::Wait));
        }
        let magic = self.input.bytes().first_chunk::<4>().copied().unwrap_or_default();
        if magic == pcapng::SECTION_HEADER.to_be_bytes() {
            self.container = Container::Pcapng(Pcapng::default());
            return Ok(None);
        }
        if !Pcap::begins_with(magic) {
            return Err(CaptureError::NotACapture);
        }
        match self.input.ready(pcap::HEADER_LEN)? {
            Ready::Yes => {}
            Ready::Wait => return Ok(Some(Step::Wait)),
            Ready::End => return Err(self.input.cut_error()),
        }
        let header = self.input.bytes().first_chunk().ok_or_else(|| self.input.cut_error())?;
        let pcap = Pcap::open(header)?.ok_or(CaptureError::NotACapture)?;
        self.input.discard(pcap::HEADER_LEN);
        self.container = Container::Pcap(pcap);
        Ok(None)
    }
}
