//! Files on their way out of the core: with [`super::FilesMode::Extract`], their bytes for whoever keeps them.

use std::collections::VecDeque;

use crate::event::FileId;

/// Bytes of files that may wait to be polled. A caller that polls after each call never comes near; one that does not must not make
/// them pile up.
const WAITING_MAX: usize = 64 << 20;

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePiece {
    /// Its next bytes, never empty; the first of a file begin it.
    Bytes {
        /// Which file.
        id: FileId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// All of it was handed out.
    Close {
        /// Which file.
        id: FileId,
        /// SHA-256 of what was handed out.
        sha256: [u8; 32],
    },
    /// It is not to be kept: some of its bytes were not handed out.
    Discard {
        /// Which file.
        id: FileId,
    },
}

/// Pieces that wait to be polled.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    waiting: VecDeque<FilePiece>,
    bytes: usize,
    next_id: u64,
    lost: u64,
}

impl Pieces {
    /// A name for another file.
    pub(super) fn fresh_id(&mut self) -> FileId {
        self.next_id += 1;
        FileId(self.next_id)
    }

    /// The next bytes of a file. False where they find no room: the file is given up then.
    pub(super) fn bytes(&mut self, id: FileId, bytes: &[u8]) -> bool {
        if self.bytes + bytes.len() > WAITING_MAX {
            self.lost += 1;
            self.waiting.push_back(FilePiece::Discard { id });
            return false;
        }
        self.bytes += bytes.len();
        match self.waiting.back_mut() {
            Some(FilePiece::Bytes { id: last, bytes: held }) if *last == id => held.extend_from_slice(bytes),
            _ => self.waiting.push_back(FilePiece::Bytes { id, bytes: bytes.to_vec() }),
        }
        true
    }

    /// A file is over.
    pub(super) fn close(&mut self, id: FileId, sha256: [u8; 32]) {
        self.waiting.push_back(FilePiece::Close { id, sha256 });
    }

    /// A file is none.
    pub(super) fn discard(&mut self, id: FileId) {
        self.waiting.push_back(FilePiece::Discard { id });
    }

    /// The next piece.
    pub(super) fn poll(&mut self) -> Option<FilePiece> {
        let piece = self.waiting.pop_front()?;
        if let FilePiece::Bytes { bytes, .. } = &piece {
            self.bytes -= bytes.len();
        }
        Some(piece)
    }

    /// Files given up because nobody polled.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}
