//! The spool (`--spool`): one append-only log that all outputs read, so that events survive readers that are away, and the
//! agent's own end.
//!
//! | file | what |
//! |---|---|
//! | `options` | its settings |
//! | `record`, `segment` | the bytes of a record and of a file |
//! | `cursor` | how far an output has come |
//! | `issued` | what was in memory when a run was killed |
//! | `shared` | what writer and readers have in common |
//! | `verify` | a look at a whole spool |
//! | `writer` | the thread that appends, syncs and gives space back |
//! | `reader` | an output's way through it |
//!
//! The start reads the last segment alone: it cuts a record that a power failure tore, and sets a file without a header aside.

mod cursor;
mod issued;
mod options;
mod reader;
mod record;
mod segment;
mod shared;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use ftpmon_event::{Origin, RunId};
use rustix::fs::{FlockOperation, flock};
use tracing::{error, warn};

use super::batch::LineBatch;
use super::destination::disk_takes_nothing;
use crate::boot::boot_id;
use crate::sandbox;
use issued::{Issued, Unwritten};
use segment::Header;
pub(super) use shared::BatchKind;
use shared::{Shared, SpoolState};
use writer::SpoolWriter;

pub use options::{SPOOL_BYTES_DEFAULT, SPOOL_BYTES_MIN, SpoolFull, SpoolOptions};
pub(super) use reader::SpoolReader;
pub(super) use shared::Lose;
pub use verify::{SpoolReport, verify_spool};

/// The interval at which the end of a run asks whether everything is written.
const FINISH_LOOK: Duration = Duration::from_millis(50);

/// The spool of a running agent.
pub struct Spool {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Kept so that no second agent writes it.
    _lock: File,
}

impl Spool {
    /// Opens or creates the spool, or says that the run has none, where the disk takes nothing at all.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_unless_refused(options: SpoolOptions, origin: &Origin) -> io::Result<Option<Self>> {
        let folder = options.folder.clone();
        match Self::open(options, origin) {
            Err(error) if disk_takes_nothing(&error) => {
                let folder = folder.display();
                warn!("spool {folder}: {error}; this run has no spool: events wait in memory alone");
                Ok(None)
            }
            opened => opened.map(Some),
        }
    }

    /// Opens or creates the spool in a directory, for the events of `origin`.
    ///
    /// # Errors
    /// The directory cannot be written, or another agent uses it. What is in it is never an error.
    pub fn open(options: SpoolOptions, origin: &Origin) -> io::Result<Self> {
        let folder = options.folder.clone();
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another ftpmon uses it"))?;
        let mut state = SpoolState::default();
        let (mut last, mut newest) = (None, None);
        for number in segment::list(&folder)? {
            let bytes = std::fs::metadata(segment::path(&folder, number)).map_or(0, |facts| facts.len());
            state.segments.insert(number, bytes);
            last = Some(number);
        }
        if let Some(last) = last {
            match recover(&folder, last) {
                Ok(recovered) => {
                    state.segments.insert(last, recovered.bytes);
                    newest = Some(recovered);
                }
                Err(error) => {
                    let aside = segment::set_aside(&folder, last);
                    let aside =
                        aside.map_or_else(|error| error.to_string(), |path| path.display().to_string());
                    error!("spool: segment {last} is damaged: {error}; set aside as {aside}");
                    state.segments.remove(&last);
                }
            }
        }
        let previous = state
            .segments
            .keys()
            .next_back()
            .and_then(|&number| segment::digest(&segment::path(&folder, number)).ok());
        let header = Header {
            number: last.unwrap_or(0),
            sensor: origin.sensor.clone(),
            run: origin.run,
            boot: boot_id().map(|id| String::from_utf8_lossy(&id).into_owned()).unwrap_or_default(),
            previous,
            next: BTreeMap::new(),
        };
        match Issued::begin(&folder, origin.run) {
            Ok((issued, unwritten)) => {
                state.issued = Some(issued);
                let written = |left: Unwritten| match &newest {
                    Some(Recovered { run, next, .. }) => left.beyond(*run, next),
                    None => Some(left),
                };
                state.unwritten = unwritten.into_iter().filter_map(written).collect();
            }
            Err(error) if disk_takes_nothing(&error) => {}
            Err(error) => return Err(error),
        }
        let shared = Arc::new(Shared::new(options, origin.run, state));
        let mut writer = SpoolWriter::new(Arc::clone(&shared), header);
        writer.begin()?;
        hand_over(&folder, &lock);
        let thread = Builder::new().name("spool".to_owned()).spawn(move || writer.run())?;
        Ok(Self { shared, thread: Some(thread), _lock: lock })
    }

    /// Appends a batch of a route; one that is `urgent` is on the disk soon.
    pub(super) fn append(&self, route: u64, batch: LineBatch, kind: BatchKind) {
        self.shared.append(route, batch, kind);
    }

    /// An output's reader of a route. `lose` is called with what it will not get.
    pub(super) fn reader(&self, output: &str, route: u64, lose: Lose) -> SpoolReader {
        SpoolReader::new(Arc::clone(&self.shared), output.to_owned(), route, lose)
    }

    /// All outputs have their readers: what none of them needs may go.
    pub fn outputs_are_known(&self) {
        self.shared.state().outputs_known = true;
    }

    /// Has readers look up from waiting.
    pub(super) fn wake(&self) {
        self.shared.changed.notify_all();
    }

    /// There is room for more.
    pub fn has_room(&self) -> bool {
        self.shared.has_room()
    }

    /// Bytes on the disk, and how many there may be.
    pub fn fill(&self) -> (u64, u64) {
        (self.shared.bytes(), self.shared.cap())
    }

    /// Writes what waits, until `deadline` at most.
    pub fn flush(&self, deadline: Instant) {
        while self.shared.state().pending > 0 && Instant::now() < deadline {
            self.shared.wait(FINISH_LOOK);
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The spool goes to the user that the agent becomes: its own files, and the directory where no other user can use that.
fn hand_over(folder: &std::path::Path, lock: &File) {
    sandbox::hand_over(lock);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if segment::is_spools(&entry.file_name().to_string_lossy()) {
            sandbox::hand_over_path(&entry.path());
        }
    }
    if std::fs::metadata(folder).is_ok_and(|facts| facts.mode() & 0o077 == 0) {
        sandbox::hand_over_path(folder);
    }
}

/// The newest segment of earlier runs.
struct Recovered {
    /// Its length.
    bytes: u64,
    /// The run that wrote it.
    run: RunId,
    /// `seq` after the last event of each route in it.
    next: BTreeMap<u64, u64>,
}

/// Cuts what a power failure or a kill left unfinished after the last complete record of a segment.
fn recover(folder: &std::path::Path, number: u64) -> io::Result<Recovered> {
    let (file, header, begin) = segment::open(folder, number)?;
    let bytes = file.metadata()?.len();
    let mut next = BTreeMap::new();
    let end = record::scan(&file, begin, bytes, |record| {
        next.insert(record.route, record.next_seq);
    })?;
    if end < bytes {
        let cut = bytes - end;
        OpenOptions::new().write(true).open(segment::path(folder, number))?.set_len(end)?;
        warn!("spool: {cut} bytes after the last complete record of segment {number} were cut");
    }
    Ok(Recovered { bytes: end, run: header.run, next })
}
