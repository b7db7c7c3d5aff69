//! The store on a thread of its own: a slow disk does not hold up the reading of the kernel's ring.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::FileOutcome;
use super::files::{Store, StoreCounters, StoreOptions};
use crate::sandbox::{self, Reach, Role};
use ftpmon_core::engine::FilePiece;
use ftpmon_event::{FileId, FileReason};

/// Bytes of files that may wait to be written. A disk slower than the network costs this much memory and no more: a file whose
/// bytes find no room is not stored.
pub(crate) const QUEUE_BYTES_MAX: usize = 8 << 20;
/// The memory that a waiting piece takes beside its bytes.
const PIECE_COST: usize = 64;
/// Pieces of one file that wait in a row are written together, up to this many bytes.
const WRITE_BYTES: usize = 256 << 10;
/// The longest wait for the last files at the end of a run.
const FINISH_LIMIT: Duration = Duration::from_secs(10);

/// The thread, from its owner's side.
pub(crate) struct StoreThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Files given up for lack of room that are not over yet.
    refused: HashSet<FileId>,
    /// Files given up for lack of room.
    full: u64,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    news: Notify,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<FilePiece>,
    bytes: usize,
    outcomes: Vec<FileOutcome>,
    counters: StoreCounters,
    closed: bool,
    ended: bool,
}

impl State {
    fn add(&mut self, id: FileId, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        match self.pieces.back_mut() {
            Some(FilePiece::Bytes { id: last, bytes: held }) if *last == id && held.len() < WRITE_BYTES => {
                held.extend_from_slice(&bytes);
            }
            _ => {
                self.bytes += PIECE_COST;
                self.pieces.push_back(FilePiece::Bytes { id, bytes });
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and a piece more or less does no harm.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreThread {
    /// Starts the thread.
    pub(crate) fn start(options: StoreOptions) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let thread = Builder::new().name("files".to_owned()).spawn(move || {
            let folder = options.folder.clone();
            let mut store = Store::new(options);
            store.open();
            sandbox::enter_within_or_exit(Role::Files, Reach::Beneath(&folder));
            while let Some(piece) = theirs.next() {
                let outcome = store.piece(piece);
                let mut state = theirs.state();
                state.counters = store.counters();
                if let Some(outcome) = outcome {
                    state.outcomes.push(outcome);
                    drop(state);
                    theirs.news.notify_one();
                }
            }
            theirs.state().ended = true;
            theirs.changed.notify_all();
        })?;
        Ok(Self { shared, thread: Some(thread), refused: HashSet::new(), full: 0 })
    }

    /// Takes a piece; gives up its file where it finds no room.
    pub(crate) fn push(&mut self, piece: FilePiece) {
        let id = match &piece {
            FilePiece::Bytes { id, .. } | FilePiece::Close { id, .. } | FilePiece::Discard { id } => *id,
        };
        let over = !matches!(piece, FilePiece::Bytes { .. });
        if if over { self.refused.remove(&id) } else { self.refused.contains(&id) } {
            return;
        }
        let mut state = self.shared.state();
        match piece {
            FilePiece::Bytes { id, bytes } if state.bytes + bytes.len() + PIECE_COST > QUEUE_BYTES_MAX => {
                state.pieces.push_back(FilePiece::Discard { id });
                state.outcomes.push(FileOutcome { id, stored: Err(FileReason::StoreBusy) });
                self.refused.insert(id);
                self.full += 1;
                self.shared.news.notify_one();
            }
            FilePiece::Bytes { id, bytes } => state.add(id, bytes),
            piece => state.pieces.push_back(piece),
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Comes back when there is a outcome.
    pub(crate) async fn news(&self) {
        self.shared.news.notified().await;
    }

    /// The outcomes of files since the last call.
    pub(crate) fn outcomes(&self) -> Vec<FileOutcome> {
        core::mem::take(&mut self.shared.state().outcomes)
    }

    /// The counters so far.
    pub(crate) fn counters(&self) -> StoreCounters {
        let mut counters = self.shared.state().counters.clone();
        if self.full > 0 {
            counters.lost.insert("files_queue_full", self.full);
        }
        counters
    }

    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.state().bytes
    }

    /// Nothing more comes: waits until all is written, for so long as a run may take to end.
    pub(crate) fn finish(&mut self) {
        let deadline = Instant::now() + FINISH_LIMIT;
        let mut state = self.shared.state();
        state.closed = true;
        self.shared.changed.notify_all();
        while !state.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            (state, _) =
                self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        if let Some(thread) = self.thread.take() {
            // It has ended already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The next piece; waits for one. None when nothing more comes.
    fn next(&self) -> Option<FilePiece> {
        let mut state = self.state();
        loop {
            if let Some(piece) = state.pieces.pop_front() {
                if let FilePiece::Bytes { bytes, .. } = &piece {
                    state.bytes = state.bytes.saturating_sub(bytes.len() + PIECE_COST);
                }
                return Some(piece);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store whose disk hangs: its thread takes nothing.
    fn hung() -> StoreThread {
        StoreThread { shared: Arc::default(), thread: None, refused: HashSet::new(), full: 0 }
    }

    fn bytes(id: u64, len: usize) -> FilePiece {
        FilePiece::Bytes { id: FileId(id), bytes: vec![7; len] }
    }

    #[test]
    fn what_finds_no_room_is_one_files_loss() {
        let mut writer = hung();
        writer.push(bytes(1, QUEUE_BYTES_MAX - 2 * PIECE_COST));
        for _ in 0..3 {
            writer.push(bytes(2, 1_000));
        }
        writer.push(FilePiece::Close { id: FileId(2), sha256: [0; 32] });
        writer.push(FilePiece::Close { id: FileId(1), sha256: [0; 32] });
        let busy = FileOutcome { id: FileId(2), stored: Err(FileReason::StoreBusy) };
        assert_eq!(writer.outcomes(), [busy]);
        assert_eq!(writer.counters().lost["files_queue_full"], 1);
        assert!(writer.waiting() <= QUEUE_BYTES_MAX);
        let rest: Vec<_> = writer.shared.state().pieces.drain(..).skip(1).collect();
        let discard = FilePiece::Discard { id: FileId(2) };
        assert_eq!(rest, [discard, FilePiece::Close { id: FileId(1), sha256: [0; 32] }]);
    }

    #[test]
    fn pieces_of_a_file_behind_one_another_are_written_together() {
        let mut writer = hung();
        (0..10).for_each(|_| writer.push(bytes(1, 1_000)));
        assert_eq!(writer.shared.state().pieces.len(), 1);
        assert_eq!(writer.waiting(), 10_000 + PIECE_COST);
    }
}
