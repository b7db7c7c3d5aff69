//! A file that lines are appended to.
//!
//! A regular file stays open until it is moved away or rotated, which is looked at between two events: no event is split over
//! two files. What was written of an event when the disk became full stands, and the rest follows in the same file.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{Mode, OFlags};
use tracing::warn;

use super::destination::{Destination, Recovery, Unread, not_open};
use super::file_options::FileOptions;
use super::kernel_queue::KernelQueue;
use super::rotation::Rotation;
use super::stdout::wait_writable;
use crate::named_file;
use crate::sandbox;

/// A file that could not be rotated continues, and is tried again after this time.
const ROTATE_AGAIN: Duration = Duration::from_secs(60);

/// The time that whoever moved a file away has to make the next one: logrotate takes milliseconds.
const NEXT_FILE: Duration = Duration::from_millis(500);

/// An appended file.
pub(super) struct AppendedFile {
    path: PathBuf,
    settings: FileOptions,
    rotation: Rotation,
    open: Option<OpenFile>,
    /// The last error was not one of a full disk: the file may be of no more use.
    broken: bool,
    /// Until when it is not rotated.
    not_before: Option<Instant>,
    /// Truncations by other programs: the first is told.
    truncated: u64,
}

struct OpenFile {
    file: File,
    /// A file keeps what was written; a FIFO's new reader has not seen it.
    regular: bool,
    device: u64,
    inode: u64,
    /// Its bytes, as far as this process knows.
    length: u64,
    /// Since when nothing has its name.
    moved: Option<Instant>,
    born: SystemTime,
}

impl AppendedFile {
    /// The file at `path`, not open yet.
    pub(super) fn new(path: PathBuf, settings: FileOptions) -> Self {
        let rotation = Rotation::new(path.clone(), settings.keep, settings.gzip);
        Self { path, settings, rotation, open: None, broken: false, not_before: None, truncated: 0 }
    }

    fn open_anew(&mut self) -> io::Result<()> {
        // The next file first: while this cannot be opened, the last one is still there.
        let opened = OpenFile::open(&self.path, &self.settings)?;
        self.open = Some(opened);
        self.broken = false;
        Ok(())
    }

    fn is_due(&self, open: &OpenFile) -> bool {
        if self.not_before.is_some_and(|when| Instant::now() < when) {
            return false;
        }
        let full = self
            .settings
            .rotate_bytes
            .is_some_and(|max| open.file.metadata().is_ok_and(|facts| facts.len() >= max));
        let old = self
            .settings
            .rotate_seconds
            .is_some_and(|max| open.born.elapsed().is_ok_and(|age| age.as_secs() >= u64::from(max)));
        full || old
    }

    fn rotate(&mut self) -> io::Result<bool> {
        if let Err(error) = self.rotation.rotate() {
            warn!("cannot rotate {}: {error}; writing continues in it", self.path.display());
            self.not_before = Some(Instant::now() + ROTATE_AGAIN);
            return Ok(false);
        }
        self.open_anew()?;
        Ok(true)
    }
}

impl Destination for AppendedFile {
    fn open(&mut self) -> io::Result<()> {
        match &self.open {
            Some(open) if open.regular && !self.broken => Ok(()),
            _ => self.open_anew(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let open = self.open.as_mut().ok_or_else(not_open)?;
        let file = &mut open.file;
        match file.write(bytes) {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                wait_writable(file.as_fd())?;
                Err(e)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(io::ErrorKind::WouldBlock.into()),
            Err(e) => {
                use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
                self.broken = !matches!(e.kind(), StorageFull | QuotaExceeded | FileTooLarge);
                Err(e)
            }
            Ok(written) => {
                open.length += written as u64;
                Ok(written)
            }
        }
    }

    fn recovery(&self) -> Recovery {
        let stands = self.open.as_ref().is_none_or(|open| open.regular) && !self.broken;
        if stands { Recovery::SameByte } else { Recovery::WholeEvent }
    }

    fn unread(&mut self, _after: Option<&io::Error>) -> Unread {
        Unread::Bytes(self.in_kernel())
    }

    fn in_kernel(&mut self) -> u64 {
        self.open.as_ref().map_or(0, |open| KernelQueue::of(&open.file).bytes(&open.file))
    }

    fn turn(&mut self, reopen: bool) -> io::Result<bool> {
        let Some(open) = self.open.as_mut().filter(|open| open.regular) else { return Ok(false) };
        let Some(length) = open.length_at(&self.path) else {
            // Whoever moved it may be about to make the next one, with an owner and a mode of their own.
            if !reopen && !self.path.exists() {
                let since = *open.moved.get_or_insert_with(Instant::now);
                if since.elapsed() < NEXT_FILE {
                    return Ok(false);
                }
            }
            self.open_anew()?;
            return Ok(true);
        };
        open.moved = None;
        if length < open.length {
            self.truncated += 1;
            if self.truncated == 1 {
                warn!(
                    "{} was truncated by another program: what was written since that read it last is lost \
                     (logrotate: create in place of copytruncate)",
                    self.path.display()
                );
            }
        }
        open.length = length;
        if reopen {
            // The same file, perhaps with other rights.
            self.open_anew()?;
            return Ok(false);
        }
        if self.open.as_ref().is_some_and(|open| self.is_due(open)) { self.rotate() } else { Ok(false) }
    }
}

impl OpenFile {
    fn open(path: &Path, settings: &FileOptions) -> io::Result<Self> {
        // Without O_NONBLOCK a FIFO without a reader would hold up the start.
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK;
        let mode = Mode::from_raw_mode(settings.mode);
        let mut file = match named_file::open(path, flags | OFlags::EXCL, mode) {
            Ok(file) => {
                // Whatever the umask is.
                file.set_permissions(std::fs::Permissions::from_mode(settings.mode))?;
                if settings.uid.is_some() || settings.gid.is_some() {
                    fchown(&file, settings.uid, settings.gid)?;
                } else {
                    sandbox::hand_back(&file);
                }
                file
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                named_file::open(path, flags, mode)?
            }
            Err(error) => return Err(error),
        };
        let facts = file.metadata()?;
        if facts.is_file() && settings.uid.is_none() && settings.gid.is_none() {
            sandbox::hand_over(&file);
        }
        if facts.is_file() && !ends_with_line_feed(path, facts.len()) {
            file.write_all(b"\n")?;
        }
        let length = file.metadata()?.len();
        Ok(Self {
            file,
            regular: facts.is_file(),
            device: facts.dev(),
            inode: facts.ino(),
            length,
            moved: None,
            born: facts.created().unwrap_or_else(|_| SystemTime::now()),
        })
    }

    /// The length of the file at `path`; None where that is another one, or none.
    fn length_at(&self, path: &Path) -> Option<u64> {
        let facts = path.metadata().ok()?;
        ((facts.dev(), facts.ino()) == (self.device, self.inode)).then_some(facts.len())
    }
}

/// Whether a file ends with a line feed: a line that a killed run left unfinished must not become one with what follows. A
/// file that cannot be read is taken as it is.
fn ends_with_line_feed(path: &Path, length: u64) -> bool {
    let last = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(length.saturating_sub(1)))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        io::Result::Ok(last)
    };
    length == 0 || last().map_or(true, |last| last == *b"\n")
}

#[cfg(test)]
mod tests;
