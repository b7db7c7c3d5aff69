//! The file, written by a thread of its own, so that a slow disk does not hold up capture.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use tracing::{error, warn};

use super::blocks;
use super::counters::DumpCounters;
use super::error::DumpError;
use crate::named_file;
use crate::sandbox::{self, Role};

/// Bytes that may wait for the disk.
pub const QUEUE_BYTES_MAX: usize = 16 << 20;
/// Blocks that may wait for the disk.
const QUEUE_BLOCKS_MAX: usize = 65_536;
/// Only its owner may read the file: it holds what was on the wire.
const MODE: u32 = 0o600;
/// The longest wait for the disk at the end of a run.
const FINISH_WAIT: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Shared {
    queued: AtomicUsize,
    written: AtomicU64,
    failed: AtomicU64,
}

/// Bytes to be written, and how many frames they are.
struct Block {
    bytes: Vec<u8>,
    frames: u64,
}

/// The writing thread, from its user's side.
pub(super) struct PcapWriter {
    blocks: Option<SyncSender<Block>>,
    done: Receiver<()>,
    shared: Arc<Shared>,
    /// Bytes handed over so far, and at most.
    len: u64,
    max: Option<u64>,
    /// Frames handed over so far.
    handed: u64,
    queue_full: u64,
    max_bytes: u64,
    /// Frames that the disk had not taken when the run was over.
    late: u64,
}

impl PcapWriter {
    pub(super) fn create(path: &Path, max: Option<u64>) -> Result<Self, DumpError> {
        let file = open(path)?;
        let mut head = Vec::new();
        blocks::section(&mut head);
        (&file).write_all(&head)?;
        // From here on the thread waits for the disk, or for the FIFO's reader.
        fcntl_setfl(&file, fcntl_getfl(&file).map_err(io::Error::from)? - OFlags::NONBLOCK)
            .map_err(io::Error::from)?;
        let (sender, receiver) = sync_channel(QUEUE_BLOCKS_MAX);
        let (finished, done) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let writer =
            WriterThread { file, len: head.len() as u64, broken: false, shared: Arc::clone(&shared) };
        std::thread::Builder::new().name("pcap".to_owned()).spawn(move || {
            sandbox::enter_or_exit(Role::Files);
            writer.run(&receiver);
            let _ = finished.send(());
        })?;
        let len = head.len() as u64;
        Ok(Self {
            blocks: Some(sender),
            done,
            shared,
            len,
            max,
            handed: 0,
            queue_full: 0,
            max_bytes: 0,
            late: 0,
        })
    }

    /// Hands a frame's block over. True if it will be written. `rest` is what will come at the end, bytes.
    pub(super) fn push(&mut self, block: Vec<u8>, rest: usize) -> bool {
        let len = block.len();
        if self.max.is_some_and(|max| self.len + (len + rest) as u64 > max) {
            if self.max_bytes == 0 {
                warn!("the --write-pcap file has reached its maximum size; the run continues without it");
            }
            self.max_bytes += 1;
            return false;
        }
        let taken =
            self.shared.queued.load(Ordering::Relaxed) + len <= QUEUE_BYTES_MAX && self.send(block, 1);
        if taken {
            self.len += len as u64;
            self.handed += 1;
        } else {
            if self.queue_full == 0 {
                warn!("packets arrive faster than the --write-pcap file can be written; some are left out");
            }
            self.queue_full += 1;
        }
        taken
    }

    /// The last block: no frame's.
    pub(super) fn finish(&mut self, block: Vec<u8>) {
        if !block.is_empty() {
            self.send(block, 0);
        }
        self.blocks = None;
        if self.done.recv_timeout(FINISH_WAIT).is_err() {
            let dealt_with = [&self.shared.written, &self.shared.failed].map(|n| n.load(Ordering::Relaxed));
            self.late = self.handed.saturating_sub(dealt_with.iter().sum());
            warn!("the --write-pcap file did not take its last packets in {FINISH_WAIT:?}");
        }
    }

    pub(super) fn counters(&self) -> DumpCounters {
        DumpCounters {
            written: self.shared.written.load(Ordering::Relaxed),
            queue_full: self.queue_full,
            write_failed: self.shared.failed.load(Ordering::Relaxed) + self.late,
            max_bytes: self.max_bytes,
            ..DumpCounters::default()
        }
    }

    fn send(&self, bytes: Vec<u8>, frames: u64) -> bool {
        let len = bytes.len();
        self.shared.queued.fetch_add(len, Ordering::Relaxed);
        let taken =
            self.blocks.as_ref().is_some_and(|blocks| blocks.try_send(Block { bytes, frames }).is_ok());
        if !taken {
            self.shared.queued.fetch_sub(len, Ordering::Relaxed);
        }
        taken
    }
}

/// Opens the file without waiting for the reader of a FIFO. Writes do not wait either.
fn open(path: &Path) -> Result<File, DumpError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK;
    let file = named_file::open(path, flags, Mode::from_raw_mode(MODE)).map_err(|error| {
        let is_fifo = path.metadata().is_ok_and(|facts| facts.file_type().is_fifo());
        let unread = is_fifo && error.raw_os_error() == Some(libc::ENXIO);
        if unread { DumpError::Unread } else { error.into() }
    })?;
    // One that was there before may have been open to others.
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    Ok(file)
}

/// The state of the writing thread.
struct WriterThread {
    file: File,
    /// Bytes of whole blocks in the file.
    len: u64,
    broken: bool,
    shared: Arc<Shared>,
}

impl WriterThread {
    fn run(mut self, blocks: &Receiver<Block>) {
        for block in blocks {
            let Block { bytes, frames } = block;
            self.shared.queued.fetch_sub(bytes.len(), Ordering::Relaxed);
            if !self.broken
                && let Err(error) = self.file.write_all(&bytes)
            {
                self.broken = true;
                // A part of a block would make the file unreadable from there.
                let _ = self.file.set_len(self.len);
                if error.kind() == io::ErrorKind::BrokenPipe {
                    warn!("the reader of --write-pcap closed it; the run continues without it");
                } else {
                    error!("cannot write to the --write-pcap file: {error}; the run continues without it");
                }
            }
            let counter = if self.broken { &self.shared.failed } else { &self.shared.written };
            counter.fetch_add(frames, Ordering::Relaxed);
            if !self.broken {
                self.len += bytes.len() as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "writes to a device")]
    fn a_full_disk_costs_frames_and_is_counted() {
        let shared = Arc::new(Shared::default());
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (blocks, to_do) = sync_channel(8);
        for _ in 0..3 {
            blocks.send(Block { bytes: vec![0; 4096], frames: 1 }).unwrap();
        }
        drop(blocks);
        WriterThread { file, len: 0, broken: false, shared: Arc::clone(&shared) }.run(&to_do);
        assert_eq!(shared.failed.load(Ordering::Relaxed), 3);
        assert_eq!(shared.written.load(Ordering::Relaxed), 0);
    }

    #[test]
    #[cfg_attr(miri, ignore = "makes a FIFO")]
    fn a_fifo_that_nobody_reads_is_refused_at_once() {
        let path = std::env::temp_dir().join(format!("ftpmon-dump-fifo-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(PcapWriter::create(&path, None), Err(DumpError::Unread)));
        // With a reader it is written to, and the thread waits for that reader.
        let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        let mut writer = PcapWriter::create(&path, None).unwrap();
        assert!((0..64).all(|_| writer.push(vec![0; 16 << 10], 0)));
        drop(reader);
        writer.finish(Vec::new());
        assert_eq!(writer.counters().written + writer.counters().write_failed, 64);
        assert!(writer.counters().write_failed > 0);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore = "writes to a pipe")]
    fn a_stuck_disk_holds_up_nobody() {
        let path = std::env::temp_dir().join(format!("ftpmon-dump-stuck-{}", std::process::id()));
        let mut writer = PcapWriter::create(&path, None).unwrap();
        // A thread that takes nothing.
        let (blocks, _stuck) = sync_channel(QUEUE_BLOCKS_MAX);
        writer.blocks = Some(blocks);
        let begun = std::time::Instant::now();
        let taken = (0..100).filter(|_| writer.push(vec![0; 1 << 20], 0)).count();
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert_eq!(taken, QUEUE_BYTES_MAX >> 20);
        assert_eq!(writer.counters().queue_full, 100 - taken as u64);
        std::fs::remove_file(path).unwrap();
    }
}
