//! A file that lines are appended to.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};

use super::destination::{Destination, Recovery, Unread, not_open};
use super::kernel_queue::KernelQueue;
use super::stdout::wait_writable;
use crate::named_file;

/// Permissions of a new file: events hold user names and paths, the world need not read them.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP);

/// An appended file.
pub(super) struct AppendedFile {
    path: PathBuf,
    file: Option<File>,
    /// A file keeps what was written; a FIFO's new reader has not seen it.
    regular: bool,
}

impl AppendedFile {
    /// The file at `path`, not open yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, regular: true }
    }
}

impl Destination for AppendedFile {
    fn open(&mut self) -> io::Result<()> {
        // Without O_NONBLOCK a FIFO without a reader would hold up the start.
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK;
        let file = named_file::open(&self.path, flags, MODE)?;
        self.regular = file.metadata()?.is_file();
        self.file = Some(file);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut().ok_or_else(not_open)?;
        match file.write(bytes) {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                wait_writable(file.as_fd())?;
                Err(e)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(io::ErrorKind::WouldBlock.into()),
            result => result,
        }
    }

    fn recovery(&self) -> Recovery {
        if self.regular { Recovery::SameByte } else { Recovery::WholeEvent }
    }

    fn unread(&mut self, _after: Option<&io::Error>) -> Unread {
        Unread::Bytes(self.in_kernel())
    }

    fn in_kernel(&mut self) -> u64 {
        self.file.as_ref().map_or(0, |file| KernelQueue::of(file).bytes(file))
    }
}
