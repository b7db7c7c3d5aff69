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

impl Channel {
    /// Bytes held of a line or record that is not complete.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Text(lines) => lines.held(),
            Self::Tls(reader) => size_of_val(&**reader),
            Self::Opaque => 0,
        }
    }
}

impl Default for Channel {
    fn default() -> Self {
        Self::Text(LineSplitter::new())
    }
}
