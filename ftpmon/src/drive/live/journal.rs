//! The records that an agent with `--pin` read of open connections, in a file: the next agent reads them again and knows what
//! this one knew.
//!
//! The file has a header (magic, version, layout of the records, the machine's boot) and entries with a checksum each. It ends
//! where an entry is not whole. It is rewritten when more than half of it is of connections that ended.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::sandbox::{self, Opener};
use crc32c::crc32c;
use ftpmon_common::ABI_VERSION;
use ftpmon_core::segment::Segment;
use ftpmon_event::addr::Endpoint;

use crate::boot::boot_id;
use crate::dump::Mask;
use crate::telemetry::{Kind, Sampled, Snapshot};

/// The beginning of a file, with the version of its form.
const MAGIC: [u8; 8] = *b"ftpmonj2";
/// Bytes of an entry before its body: length, checksum, kind, distance of the clocks.
const ENTRY_HEAD: usize = 17;
/// The part of a connection's beginning that is kept, bytes: the login is there.
const HEAD_MAX: usize = 16 << 10;
/// The part of its end that is kept, bytes. A session that continues for long does not fill the file.
const TAIL_MAX: usize = 32 << 10;
/// The sum that is kept of all connections, bytes: many sessions do not fill memory and disk. More are not taken over.
const KEPT_MAX: usize = 64 << 20;
/// A file of this many bytes is rewritten only if it has grown to twice what is kept.
const SLACK: usize = 4 << 20;
/// Largest file that is read, bytes.
const FILE_MAX: u64 = (2 * KEPT_MAX + 2 * SLACK) as u64;
/// A data connection that is over is kept for so long: its transfer may wait for the reply.
const LINGER: Duration = Duration::from_secs(60);
/// Timeouts that are kept.
const TIMEOUTS_MAX: usize = 1_024;

/// The ends of a connection, whichever opened it.
type Ends = (Endpoint, Endpoint);

/// Something that an agent did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// It read a record of the ring.
    Record = 1,
    /// Something was due, at the wall-clock time in the body.
    Timeout = 2,
    /// It ended in order: everything that it knew was reported.
    End = 3,
}

/// An entry that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    /// Wall clock less boot time, nanoseconds.
    pub(super) distance: i64,
    pub(super) body: Vec<u8>,
}

/// The entries that are kept of a connection, with their numbers among all entries.
#[derive(Debug, Default)]
struct Kept {
    head: Vec<(u64, Vec<u8>)>,
    head_bytes: usize,
    tail: VecDeque<(u64, Vec<u8>)>,
    tail_bytes: usize,
    over: Option<Instant>,
}

/// The file.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Keeps other agents off the file.
    _lock: File,
    file_bytes: usize,
    /// Not written yet.
    unwritten: Vec<u8>,
    /// Parts of a frame whose end has not come.
    parts: Vec<Vec<u8>>,
    kept: HashMap<Ends, Kept>,
    kept_bytes: usize,
    timeouts: VecDeque<(u64, Vec<u8>)>,
    entries: u64,
    /// Records that were left out at a cap.
    left_out: u64,
    /// Rewrites the file for a thread that opens nothing.
    opener: Opener,
    mask: Mask,
}

impl Sampled for Journal {
    fn sample(&self, into: &mut Snapshot) {
        into.add(Kind::Lost, "journal_full", self.left_out);
    }
}

impl Journal {
    /// Opens the file for a new run, which [`Self::renew`] puts in its place; gives what an earlier one left there, if it is
    /// of this boot.
    ///
    /// # Errors
    /// Another agent uses it, or it cannot be written.
    pub(super) fn open(
        path: &Path,
        opener: Opener,
        ports: Vec<u16>,
    ) -> io::Result<(Self, Option<Vec<Entry>>)> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let is_new = !folder.exists();
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            if is_new {
                sandbox::hand_over_path(folder);
            }
        }
        let lock = private().open(path.with_extension("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another agent uses it")),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let earlier = match File::open(path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(FILE_MAX).read_to_end(&mut bytes)?;
                parse(&bytes, &boot_id()?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        // In place of the earlier one when that was taken over: a start that fails leaves it as it is.
        let file = private().open(path.with_extension("new"))?;
        sandbox::hand_over(&file);
        sandbox::hand_over(&lock);
        let journal = Self {
            path: path.to_owned(),
            file,
            _lock: lock,
            file_bytes: 0,
            unwritten: Vec::new(),
            parts: Vec::new(),
            kept: HashMap::new(),
            kept_bytes: 0,
            timeouts: VecDeque::new(),
            entries: 0,
            left_out: 0,
            opener,
            mask: Mask::new(ports),
        };
        Ok((journal, earlier))
    }

    /// Notes a record that is no whole frame: the next one that is has the rest.
    pub(super) fn part(&mut self, record: &[u8], distance: i64) {
        if self.parts.iter().map(Vec::len).sum::<usize>() < HEAD_MAX {
            self.parts.push(encode(EntryKind::Record, distance, record));
        } else {
            self.left_out += 1;
        }
    }

    /// Notes a record with a frame, without the secrets in it: they were reported, as far as they are, when they were read.
    pub(super) fn frame(&mut self, record: &[u8], segment: &Segment<'_>, distance: i64) {
        let mut bytes = record.to_vec();
        let is_whole = self.parts.is_empty() || !self.mask.covers(segment);
        if is_whole && self.mask.apply(record, Some(segment), &mut bytes) {
            return self.record(&bytes, segment.src, segment.dst, distance);
        }
        // Secrets in a frame that was put together of several records stand in those.
        self.left_out += 1 + self.parts.len() as u64;
        self.parts.clear();
    }

    /// Notes a record of a connection.
    pub(super) fn record(&mut self, record: &[u8], one: Endpoint, other: Endpoint, distance: i64) {
        for part in core::mem::take(&mut self.parts) {
            self.keep(one, other, part);
        }
        self.keep(one, other, encode(EntryKind::Record, distance, record));
    }

    /// Notes that a timer produced output.
    pub(super) fn timeout(&mut self, now: i64) {
        let entry = encode(EntryKind::Timeout, 0, &now.to_le_bytes());
        self.unwritten.extend_from_slice(&entry);
        if self.timeouts.len() >= TIMEOUTS_MAX {
            self.timeouts.pop_front();
        }
        self.entries += 1;
        self.timeouts.push_back((self.entries, entry));
    }

    /// A session ended.
    pub(super) fn session_over(&mut self, one: Endpoint, other: Endpoint) {
        if let Some(kept) = self.kept.remove(&ends(one, other)) {
            self.kept_bytes -= kept.head_bytes + kept.tail_bytes;
        }
    }

    /// A data connection ended.
    pub(super) fn data_over(&mut self, one: Endpoint, other: Endpoint) {
        if let Some(kept) = self.kept.get_mut(&ends(one, other)) {
            kept.over = Some(Instant::now());
        }
    }

    /// Writes what was noted.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let unwritten = core::mem::take(&mut self.unwritten);
        self.file.write_all(&unwritten)?;
        self.file_bytes += unwritten.len();
        if self.file_bytes > 2 * self.kept_bytes + SLACK { self.renew() } else { Ok(()) }
    }

    /// Notes an orderly end and writes everything.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.unwritten.extend(encode(EntryKind::End, 0, &[]));
        self.flush()
    }

    fn keep(&mut self, one: Endpoint, other: Endpoint, entry: Vec<u8>) {
        let len = entry.len();
        if self.kept_bytes + len > KEPT_MAX {
            self.left_out += 1;
            return;
        }
        self.entries += 1;
        self.unwritten.extend_from_slice(&entry);
        let kept = self.kept.entry(ends(one, other)).or_default();
        self.kept_bytes += len;
        if kept.tail.is_empty() && kept.head_bytes + len <= HEAD_MAX {
            kept.head_bytes += len;
            kept.head.push((self.entries, entry));
            return;
        }
        kept.tail_bytes += len;
        kept.tail.push_back((self.entries, entry));
        while kept.tail_bytes > TAIL_MAX
            && let Some((_, oldest)) = kept.tail.pop_front()
        {
            kept.tail_bytes -= oldest.len();
            self.kept_bytes -= oldest.len();
        }
    }

    /// Rewrites the file with what is kept.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn renew(&mut self) -> io::Result<()> {
        self.unwritten.clear();
        self.kept.retain(|_, kept| {
            let stays = kept.over.is_none_or(|over| over.elapsed() < LINGER);
            if !stays {
                self.kept_bytes -= kept.head_bytes + kept.tail_bytes;
            }
            stays
        });
        let of_connections = self.kept.values().flat_map(|kept| kept.head.iter().chain(&kept.tail));
        let mut entries: Vec<&(u64, Vec<u8>)> = of_connections.chain(&self.timeouts).collect();
        entries.sort_unstable_by_key(|(number, _)| *number);
        let entries: Vec<&[u8]> = entries.into_iter().map(|(_, entry)| entry.as_slice()).collect();
        let (path, entries) = (self.path.clone(), entries.concat());
        (self.file, self.file_bytes) = self.opener.call(move || begin(&path, &entries))??;
        Ok(())
    }
}

/// The ends of a connection in one order.
fn ends(one: Endpoint, other: Endpoint) -> Ends {
    let key = |end: Endpoint| (end.ip, end.port);
    if key(one) <= key(other) { (one, other) } else { (other, one) }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
}

/// A new file that replaces the old one at once: no agent reads half of it.
fn begin(path: &Path, entries: &[u8]) -> io::Result<(File, usize)> {
    let new = path.with_extension("new");
    let mut file = private().open(&new)?;
    sandbox::hand_over(&file);
    let mut bytes = [&MAGIC[..], &ABI_VERSION.to_le_bytes(), &boot_id()?].concat();
    bytes.extend_from_slice(entries);
    file.write_all(&bytes)?;
    fs::rename(&new, path)?;
    Ok((file, bytes.len()))
}

fn encode(kind: EntryKind, distance: i64, body: &[u8]) -> Vec<u8> {
    let mut rest = Vec::with_capacity(ENTRY_HEAD + body.len());
    rest.extend([0; 8]);
    rest.push(kind as u8);
    rest.extend_from_slice(&distance.to_le_bytes());
    rest.extend_from_slice(body);
    let crc = crc32c(rest.get(8..).unwrap_or_default());
    let head = [(body.len() as u32).to_le_bytes(), crc.to_le_bytes()].concat();
    rest.iter_mut().zip(head).for_each(|(to, from)| *to = from);
    rest
}

/// The entries of a file, until one that is not whole; none if it is of another version, layout or boot.
fn parse(bytes: &[u8], boot: &[u8; 36]) -> Option<Vec<Entry>> {
    let header = [&MAGIC[..], &ABI_VERSION.to_le_bytes(), boot].concat();
    let mut rest = bytes.strip_prefix(header.as_slice())?;
    let mut entries = Vec::new();
    while let Some((entry, behind)) = parse_entry(rest) {
        entries.push(entry);
        rest = behind;
    }
    Some(entries)
}

fn parse_entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let len = u32::from_le_bytes(*len) as usize + ENTRY_HEAD - 8;
    let (checked, behind) = rest.split_at_checked(len)?;
    if crc32c(checked) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (kind, rest) = checked.split_first()?;
    let (distance, body) = rest.split_first_chunk()?;
    let kind = [EntryKind::Record, EntryKind::Timeout, EntryKind::End]
        .into_iter()
        .find(|known| *known as u8 == *kind)?;
    Some((Entry { kind, distance: i64::from_le_bytes(*distance), body: body.to_vec() }, behind))
}

#[cfg(test)]
mod tests;
