//! The content of a direction of a control connection: text, TLS records or neither.

use crate::ftp::LineSplitter;
use crate::tls::RecordReader;

/// The content of one direction, as far as it is known.
#[derive(Debug)]
pub(super) enum Channel {
    Text(LineSplitter),
    Tls(Box<RecordReader>),
    /// Neither: the bytes are not read.
    Opaque,
}

impl Default for Channel {
    fn default() -> Self {
        Self::Text(LineSplitter::new())
    }
}
