//! The open descriptors of a process.

use std::io;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, readlinkat_raw, statat};

/// Descriptors of a process that are looked at: one with more is given up rather than looked through for seconds.
const DESCRIPTORS_MAX: usize = 65_536;

/// The open descriptors of a process. It stands for this process and no later one with the same id.
pub(super) struct Descriptors {
    folder: Dir,
}

/// The name of an open descriptor, by which it is found again.
pub(super) struct Descriptor(std::ffi::CString);

/// The result of a search.
pub(super) enum FindResult {
    /// It is this one.
    There(Descriptor),
    /// The process does not have it.
    Elsewhere,
    /// The process has no descriptors at all: it ended, and its parent did not ask for it yet.
    Ended,
}

impl Descriptors {
    /// Opens the list of descriptors of a process.
    pub(super) fn open(pid: u32) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, format!("/proc/{pid}/fd"), flags, Mode::empty())?;
        Ok(Self { folder: Dir::new(folder)? })
    }

    /// The one that is the socket with this inode. To be called once: it reads the folder to there.
    pub(super) fn find(&mut self, inode: u32) -> FindResult {
        let wanted = format!("socket:[{inode}]");
        let mut empty = true;
        for _ in 0..DESCRIPTORS_MAX {
            let Some(Ok(entry)) = self.folder.read() else { break };
            if self.is(entry.file_name(), &wanted) {
                return FindResult::There(Descriptor(entry.file_name().to_owned()));
            }
            empty &= entry.file_name().to_bytes().starts_with(b".");
        }
        if empty { FindResult::Ended } else { FindResult::Elsewhere }
    }

    /// The process still lives, and still has that socket there.
    pub(super) fn still(&self, descriptor: &Descriptor, inode: u32) -> bool {
        self.is(&descriptor.0, &format!("socket:[{inode}]"))
            && self
                .folder
                .fd()
                .is_ok_and(|folder| statat(folder, &*descriptor.0, AtFlags::SYMLINK_NOFOLLOW).is_ok())
    }

    fn is(&self, name: &std::ffi::CStr, wanted: &str) -> bool {
        let mut link = [0; 32];
        let Ok(folder) = self.folder.fd() else { return false };
        readlinkat_raw(folder, name, &mut link[..])
            .is_ok_and(|len| link.get(..len) == Some(wanted.as_bytes()))
    }
}
