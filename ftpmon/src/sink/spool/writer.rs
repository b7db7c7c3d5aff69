//! The spool's thread: appends what waits, begins segments, syncs in groups, and gives space back.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use ftpmon_event::DropReason;
use ftpmon_event::text::hex;
use sha2::{Digest as _, Sha256};

use super::super::destination::disk_takes_nothing;
use super::super::report::Report;
use super::super::spool_position::SpoolPosition;
use super::options::{SEGMENT_BYTES, SpoolFull};
use super::record;
use super::segment::{self, Header};
use super::shared::{BatchKind, RecentRecord, Shared, WaitingBatch};
use crate::sandbox::{self, Reach, Role};

/// The longest time that something is written and not synced.
const SYNC_EVERY: Duration = Duration::from_millis(500);
/// The same where a login or an alert is among it: thousands a second are synced together.
const URGENT_SYNC_EVERY: Duration = Duration::from_millis(50);
/// The most bytes that are written and not synced.
const SYNC_BYTES: u64 = 4 << 20;
/// The pause before a disk that takes nothing is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Writes the spool.
pub(super) struct SpoolWriter {
    shared: Arc<Shared>,
    /// The next segment's header, without its number.
    header: Header,
    current: Option<Current>,
    unsynced: u64,
    unsynced_since: Instant,
    /// A login or an alert is not synced yet.
    urgent: bool,
    synced_at: Instant,
    buffer: Vec<u8>,
    report: Report,
}

/// The segment being written.
struct Current {
    file: File,
    number: u64,
    bytes: u64,
    hasher: Sha256,
}

impl SpoolWriter {
    /// A writer that begins with the segment after `header`'s number.
    pub(super) fn new(shared: Arc<Shared>, header: Header) -> Self {
        let report = Report::new(format!("spool {}", shared.folder().display()));
        let now = Instant::now();
        Self {
            shared,
            header,
            current: None,
            unsynced: 0,
            unsynced_since: now,
            urgent: false,
            synced_at: now,
            buffer: Vec::new(),
            report,
        }
    }

    /// Begins the first segment. A full disk is told, and tried again with the first events.
    ///
    /// # Errors
    /// The directory takes no files.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        match self.begin_segment() {
            Err(error) if disk_takes_nothing(&error) => {
                self.fails(&error);
                Ok(())
            }
            begun => begun,
        }
    }

    /// Writes until the spool is closed and everything is written.
    pub(super) fn run(mut self) {
        sandbox::enter_within_or_exit(Role::Files, Reach::Beneath(self.shared.folder()));
        loop {
            let (waiting, closed) = self.wait();
            for waiting in waiting {
                self.urgent |= waiting.kind != BatchKind::Events;
                self.append(&waiting);
                let mut state = self.shared.state();
                state.queue_bytes = state.queue_bytes.saturating_sub(waiting.batch.capacity());
                state.pending = state.pending.saturating_sub(1);
            }
            if self.unsynced > 0 && (closed || self.unsynced >= SYNC_BYTES || self.sync_is_due_in().is_zero())
            {
                self.sync();
            }
            self.reclaim();
            self.shared.changed.notify_all();
            if closed && self.shared.state().queue.is_empty() {
                return;
            }
        }
    }

    /// The batches to be written; waits for some, as long as nothing waits to be synced.
    fn wait(&self) -> (Vec<WaitingBatch>, bool) {
        let mut state = self.shared.state();
        if state.queue.is_empty() && !state.closed {
            let pause = if self.unsynced > 0 { self.sync_is_due_in() } else { SYNC_EVERY };
            let waited = self.shared.changed.wait_timeout(state, pause.max(Duration::from_millis(1)));
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        (state.queue.drain(..).collect(), state.closed)
    }

    /// Appends a batch, or loses it as the policy says.
    fn append(&mut self, waiting: &WaitingBatch) {
        self.buffer.clear();
        record::encode(waiting.route, &waiting.batch, &mut self.buffer);
        let length = self.buffer.len() as u64;
        loop {
            let room = self.shared.bytes() + length <= self.shared.cap();
            let written = if room { self.write(waiting) } else { Err(io::ErrorKind::StorageFull.into()) };
            let error = match written {
                Ok(()) => {
                    if waiting.kind == BatchKind::Report
                        && let Some(written) = waiting.batch.rest(0)
                    {
                        self.shared.state().told(waiting.route, written.last());
                    }
                    break;
                }
                Err(error) => error,
            };
            self.reclaim();
            if room && error.kind() != io::ErrorKind::StorageFull {
                self.fails(&error);
            } else {
                let policy = self.shared.options.full;
                match policy {
                    SpoolFull::DropOldest if self.drop_oldest() => continue,
                    SpoolFull::DropNewest | SpoolFull::DropOldest if !room => {
                        self.shared.state().lose(self.shared.run, waiting, DropReason::SpoolFull);
                        break;
                    }
                    _ if room => self.fails(&error),
                    _ => {}
                }
            }
            if self.shared.state().closed {
                self.shared.state().lose(self.shared.run, waiting, DropReason::WriteFailed);
                break;
            }
            std::thread::sleep(RETRY);
        }
        let mut state = self.shared.state();
        let next = waiting.batch.first_seq() + waiting.batch.events();
        state.next.insert(waiting.route, next);
        if let Some(issued) = &mut state.issued {
            issued.settled(waiting.route, next);
        }
    }

    /// Writes the buffer to the segment, or to the next one.
    fn write(&mut self, waiting: &WaitingBatch) -> io::Result<()> {
        let begin_next = core::mem::take(&mut self.shared.state().begin_next);
        if begin_next || self.current.as_ref().is_none_or(|current| current.bytes >= SEGMENT_BYTES) {
            self.begin_segment()?;
        }
        let Some(current) = &mut self.current else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(error) = current.file.write_all(&self.buffer) {
            // Whatever was written of it must not stand before the next record.
            current.file.set_len(current.bytes)?;
            return Err(error);
        }
        current.hasher.update(&self.buffer);
        let begin = SpoolPosition { segment: current.number, offset: current.bytes };
        current.bytes += self.buffer.len() as u64;
        if self.unsynced == 0 {
            self.unsynced_since = Instant::now();
        }
        self.unsynced += self.buffer.len() as u64;
        let mut state = self.shared.state();
        state.failing = false;
        state.segments.insert(current.number, current.bytes);
        let (route, batch) = (waiting.route, waiting.batch.clone());
        state.remember(RecentRecord { begin, end: current.bytes, route, batch });
        drop(state);
        self.report.works(0);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        if self.unsynced > 0 {
            self.sync();
        }
        if let Some(last) = self.current.take() {
            self.header.previous = Some(hex(&last.hasher.finalize()));
        }
        let next = self
            .shared
            .state()
            .next
            .iter()
            .map(|(route, next)| (segment::route_name(*route), *next))
            .collect();
        let header = Header { number: self.header.number + 1, next, ..self.header.clone() };
        let (file, bytes) = segment::create(self.shared.folder(), &header)?;
        segment::sync_folder(self.shared.folder())?;
        self.header = header;
        let number = self.header.number;
        let hasher = Sha256::new_with_prefix(&bytes);
        self.shared.state().segments.insert(number, bytes.len() as u64);
        self.current = Some(Current { file, number, bytes: bytes.len() as u64, hasher });
        Ok(())
    }

    /// The time until what is written has to be synced.
    fn sync_is_due_in(&self) -> Duration {
        let due = SYNC_EVERY.saturating_sub(self.unsynced_since.elapsed());
        let urgent = || URGENT_SYNC_EVERY.saturating_sub(self.synced_at.elapsed());
        if self.urgent { due.min(urgent()) } else { due }
    }

    fn sync(&mut self) {
        if let Some(current) = &self.current
            && let Err(error) = current.file.sync_data()
        {
            self.fails(&error);
        }
        self.unsynced = 0;
        self.urgent = false;
        self.synced_at = Instant::now();
    }

    fn fails(&mut self, error: &io::Error) {
        self.shared.state().failing = true;
        self.report.fails(error, super::shared::QUEUE_BYTES_MAX);
    }

    /// Removes the segments that no output needs any more.
    fn reclaim(&self) {
        let mut state = self.shared.state();
        if !state.outputs_known {
            return;
        }
        let needed =
            state.readers.iter().filter(|reader| !reader.replaced).map(|reader| reader.saved.segment).min();
        let Some(needed) = needed else { return };
        let done: Vec<u64> = state.segments.range(..needed).map(|(&number, _)| number).collect();
        for number in done {
            if std::fs::remove_file(segment::path(self.shared.folder(), number)).is_ok() {
                state.segments.remove(&number);
            }
        }
    }

    /// Removes the oldest segment, though outputs need it, and reports to them what they will not get. False if there is none
    /// but the one being written.
    fn drop_oldest(&mut self) -> bool {
        let folder = self.shared.folder();
        let oldest = self.shared.state().segments.keys().next().copied();
        let Some(oldest) = oldest.filter(|&oldest| oldest < self.header.number) else { return false };
        let held = segment::open(folder, oldest);
        let mut state = self.shared.state();
        let Some(after) = state.segments.range(oldest + 1..).next().map(|(&number, _)| number) else {
            return false;
        };
        if std::fs::remove_file(segment::path(folder, oldest)).is_err() {
            return false;
        }
        let bytes = state.segments.remove(&oldest).unwrap_or(0);
        let Ok((file, header, begin)) = held else { return true };
        let mut ends: Vec<(u64, u64)> = Vec::new();
        let _ = record::scan(&file, begin, bytes, |record| ends.push((record.route, record.next_seq)));
        for reader in state.readers.iter_mut().filter(|reader| !reader.gone && reader.place.segment <= oldest)
        {
            let end = ends.iter().rev().find(|(route, _)| *route == reader.route);
            if let Some(&(_, next_seq)) = end {
                if reader.run != Some(header.run) {
                    (reader.run, reader.next_seq) = (Some(header.run), header.next_seq(reader.route));
                }
                reader.pass_over(self.shared.run, header.run, next_seq, DropReason::SpoolFull);
            }
            reader.place = SpoolPosition { segment: after, offset: 0 };
        }
        true
    }
}
