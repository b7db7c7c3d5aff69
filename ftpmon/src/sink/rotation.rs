//! Rotated files beside a file: `events.json.1` is the latest of them, `.2` the one before; compressed ones end in `.gz`.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

use flate2::Compression;
use flate2::write::GzEncoder;
use tracing::warn;

/// The rotated files of a file.
pub(super) struct Rotation {
    path: PathBuf,
    keep: u32,
    gzip: bool,
    /// Compresses the latest one.
    compressing: Option<JoinHandle<()>>,
}

impl Rotation {
    /// Keeps `keep` files beside `path`.
    pub(super) const fn new(path: PathBuf, keep: u32, gzip: bool) -> Self {
        Self { path, keep, gzip, compressing: None }
    }

    /// Renames the file and the ones before it; the oldest goes.
    ///
    /// # Errors
    /// The file itself cannot be renamed: it is still there.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        if let Some(thread) = self.compressing.take() {
            // It reports its errors itself.
            let _ = thread.join();
        }
        if self.keep == 0 {
            return std::fs::remove_file(&self.path);
        }
        for number in (1..=self.keep).rev() {
            for compressed in [false, true] {
                let from = self.rotated(number, compressed);
                let moved = match number == self.keep {
                    true => std::fs::remove_file(&from),
                    false => std::fs::rename(&from, self.rotated(number + 1, compressed)),
                };
                if let Err(error) = moved
                    && error.kind() != io::ErrorKind::NotFound
                {
                    return Err(error);
                }
            }
        }
        let latest = self.rotated(1, false);
        std::fs::rename(&self.path, &latest)?;
        if self.gzip {
            let into = self.rotated(1, true);
            let compress = move || {
                if let Err(error) = compress(&latest, &into) {
                    warn!("cannot compress {}: {error}; it stays as it is", latest.display());
                }
            };
            // It has the rights of the output's thread.
            self.compressing = match Builder::new().name("gzip".to_owned()).spawn(compress) {
                Ok(thread) => Some(thread),
                Err(error) => {
                    warn!("the system gives no thread to compress {}: {error}", self.path.display());
                    None
                }
            };
        }
        Ok(())
    }

    fn rotated(&self, number: u32, compressed: bool) -> PathBuf {
        let mut name: OsString = self.path.clone().into();
        name.push(format!(".{number}{}", if compressed { ".gz" } else { "" }));
        name.into()
    }
}

impl Drop for Rotation {
    fn drop(&mut self) {
        if let Some(thread) = self.compressing.take() {
            let _ = thread.join();
        }
    }
}

/// Compresses `from`, which goes when the compressed file is complete.
fn compress(from: &Path, into: &Path) -> io::Result<()> {
    let incomplete = into.with_extension("gz.incomplete");
    let result = write_compressed(from, &incomplete).and_then(|()| std::fs::rename(&incomplete, into));
    match result {
        Ok(()) => std::fs::remove_file(from),
        Err(error) => {
            let _ = std::fs::remove_file(&incomplete);
            Err(error)
        }
    }
}

fn write_compressed(from: &Path, into: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let facts = source.metadata()?;
    let target =
        OpenOptions::new().write(true).create(true).truncate(true).mode(facts.mode() & 0o777).open(into)?;
    // As far as this process may.
    let _ = fchown(&target, Some(facts.uid()), Some(facts.gid()));
    let mut encoder = GzEncoder::new(target, Compression::fast());
    io::copy(&mut source, &mut encoder)?;
    encoder.finish()?.sync_all()
}
