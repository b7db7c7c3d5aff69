//! Which sockets a process has open.

use std::io;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, readlinkat_raw, statat};

/// Descriptors of a process that are looked at: one with more is given up rather than looked through for seconds.
const DESCRIPTORS_MAX: usize = 65_536;

/// The open descriptors of a process. It stands for this process and no later one with the same id.
pub(super) struct Descriptors {
    folder: rustix::fd::OwnedFd,
}

/// What an open descriptor is called, by which it is found again.
pub(super) struct Descriptor(std::ffi::CString);

impl Descriptors {
    /// Those of a process.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { folder: openat(CWD, format!("/proc/{pid}/fd"), flags, Mode::empty())? })
    }

    /// The one that is the socket with this inode.
    pub(super) fn find(&self, inode: u32) -> Option<Descriptor> {
        let wanted = format!("socket:[{inode}]");
        let entries = Dir::read_from(&self.folder).ok()?;
        for entry in entries.take(DESCRIPTORS_MAX) {
            let entry = entry.ok()?;
            if self.is(entry.file_name(), &wanted) {
                return Some(Descriptor(entry.file_name().to_owned()));
            }
        }
        None
    }

    /// The process still lives, and still has that socket there.
    pub(super) fn still(&self, descriptor: &Descriptor, inode: u32) -> bool {
        self.is(&descriptor.0, &format!("socket:[{inode}]"))
            && statat(&self.folder, &*descriptor.0, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    fn is(&self, name: &std::ffi::CStr, wanted: &str) -> bool {
        let mut link = [0; 32];
        readlinkat_raw(&self.folder, name, &mut link[..])
            .is_ok_and(|len| link.get(..len) == Some(wanted.as_bytes()))
    }
}
