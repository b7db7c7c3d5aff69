//! Capture files: pcap and pcapng, of either endianness, compressed with gzip or not, from a file or a stream.
//!
//! [`CaptureFile::step`] gives one packet after the other, borrowed from the buffer. Memory stays bounded whatever the
//! file says, and whatever is wrong with it, the packets before that place come first.
//!
//! The containers are read by hand: that adds next to nothing to the cost of reading, and holds no more than it must
//! (docs/adr/0040-own-pcap-and-pcapng-readers.md).

mod input;
mod pcap;
mod pcapng;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ftpmon_core::frame::RawFrame;
use ftpmon_event::link::InterfaceId;
use ftpmon_event::time::Timestamp;
use input::{Input, Ready};
use pcap::Pcap;
use pcapng::Pcapng;

/// Longest captured frame. Four times what any tool writes: stops a broken length from taking memory.
pub const RECORD_LEN_MAX: u32 = 1 << 20;

/// Why a capture cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("cannot be opened")]
    Open(#[source] io::Error),
    /// The source failed.
    #[error("cannot be read")]
    Read(#[from] io::Error),
    /// There is not one byte.
    #[error("empty, not even a capture file's header")]
    Empty,
    /// It begins like no capture.
    #[error("no capture file (neither pcap nor pcapng, gzipped or not)")]
    NotACapture,
    /// None of its interfaces has a link type that ftpmon can read.
    #[error("unknown link type {} (see https://www.tcpdump.org/linktypes.html)", list(numbers))]
    UnknownLinkType {
        /// The LINKTYPE_ numbers.
        numbers: Vec<u16>,
    },
    /// It ends in the middle of a packet or a header.
    #[error("cut off: incomplete from byte {offset} on")]
    Cut {
        /// Where the incomplete part begins, in the decompressed stream.
        offset: u64,
    },
    /// A packet claims more than [`RECORD_LEN_MAX`].
    #[error("broken: a packet of {len} bytes is claimed at byte {offset}")]
    RecordTooLong {
        /// Where, in the decompressed stream.
        offset: u64,
        /// The claim.
        len: u32,
    },
    /// A pcapng block contradicts itself or the format.
    #[error("broken: {what} at byte {offset}")]
    BadBlock {
        /// Where the block begins, in the decompressed stream.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
}

fn list(numbers: &[u16]) -> String {
    numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// What comes next in a capture.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// From here on the interface `id` is this one.
    Interface {
        /// Its number.
        id: InterfaceId,
        /// Its name, where the file tells it.
        name: Option<&'a str>,
    },
    /// A packet.
    Packet {
        /// When it was captured.
        at: Timestamp,
        /// Its frame.
        frame: RawFrame<'a>,
    },
    /// All that was read is used up. The next call reads, and may have to wait: the time to write out what there is.
    Wait,
    /// The capture is over, and whole.
    End,
}

/// What a file turned out to be.
#[derive(Debug)]
enum Container {
    /// Its first bytes are not there yet.
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
    /// The file cannot be opened. What is wrong inside it comes from [`Self::step`].
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

    /// The next packet, or whatever else there is to know. After [`Step::End`] or an error there is nothing more.
    ///
    /// # Errors
    /// The source failed, or the capture is not whole, or broken. All packets before that place have been given.
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

    /// Packets left out so far because their interface has a link type that ftpmon cannot read.
    pub const fn unknown_link_type(&self) -> u64 {
        match &self.container {
            Container::Pcapng(pcapng) => pcapng.unknown_link_type(),
            Container::Unknown { .. } | Container::Pcap(_) => 0,
        }
    }

    /// How many bytes of the source were read, compressed ones where it is compressed.
    pub fn bytes_read(&self) -> u64 {
        self.input.taken()
    }

    /// How many bytes the source has; none for a stream.
    pub const fn source_len(&self) -> Option<u64> {
        self.source_len
    }

    /// Finds out what it is. `None` once that is known.
    #[cold]
    fn recognize(&mut self, decompressed: bool) -> Result<Option<Step<'static>>, CaptureError> {
        match self.input.ready(4)? {
            Ready::Yes => {}
            Ready::Wait => return Ok(Some(Step::Wait)),
            Ready::End if self.input.bytes().is_empty() && !decompressed => return Err(CaptureError::Empty),
            Ready::End if self.input.is_cut() => return Err(cut(&self.input)),
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
            Ready::End => return Err(cut(&self.input)),
        }
        let header = self.input.bytes().first_chunk().ok_or_else(|| cut(&self.input))?;
        let pcap = Pcap::open(header)?.ok_or(CaptureError::NotACapture)?;
        self.input.discard(pcap::HEADER_LEN);
        self.container = Container::Pcap(pcap);
        Ok(None)
    }
}

/// The capture ends in the middle of what begins at the input's place.
const fn cut(input: &Input) -> CaptureError {
    CaptureError::Cut { offset: input.offset() }
}
