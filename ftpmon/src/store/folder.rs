//! The directory that holds the files.
//!
//! A file is `ab/abcdef…`, all of its SHA-256 in hexadecimal, and nothing of what a peer said. It is written under
//! `.incoming` and moved when it is whole, so that no other program sees half a file. Everything below the directory is
//! opened relative to it and without following links. Nothing is synced: after a power failure a file may be short, and its
//! name shows; a later copy replaces it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, RenameFlags, flock, mkdirat, openat, renameat,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use crate::sandbox;
use ftpmon_event::text::hex;

/// The directory of files that are not whole yet.
const INCOMING: &str = ".incoming";
/// Held as long as the directory is in use.
const LOCK: &str = ".lock";
/// Directories are the owner's alone, and so are files.
const DIRECTORY_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The directory, open and locked.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    root: OwnedFd,
    incoming: OwnedFd,
    _lock: OwnedFd,
    next: u64,
    used: u64,
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) file: File,
    name: String,
    /// Bytes written.
    pub(super) len: u64,
}

impl Folder {
    /// Opens the directory, which is made where it is missing; removes what a killed run left, and counts what is there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        make(CWD, path)?;
        let root = openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = openat(&root, LOCK, flags, FILE_MODE)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => io::Error::other("another ftpmon uses it"),
            error => error.into(),
        })?;
        make(&root, INCOMING)?;
        let incoming = directory(&root, INCOMING)?;
        for name in names(&incoming)? {
            unlinkat(&incoming, &*name, AtFlags::empty())?;
        }
        hand_over(&root, &incoming, &lock);
        let used = used(&root)?;
        Ok(Self { path: path.to_owned(), root, incoming, _lock: lock, next: 0, used })
    }

    /// Bytes of all files in it.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Begins a file.
    pub(super) fn begin(&mut self) -> io::Result<Incoming> {
        self.next += 1;
        let name = self.next.to_string();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.incoming, &*name, flags, FILE_MODE)?;
        Ok(Incoming { file: file.into(), name, len: 0 })
    }

    /// Adds bytes to a file. If that fails the file is to be dropped.
    pub(super) fn write(&mut self, incoming: &mut Incoming, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match io::Write::write(&mut incoming.file, rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    incoming.len += written as u64;
                    self.used += written as u64;
                    rest = rest.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes a file that is not whole.
    pub(super) fn discard(&mut self, incoming: Incoming) {
        // One that cannot be removed goes with the next start.
        let _ = unlinkat(&self.incoming, &*incoming.name, AtFlags::empty());
        self.used = self.used.saturating_sub(incoming.len);
    }

    /// Gives a whole file its name; returns its path, and whether it was there already. The file is gone from `.incoming`
    /// in any case.
    pub(super) fn finish(&mut self, incoming: Incoming, sha256: &[u8; 32]) -> io::Result<(String, bool)> {
        let name = hex(sha256);
        let shelf = name.get(..2).unwrap_or_default();
        match self.shelve(&incoming, shelf, &name) {
            Ok(known) => {
                if known {
                    self.discard(incoming);
                }
                Ok((self.path.join(shelf).join(&name).display().to_string(), known))
            }
            Err(error) => {
                self.discard(incoming);
                Err(error)
            }
        }
    }

    fn shelve(&self, incoming: &Incoming, shelf: &str, name: &str) -> io::Result<bool> {
        make(&self.root, shelf)?;
        let shelf = directory(&self.root, shelf)?;
        match renameat_with(&self.incoming, &*incoming.name, &shelf, name, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(false),
            // Some file systems cannot promise it; what is there has the same content then.
            Err(Errno::INVAL | Errno::NOSYS) => {
                renameat(&self.incoming, &*incoming.name, &shelf, name)?;
                Ok(false)
            }
            Err(Errno::EXIST) => {
                let there = statat(&shelf, name, AtFlags::SYMLINK_NOFOLLOW)?;
                let whole = rustix::fs::FileType::from_raw_mode(there.st_mode).is_file()
                    && u64::try_from(there.st_size) == Ok(incoming.len);
                if !whole {
                    renameat(&self.incoming, &*incoming.name, &shelf, name)?;
                }
                Ok(whole)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Directories that an earlier run made as root go to the agent's own user.
fn hand_over(root: &OwnedFd, incoming: &OwnedFd, lock: &OwnedFd) {
    [root, incoming, lock].into_iter().for_each(sandbox::hand_over);
    for shelf in names(root).into_iter().flatten() {
        if let Some(shelf) = shelf.to_str().ok().filter(|name| name.len() == 2)
            && let Ok(shelf) = directory(root, shelf)
        {
            sandbox::hand_over(&shelf);
        }
    }
}

/// Makes a directory where there is none.
fn make(at: impl std::os::fd::AsFd, path: impl rustix::path::Arg) -> io::Result<()> {
    match mkdirat(at, path, DIRECTORY_MODE) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens a directory that is no link.
fn directory(at: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

/// The names in a directory.
fn names(directory: &OwnedFd) -> io::Result<Vec<std::ffi::CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

/// Bytes of all files that have their names already.
fn used(root: &OwnedFd) -> io::Result<u64> {
    let mut used = 0u64;
    for shelf in names(root)? {
        let Some(shelf) = shelf.to_str().ok().filter(|name| name.len() == 2) else { continue };
        let Ok(shelf) = directory(root, shelf) else { continue };
        for entry in Dir::read_from(&shelf)? {
            let facts = statat(&shelf, entry?.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
            if rustix::fs::FileType::from_raw_mode(facts.st_mode).is_file() {
                used = used.saturating_add(u64::try_from(facts.st_size).unwrap_or(0));
            }
        }
    }
    Ok(used)
}
