//! What a transferred file is, told while its bytes pass by.

use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::event::FileFacts;
use crate::text::hex;

/// So many bytes of a file's head tell its type.
const HEAD_LEN: usize = 512;

/// Hashes one direction of a data connection.
#[derive(Clone, Debug, Default)]
pub(super) struct FileReader {
    sha256: Sha256,
    head: SmallVec<[u8; 32]>,
    size: u64,
    incomplete: bool,
}

impl FileReader {
    /// The next bytes.
    pub(super) fn data(&mut self, bytes: &[u8]) {
        let room = HEAD_LEN.saturating_sub(self.head.len()).min(bytes.len());
        if self.size == self.head.len() as u64 {
            self.head.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
        self.size += bytes.len() as u64;
        if !self.incomplete {
            self.sha256.update(bytes);
        }
    }

    /// Bytes are missing: there will be no hash.
    pub(super) fn gap(&mut self) {
        self.incomplete = true;
    }

    /// The facts. `whole` says that the stream was seen from its first byte to its end.
    pub(super) fn finish(self, whole: bool) -> FileFacts {
        let complete = whole && !self.incomplete;
        FileFacts {
            sha256: (!self.incomplete).then(|| SmolStr::new(hex(&self.sha256.finalize()))),
            size: self.size,
            mime: mime(&self.head).map(SmolStr::new_static),
            complete,
            stored: None,
        }
    }
}

/// The MIME type of a file that begins with `head`.
fn mime(head: &[u8]) -> Option<&'static str> {
    if head.is_empty() {
        return None;
    }
    if let Some(kind) = infer::get(head) {
        return Some(kind.mime_type());
    }
    let text = |byte: &u8| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    Some(if head.iter().all(text) { "text/plain" } else { "application/octet-stream" })
}

#[cfg(test)]
mod tests {
    use super::FileReader;

    #[test]
    fn a_file_is_hashed_in_whatever_pieces_it_comes() {
        let mut reader = FileReader::default();
        for piece in [&b"a"[..], b"", b"bc"] {
            reader.data(piece);
        }
        let facts = reader.finish(true);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((facts.sha256.as_deref(), facts.size, facts.complete), (Some(abc), 3, true));
        assert_eq!(facts.mime.as_deref(), Some("text/plain"));
    }

    #[test]
    fn a_file_with_a_hole_has_no_hash() {
        let mut reader = FileReader::default();
        reader.data(b"\x89PNG\r\n\x1a\n");
        reader.gap();
        let facts = reader.finish(true);
        assert_eq!((facts.sha256, facts.complete), (None, false));
        assert_eq!(facts.mime.as_deref(), Some("image/png"));
    }
}
