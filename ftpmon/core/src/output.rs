//! The outputs of the engine, in causal order.

use std::collections::VecDeque;

use crate::event::{Event, FileId};
use crate::fill::Fills;
use crate::selector::SelectorUpdate;

/// Bytes of files that may wait to be polled. A caller that polls after each call never comes near; for one that does not
/// they would pile up.
const PIECE_BYTES_MAX: usize = 64 << 20;
/// Selector updates that may wait to be polled: each is safe to lose.
const UPDATES_MAX: usize = 4_096;

/// One thing that comes out of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Something happened.
    Event(Event),
    /// The updates for the kernel's selection of packets.
    SelectorUpdate(SelectorUpdate),
    /// A piece of a file, with [`crate::config::FilesMode::Extract`]. The last one comes before the event that reports the
    /// file.
    FilePiece(FilePiece),
}

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

/// Outputs that wait to be polled.
#[derive(Debug, Default)]
pub struct OutputQueue {
    waiting: VecDeque<Output>,
    piece_bytes: usize,
    updates: usize,
    next_file: u64,
    /// Files given up, and updates dropped, because nothing was polled.
    lost: (u64, u64),
    /// Outputs that waited when [`Self::mark`] was called last.
    marked: usize,
}

impl OutputQueue {
    /// A queue whose files are numbered from `first_file`.
    pub(crate) fn numbered_from(first_file: u64) -> Self {
        Self { next_file: first_file, ..Self::default() }
    }

    /// The number of waiting outputs.
    #[inline]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Notes the fill.
    pub(crate) fn note_fill(&self, fills: &mut Fills) {
        fills.note("selector_updates", self.updates, UPDATES_MAX);
        fills.note("file_piece_bytes", self.piece_bytes, PIECE_BYTES_MAX);
    }

    /// None waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next one.
    #[inline]
    pub fn pop(&mut self) -> Option<Output> {
        let output = self.waiting.pop_front()?;
        self.marked = self.marked.saturating_sub(1);
        match &output {
            Output::Event(_) => {}
            Output::SelectorUpdate(_) => self.updates -= 1,
            Output::FilePiece(FilePiece::Bytes { bytes, .. }) => self.piece_bytes -= bytes.len(),
            Output::FilePiece(_) => {}
        }
        Some(output)
    }

    /// Calls something for each of the next `len`, and frees them.
    pub(crate) fn release(&mut self, len: usize, mut call: impl FnMut(&mut Output)) {
        let len = len.min(self.waiting.len());
        for output in self.waiting.range_mut(..len) {
            match output {
                Output::Event(_) => {}
                Output::SelectorUpdate(_) => self.updates -= 1,
                Output::FilePiece(FilePiece::Bytes { bytes, .. }) => self.piece_bytes -= bytes.len(),
                Output::FilePiece(_) => {}
            }
            call(output);
        }
        if len == self.waiting.len() {
            self.waiting.clear();
        } else {
            self.waiting.drain(..len);
        }
        self.marked = self.marked.saturating_sub(len);
    }

    /// All of them, in exchange for an empty queue that has room for those to come.
    pub(crate) fn exchange(&mut self, emptied: VecDeque<Output>) -> VecDeque<Output> {
        (self.piece_bytes, self.updates, self.marked) = (0, 0, 0);
        core::mem::replace(&mut self.waiting, emptied)
    }

    /// The number that came since the last call.
    #[inline]
    pub(crate) fn mark(&mut self) -> usize {
        let marked = core::mem::replace(&mut self.marked, self.waiting.len());
        self.waiting.len() - marked
    }

    /// Something happened.
    #[inline]
    pub(crate) fn event(&mut self, event: Event) {
        self.waiting.push_back(Output::Event(event));
    }

    /// The kernel's selection is to know something. An endpoint that is forgotten in the same step was never expected.
    pub(crate) fn update(&mut self, update: SelectorUpdate) {
        if let (
            SelectorUpdate::Forget { listener: gone, .. },
            Some(Output::SelectorUpdate(SelectorUpdate::Expect { listener, .. })),
        ) = (update, self.waiting.back())
            && gone == *listener
            && self.waiting.len() > self.marked
        {
            self.waiting.pop_back();
            self.updates -= 1;
        }
        if self.updates >= UPDATES_MAX {
            self.lost.1 += 1;
            return;
        }
        self.updates += 1;
        self.waiting.push_back(Output::SelectorUpdate(update));
    }

    /// A name for another file.
    pub(crate) fn fresh_file(&mut self) -> FileId {
        self.next_file += 1;
        FileId(self.next_file)
    }

    /// The next bytes of a file. False if they find no room: the file is given up then.
    pub(crate) fn file_bytes(&mut self, id: FileId, bytes: &[u8]) -> bool {
        if self.piece_bytes + bytes.len() > PIECE_BYTES_MAX {
            self.lost.0 += 1;
            self.discard_file(id);
            return false;
        }
        self.piece_bytes += bytes.len();
        match self.waiting.back_mut() {
            Some(Output::FilePiece(FilePiece::Bytes { id: last, bytes: held })) if *last == id => {
                held.extend_from_slice(bytes);
            }
            _ => {
                let piece = FilePiece::Bytes { id, bytes: bytes.to_vec() };
                self.waiting.push_back(Output::FilePiece(piece));
            }
        }
        true
    }

    /// A file is complete.
    pub(crate) fn close_file(&mut self, id: FileId, sha256: [u8; 32]) {
        self.waiting.push_back(Output::FilePiece(FilePiece::Close { id, sha256 }));
    }

    /// A file is not to be kept.
    pub(crate) fn discard_file(&mut self, id: FileId) {
        self.waiting.push_back(Output::FilePiece(FilePiece::Discard { id }));
    }

    /// Files given up because nothing was polled.
    pub(crate) fn files_lost(&self) -> u64 {
        self.lost.0
    }

    /// Selector updates dropped because nothing was polled.
    pub(crate) fn updates_lost(&self) -> u64 {
        self.lost.1
    }
}
