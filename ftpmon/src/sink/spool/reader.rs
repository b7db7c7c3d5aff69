//! An output's way through the spool.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftpmon_event::{DropReason, RunId};
use tracing::{error, warn};

use super::super::batch::LineBatch;
use super::super::spool_position::{Behind, SpoolPosition};
use super::cursor::Cursor;
use super::record::{self, SpoolRecord};
use super::segment::{self, Header};
use super::shared::{Lose, ReaderState, RecentRecord, Shared};

/// The shortest time between two writes of a cursor.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Reads the events of one route, from where its output had come to.
pub(in crate::sink) struct SpoolReader {
    shared: Arc<Shared>,
    output: String,
    /// The output among the spool's readers.
    index: usize,
    route: u64,
    open: Option<Open>,
    accepted: Option<Behind>,
    saved_at: Instant,
}

struct Open {
    number: u64,
    file: File,
    header: Header,
    /// The begin of its records.
    begin: u64,
}

impl Drop for SpoolReader {
    fn drop(&mut self) {
        if let Some(reader) = self.shared.state().readers.get_mut(self.index) {
            reader.gone = true;
        }
    }
}

impl SpoolReader {
    /// A reader for `output`, whose losses are reported by `lose`. A new one begins with this
    /// run.
    pub(super) fn new(shared: Arc<Shared>, output: String, route: u64, lose: Lose) -> Self {
        let known = Cursor::load(shared.folder(), &output);
        let mut state = shared.state();
        if known.is_some() && !state.readers.iter().any(|reader| reader.output == output) {
            let of_route = state.unwritten.iter().filter(|unwritten| unwritten.route == route);
            of_route.for_each(|left| {
                lose(Some(left.run), left.missing, left.missing.first, DropReason::WriteFailed);
            });
        }
        let newest = state.segments.keys().next_back().copied().unwrap_or(0);
        let place = SpoolPosition { segment: newest, offset: 0 };
        let cursor =
            known.unwrap_or_else(|| Cursor { output: output.clone(), place, run: None, next_seq: 0 });
        // The next run has to know it, though it may never have had an event.
        if let Err(error) = cursor.save(shared.folder()) {
            warn!("spool: cannot write the cursor of {output}: {error}");
        }
        let Cursor { place, run, next_seq, .. } = cursor;
        // An output that a reload gave other settings.
        state
            .readers
            .iter_mut()
            .filter(|reader| reader.output == output)
            .for_each(|reader| reader.replaced = true);
        let index = state.readers.len();
        state.readers.push(ReaderState {
            output: output.clone(),
            route,
            place,
            run,
            next_seq,
            saved: place,
            gone: false,
            replaced: false,
            lose,
            unread: Vec::new(),
        });
        drop(state);
        Self { shared, output, index, route, open: None, accepted: None, saved_at: Instant::now() }
    }

    /// The next batch; none if everything was read.
    pub(in crate::sink) fn next(&mut self) -> Option<LineBatch> {
        loop {
            let (place, limit, after) = self.position()?;
            let Some(limit) = limit else {
                // Renamed, or given up by the writer, which reported what was in it.
                self.go_to(after?);
                continue;
            };
            if let Some(recent) = self.recent(place) {
                match recent {
                    Some(batch) => return Some(batch),
                    None => continue,
                }
            }
            match self.read(place, limit) {
                Ok(Some(record)) => {
                    if let Some(batch) = self.batch_of(record, place.segment) {
                        return Some(batch);
                    }
                }
                Ok(None) => self.go_to(after?),
                Err(error) => {
                    self.give_up(place, &error);
                    after?;
                }
            }
        }
    }

    /// `run`, if it is not this one.
    pub(in crate::sink) fn earlier_run(&self, run: RunId) -> Option<RunId> {
        (run != self.shared.run).then_some(run)
    }

    /// Waits for more, for `pause` at most.
    pub(in crate::sink) fn wait(&self, pause: Duration) {
        self.shared.wait(pause);
    }

    /// Its output has everything that was read.
    pub(in crate::sink) fn accept_all(&mut self) {
        let state = self.shared.state();
        let behind = state.readers.get(self.index).and_then(|reader| {
            let moved = reader.place != reader.saved;
            moved.then_some(Behind { place: reader.place, run: reader.run?, next_seq: reader.next_seq })
        });
        drop(state);
        if let Some(behind) = behind {
            self.accept(behind);
        }
    }

    /// Its output has everything up to there.
    pub(in crate::sink) fn accept(&mut self, behind: Behind) {
        if behind.run == self.shared.run
            && let Some(reader) = self.shared.state().readers.get_mut(self.index)
        {
            reader.has(behind.next_seq);
        }
        self.accepted = Some(behind);
        if self.saved_at.elapsed() >= SAVE_EVERY {
            self.save();
        }
    }

    /// Writes the cursor, where it has moved.
    pub(in crate::sink) fn save(&mut self) {
        let Some(Behind { place, run, next_seq }) = self.accepted.take() else { return };
        self.saved_at = Instant::now();
        let cursor = Cursor { output: self.output.clone(), place, run: Some(run), next_seq };
        match cursor.save(self.shared.folder()) {
            Ok(()) => {
                if let Some(reader) = self.shared.state().readers.get_mut(self.index) {
                    reader.saved = place;
                }
            }
            // The next one may do; until then events may come twice after a restart.
            Err(_) => self.accepted = Some(Behind { place, run, next_seq }),
        }
    }

    /// The next place to read, how many bytes its segment has, and the segment after it.
    fn position(&self) -> Option<(SpoolPosition, Option<u64>, Option<u64>)> {
        let state = self.shared.state();
        let place = state.readers.get(self.index)?.place;
        let limit = state.segments.get(&place.segment).copied();
        let after = state.segments.range(place.segment + 1..).next().map(|(&number, _)| number);
        Some((place, limit, after))
    }

    /// Moves past a record that is still in memory, if the next one is: an output that keeps up reads nothing from the disk. Its batch, if it
    /// belongs to this route.
    fn recent(&mut self, place: SpoolPosition) -> Option<Option<LineBatch>> {
        let run = self.shared.run;
        let mut state = self.shared.state();
        let RecentRecord { end, route, batch, .. } = state.recent(place)?;
        let reader = state.readers.get_mut(self.index).filter(|reader| reader.place == place)?;
        reader.place = SpoolPosition { segment: place.segment, offset: end };
        if route != self.route {
            return Some(None);
        }
        let next_seq = batch.first_seq() + batch.events();
        (reader.run, reader.next_seq) = (Some(run), next_seq);
        Some(Some(batch.with_place(Behind { place: reader.place, run, next_seq })))
    }

    fn go_to(&mut self, segment: u64) {
        if let Some(reader) = self.shared.state().readers.get_mut(self.index) {
            reader.place = SpoolPosition { segment, offset: 0 };
        }
    }

    fn read(&mut self, place: SpoolPosition, limit: u64) -> io::Result<Option<SpoolRecord>> {
        if self.open.as_ref().is_none_or(|open| open.number != place.segment) {
            let (file, header, begin) = segment::open(self.shared.folder(), place.segment)?;
            self.open = Some(Open { number: place.segment, file, header, begin });
        }
        let Some(open) = &self.open else { return Ok(None) };
        record::read(&open.file, place.offset.max(open.begin), limit)
    }

    /// Moves past a record. Returns its batch if it belongs to this route.
    fn batch_of(&mut self, record: SpoolRecord, segment: u64) -> Option<LineBatch> {
        let run = self.open.as_ref()?.header.run;
        let behind = SpoolPosition { segment, offset: record.end };
        let mut state = self.shared.state();
        let reader = state.readers.get_mut(self.index)?;
        if reader.place.segment != segment {
            // The writer gave the segment up meanwhile, and has reported what was in it.
            return None;
        }
        reader.place = behind;
        if record.route != self.route {
            return None;
        }
        (reader.run, reader.next_seq) = (Some(run), record.next_seq);
        Some(record.batch.with_place(Behind { place: behind, run, next_seq: record.next_seq }))
    }

    /// A segment is damaged: it is set aside, and what was in it is missing.
    fn give_up(&mut self, place: SpoolPosition, error: &io::Error) {
        let damaged = self.open.take().map(|open| open.header);
        let folder = self.shared.folder().clone();
        let mut state = self.shared.state();
        let newest = state.segments.keys().next_back().copied();
        if state.segments.remove(&place.segment).is_some() {
            let aside = segment::set_aside(&folder, place.segment);
            let aside = aside.map_or_else(|error| error.to_string(), |path| path.display().to_string());
            error!("spool: segment {} is damaged: {error}; set aside as {aside}", place.segment);
            if newest == Some(place.segment) {
                // The writer continues in the next one; nothing that is written meanwhile is read before.
                state.begin_next = true;
            }
        }
        // Up to where the next segment of the same run begins.
        let after = state.segments.range(place.segment + 1..).next().map(|(&number, _)| number);
        let begins =
            after.and_then(|number| segment::open(&folder, number).ok()).map(|(_, header, _)| header);
        let own = self.shared.run;
        let route = self.route;
        let current = state.next.get(&route).copied().unwrap_or(0);
        let Some(reader) = state.readers.get_mut(self.index) else { return };
        let run = damaged.as_ref().map(|header| header.run).or(reader.run);
        if let Some(run) = run {
            if let Some(header) = &damaged
                && reader.run != Some(run)
            {
                (reader.run, reader.next_seq) = (Some(run), header.next_seq(route));
            }
            let next_seq = match &begins {
                Some(next) if next.run == run => next.next_seq(route),
                None if run == own => current,
                // What another run's last segment held is not known beyond this.
                _ => reader.next_seq + 1,
            };
            reader.pass_over(own, run, next_seq, DropReason::WriteFailed);
        }
        reader.place = SpoolPosition { segment: place.segment + 1, offset: 0 };
    }
}
