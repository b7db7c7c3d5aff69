//! The numbers of the events that the spool was given and of those that it has, in a mapped file: it outlives a kill of the agent, and the next run
//! tells what was still in memory then.
//!
//! | bytes | |
//! |---|---|
//! | 8 | the run, little-endian as all numbers |
//! | 40 | the kernel's id of the boot: after another one the file says nothing |
//! | 24 each, from 64 on | a route, `seq` after its last event that was given, and after the last one that was written or reported as lost |

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ftpmon_event::RunId;
use memmap2::MmapRaw;

use super::super::batch::SeqRange;
use crate::boot::boot_id;

/// The file's name and size.
const NAME: &str = "issued";
const BYTES: usize = 4096;
const BOOT_AT: usize = 8;
const BOOT_BYTES: usize = 40;
const ENTRIES_AT: usize = 64;
const ENTRY_BYTES: usize = 24;
/// Routes beyond this are not told: a configuration has a few.
const ROUTES_MAX: usize = (BYTES - ENTRIES_AT) / ENTRY_BYTES;

/// Events of a route that an earlier run had in memory when it was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unwritten {
    pub(super) route: u64,
    pub(super) run: RunId,
    pub(super) missing: SeqRange,
}

impl Unwritten {
    /// The same without what was found in the spool: the run was killed between writing it and saying so.
    pub(super) fn beyond(self, run: RunId, written: &BTreeMap<u64, u64>) -> Option<Self> {
        let found = written.get(&self.route).filter(|_| self.run == run).copied().unwrap_or(0);
        let first = self.missing.first.max(found);
        let count =
            (self.missing.first + self.missing.count).checked_sub(first).filter(|&count| count > 0)?;
        Some(Self { missing: SeqRange { first, count }, ..self })
    }
}

/// The file of this run.
#[derive(Debug)]
pub(super) struct Issued {
    map: MmapRaw,
    /// The routes in the order of their entries.
    routes: Vec<u64>,
}

impl Issued {
    /// Begins the file of a run. Returns what the one before it leaves.
    ///
    /// # Errors
    /// The directory takes no file.
    pub(super) fn begin(folder: &Path, run: RunId) -> io::Result<(Self, Vec<Unwritten>)> {
        let path = folder.join(NAME);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let boot = boot_text();
        let left = left(&mut file, &boot);
        let mut begin = vec![0; BYTES];
        for (place, bytes) in [(0, &run.0.to_le_bytes()[..]), (BOOT_AT, &boot)] {
            if let Some(room) = begin.get_mut(place..place + bytes.len()) {
                room.copy_from_slice(bytes);
            }
        }
        // Written, so that the disk has its blocks: a mapped page without one ends the process.
        std::os::unix::fs::FileExt::write_all_at(&file, &begin, 0)?;
        file.set_len(BYTES as u64)?;
        Ok((Self { map: MmapRaw::map_raw(&file)?, routes: Vec::new() }, left))
    }

    /// The spool was given a route's events from `first` up to `next`.
    pub(super) fn given(&mut self, route: u64, first: u64, next: u64) {
        if !self.routes.contains(&route) {
            self.settled(route, first);
        }
        self.set(route, 8, next);
    }

    /// A route's events up to `next` are written, or reported as lost.
    pub(super) fn settled(&mut self, route: u64, next: u64) {
        self.set(route, 16, next);
    }

    fn set(&mut self, route: u64, field: usize, value: u64) {
        let place = match self.routes.iter().position(|known| *known == route) {
            Some(place) => place,
            None if self.routes.len() < ROUTES_MAX => {
                self.routes.push(route);
                self.put(ENTRIES_AT + (self.routes.len() - 1) * ENTRY_BYTES, route);
                self.routes.len() - 1
            }
            None => return,
        };
        self.put(ENTRIES_AT + place * ENTRY_BYTES + field, value);
    }

    fn put(&self, at: usize, value: u64) {
        if at + size_of::<u64>() > self.map.len() {
            return;
        }
        // SAFETY: the eight bytes lie in the mapping, which is this object's, and nobody has a reference into it.
        unsafe { self.map.as_mut_ptr().add(at).cast::<u64>().write_unaligned(value.to_le()) };
    }
}

fn boot_text() -> Vec<u8> {
    let mut boot = boot_id().map(|id| id.to_vec()).unwrap_or_default();
    boot.resize(BOOT_BYTES, 0);
    boot
}

/// The routes of which the last run of this boot had events in memory.
fn left(file: &mut File, boot: &[u8]) -> Vec<Unwritten> {
    let mut bytes = Vec::new();
    let read = file.take(BYTES as u64).read_to_end(&mut bytes);
    let number = |at: usize| {
        let eight = bytes.get(at..at + size_of::<u64>())?;
        Some(u64::from_le_bytes(eight.try_into().ok()?))
    };
    if read.is_err() || bytes.get(BOOT_AT..BOOT_AT + BOOT_BYTES) != Some(boot) {
        return Vec::new();
    }
    let entry = |place: usize| {
        let at = ENTRIES_AT + place * ENTRY_BYTES;
        let (route, given, settled) = (number(at)?, number(at + 8)?, number(at + 16)?);
        let count = given.checked_sub(settled).filter(|&count| count > 0)?;
        let missing = SeqRange { first: settled, count };
        Some(Unwritten { route, run: RunId(number(0)?), missing })
    };
    (0..ROUTES_MAX).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "files")]
    fn the_next_run_is_told_what_was_given_and_not_settled() {
        let folder = std::env::temp_dir().join(format!("ftpmon-issued-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (mut first, left) = Issued::begin(&folder, RunId(1)).unwrap();
        assert_eq!(left, []);
        first.given(7, 5, 10);
        first.given(8, 0, 4);
        first.settled(7, 6);
        first.settled(8, 4);
        let (_second, left) = Issued::begin(&folder, RunId(2)).unwrap();
        let missing = SeqRange { first: 6, count: 4 };
        let unwritten = Unwritten { route: 7, run: RunId(1), missing };
        assert_eq!(left, [unwritten]);
        let found = BTreeMap::from([(7, 8)]);
        let rest = Unwritten { missing: SeqRange { first: 8, count: 2 }, ..unwritten };
        assert_eq!(unwritten.beyond(RunId(1), &found), Some(rest));
        assert_eq!(unwritten.beyond(RunId(9), &found), Some(unwritten), "of another run");
        assert_eq!(unwritten.beyond(RunId(1), &BTreeMap::from([(7, 10)])), None);
        assert_eq!(Issued::begin(&folder, RunId(3)).unwrap().1, [], "once");
        // What another program left there is nothing.
        std::fs::write(folder.join(NAME), "short").unwrap();
        assert_eq!(Issued::begin(&folder, RunId(4)).unwrap().1, []);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
