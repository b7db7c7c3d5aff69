//! The files being written: which piece goes into which file, and the caps.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracing::{error, warn};

use super::FileOutcome;
use super::folder::{Folder, Incoming};
use crate::telemetry::{Kind, Sampled, Snapshot};
use ftpmon_core::engine::FilePiece;
use ftpmon_event::{FileId, FileReason};

/// Files written at the same time. Stops a client that opens connections from taking all of the agent's descriptors.
pub(super) const OPEN_MAX: usize = 256;
/// A directory that could not be opened is tried again after this long.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The directory of stored files, and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreOptions {
    /// The directory.
    pub(crate) folder: PathBuf,
    /// Bytes of all files in it at most.
    pub(crate) quota: u64,
}

impl StoreOptions {
    /// The caps, as `sensor_start` gives them.
    pub(crate) fn limits(&self, file_bytes: u64) -> [(&'static str, u64); 3] {
        [("file_bytes", file_bytes), ("files_bytes", self.quota), ("files_open", OPEN_MAX as u64)]
    }
}

/// Counters of stored files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreCounters {
    /// Files that have their name.
    pub(crate) stored: u64,
    /// Of those, files that were there already.
    pub(crate) known: u64,
    /// Bytes of all files in the directory.
    pub(crate) used: u64,
    /// Files that were not stored, by reason.
    pub(crate) lost: BTreeMap<&'static str, u64>,
}

impl Sampled for StoreCounters {
    fn sample(&self, into: &mut Snapshot) {
        into.extend(Kind::Lost, self.lost.iter().map(|(&reason, &count)| (reason, count)));
        into.extend(Kind::Agent, [("files_stored", self.stored), ("files_known", self.known)]);
    }
}

/// The files that are being written, and why others are not.
pub(crate) struct Store {
    options: StoreOptions,
    folder: Option<Folder>,
    tried: Option<Instant>,
    open: HashMap<FileId, Incoming>,
    /// Files that were given up and are not over yet.
    refused: HashSet<FileId>,
    told: BTreeSet<&'static str>,
    counters: StoreCounters,
}

/// The reason why a file is not stored.
enum Refusal {
    Quota,
    OpenFiles,
    Io(io::Error),
}

impl Refusal {
    fn reason(&self) -> FileReason {
        match self {
            Self::Quota => FileReason::Quota,
            Self::OpenFiles => FileReason::StoreBusy,
            Self::Io(error) if is_full(error) => FileReason::DiskFull,
            Self::Io(_) => FileReason::StoreFailed,
        }
    }

    /// The name that it is counted by.
    fn name(&self) -> &'static str {
        match self {
            Self::Quota => "files_quota",
            Self::OpenFiles => "files_open_full",
            Self::Io(error) if is_full(error) => "files_disk_full",
            Self::Io(_) => "files_failed",
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Store {
    /// A store that has opened nothing yet.
    pub(crate) fn new(options: StoreOptions) -> Self {
        Self {
            options,
            folder: None,
            tried: None,
            open: HashMap::new(),
            refused: HashSet::new(),
            told: BTreeSet::new(),
            counters: StoreCounters::default(),
        }
    }

    /// Opens the directory, so that what keeps it from being used is reported at the start and not with the first file.
    pub(crate) fn open(&mut self) {
        if let Err(error) = self.folder() {
            self.tell(&Refusal::Io(error));
        }
    }

    /// Takes a piece. Returns the outcome of its file, once that is decided.
    pub(crate) fn piece(&mut self, piece: FilePiece) -> Option<FileOutcome> {
        match piece {
            FilePiece::Bytes { id, bytes } => {
                if self.refused.contains(&id) {
                    return None;
                }
                let refusal = self.write(id, &bytes).err()?;
                self.refused.insert(id);
                Some(self.refuse(id, &refusal))
            }
            FilePiece::Close { id, sha256 } => {
                if self.refused.remove(&id) {
                    return None;
                }
                let incoming = self.open.remove(&id)?;
                let folder = self.folder.as_mut()?;
                match folder.finish(incoming, &sha256) {
                    Ok((path, known)) => {
                        self.counters.stored += 1;
                        self.counters.known += u64::from(known);
                        Some(FileOutcome { id, stored: Ok(path) })
                    }
                    Err(error) => Some(self.refuse(id, &Refusal::Io(error))),
                }
            }
            FilePiece::Discard { id } => {
                self.refused.remove(&id);
                self.forget(id);
                None
            }
        }
    }

    /// The counters so far.
    pub(crate) fn counters(&self) -> StoreCounters {
        let used = self.folder.as_ref().map_or(0, Folder::used);
        StoreCounters { used, ..self.counters.clone() }
    }

    fn write(&mut self, id: FileId, bytes: &[u8]) -> Result<(), Refusal> {
        let quota = self.options.quota;
        let begins = !self.open.contains_key(&id);
        if begins && self.open.len() >= OPEN_MAX {
            return Err(Refusal::OpenFiles);
        }
        let folder = self.folder().map_err(Refusal::Io)?;
        if folder.used().saturating_add(bytes.len() as u64) > quota {
            return Err(Refusal::Quota);
        }
        let begun = if begins { Some(folder.begin().map_err(Refusal::Io)?) } else { None };
        if let Some(incoming) = begun {
            self.open.insert(id, incoming);
        }
        match (self.folder.as_mut(), self.open.get_mut(&id)) {
            (Some(folder), Some(incoming)) => folder.write(incoming, bytes).map_err(Refusal::Io),
            _ => Ok(()),
        }
    }

    fn folder(&mut self) -> io::Result<&mut Folder> {
        if self.folder.is_none() {
            let soon = self.tried.is_some_and(|tried| tried.elapsed() < RETRY_AFTER);
            if soon {
                return Err(io::Error::other("it could not be opened a moment ago"));
            }
            self.tried = Some(Instant::now());
            self.folder = Some(Folder::open(&self.options.folder)?);
        }
        self.folder.as_mut().ok_or_else(|| io::Error::other("it is not open"))
    }

    fn refuse(&mut self, id: FileId, refusal: &Refusal) -> FileOutcome {
        self.forget(id);
        *self.counters.lost.entry(refusal.name()).or_default() += 1;
        self.tell(refusal);
        FileOutcome { id, stored: Err(refusal.reason()) }
    }

    fn forget(&mut self, id: FileId) {
        if let (Some(incoming), Some(folder)) = (self.open.remove(&id), self.folder.as_mut()) {
            folder.discard(incoming);
        }
    }

    /// Reports each kind once on standard error: the rest is counted.
    fn tell(&mut self, refusal: &Refusal) {
        if !self.told.insert(refusal.name()) {
            return;
        }
        let folder = self.options.folder.display();
        let name = refusal.name();
        match refusal {
            Refusal::Quota => warn!(
                "--files-quota of {} bytes is reached in {folder}; files that do not fit are not stored (counted as {name})",
                self.options.quota
            ),
            Refusal::OpenFiles => warn!(
                "more than {OPEN_MAX} files at once for {folder}; further ones are not stored (counted as {name})"
            ),
            Refusal::Io(error) => {
                error!("cannot keep files in {folder}: {error}; they are not stored (counted as {name})");
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(mut folder) = self.folder.take() {
            for (_, incoming) in self.open.drain() {
                folder.discard(incoming);
            }
        }
    }
}
