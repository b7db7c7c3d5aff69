//! A file that lines are appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::destination::{Destination, Recovery, not_open};
use super::stdout::wait_writable;

/// Permissions of a new file: events hold user names and paths, the world need not read them.
const MODE: u32 = 0o640;

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
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(MODE)
            .custom_flags(nonblocking)
            .open(&self.path)?;
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
        if self.regular { Recovery::SameByte } else { Recovery::WholeLine }
    }
}
