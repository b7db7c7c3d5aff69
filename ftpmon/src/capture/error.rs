//! Errors of capture files.

use std::io;

/// The reason why a capture cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("cannot be opened")]
    Open(#[source] io::Error),
    /// The source failed.
    #[error("cannot be read")]
    Read(#[from] io::Error),
    /// It has no bytes.
    #[error("empty, not even a capture file's header")]
    Empty,
    /// Its first bytes are those of no capture format.
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
        /// The offset of the incomplete part in the decompressed stream.
        offset: u64,
    },
    /// A packet claims more than [`super::RECORD_LEN_MAX`].
    #[error("broken: a packet of {len} bytes is claimed at byte {offset}")]
    RecordTooLong {
        /// The offset in the decompressed stream.
        offset: u64,
        /// The claim.
        len: u32,
    },
    /// A pcapng block contradicts itself or the format.
    #[error("broken: {what} at byte {offset}")]
    BadBlock {
        /// The offset of the block in the decompressed stream.
        offset: u64,
        /// The fault.
        what: &'static str,
    },
}

/// Numbers with commas between them.
fn list(numbers: &[u16]) -> String {
    numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}
