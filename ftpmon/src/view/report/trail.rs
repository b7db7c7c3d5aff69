//! The records of a page, and what was kept of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ftpmon_event::EventLine;
use serde::{Serialize, Serializer};
use smol_str::SmolStr;

use super::audit::AuditEntry;

/// Records that a page has: the latest. Stops a file of months from making a page that no browser opens; `--audit` writes all.
const RECORDS_MAX: usize = 20_000;
/// Bytes of their users and paths at most: 200 each. Stops peers whose names are long, likewise; the oldest records give way.
const RECORDS_BYTES_MAX: usize = 4 << 20;
/// Days that are told apart, ten years. Stops times that a file invents.
const DAYS_MAX: usize = 3_700;
/// Runs that are told apart.
const RUNS_MAX: usize = 10_000;
const DAY_S: i64 = 86_400;

/// The records, and the days and runs of which there are events.
#[derive(Debug, Default)]
pub(super) struct Trail {
    records: VecDeque<AuditEntry>,
    /// The bytes of their users and paths.
    bytes: usize,
    /// All records.
    pub(super) count: u64,
    /// By action: those that succeeded, and the others.
    pub(super) actions: BTreeMap<&'static str, [u64; 2]>,
    /// Events by the number of their day since the epoch.
    days: BTreeMap<i64, u64>,
    runs: BTreeSet<(SmolStr, u64)>,
}

impl Trail {
    /// Takes an event.
    pub(super) fn push(&mut self, line: &EventLine) {
        let day = line.event.ts.seconds().div_euclid(DAY_S);
        if self.days.len() < DAYS_MAX || self.days.contains_key(&day) {
            *self.days.entry(day).or_default() += 1;
        }
        if self.runs.len() < RUNS_MAX {
            self.runs.insert((line.origin.sensor.as_str().into(), line.origin.run.0));
        }
        let Some(record) = AuditEntry::of(&line.event) else { return };
        self.count += 1;
        let [good, bad] = self.actions.entry(record.action).or_default();
        *if record.result == "success" { good } else { bad } += 1;
        self.bytes += record.text_bytes();
        self.records.push_back(record);
        while self.records.len() > RECORDS_MAX || self.bytes > RECORDS_BYTES_MAX {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= oldest.text_bytes();
        }
    }

    /// The records that are kept, in the order of the files.
    pub(super) fn records(&self) -> impl Iterator<Item = &AuditEntry> {
        self.records.iter()
    }

    /// The number of records that are kept.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Days with events, and days between the first and the last of them.
    pub(super) fn days(&self) -> (usize, i64) {
        let ends = self.days.first_key_value().zip(self.days.last_key_value());
        (self.days.len(), ends.map_or(0, |((first, _), (last, _))| last - first + 1))
    }

    /// The first days between the first and the last without events, seconds since the epoch.
    pub(super) fn silent_days(&self, most: usize) -> Vec<i64> {
        let pairs = self.days.keys().zip(self.days.keys().skip(1));
        let between = pairs.flat_map(|(day, next)| (day + 1)..*next);
        between.take(most).map(|day| day * DAY_S).collect()
    }

    /// The number of runs, and of sensors.
    pub(super) fn runs(&self) -> (usize, usize) {
        let sensors: BTreeSet<&str> = self.runs.iter().map(|(sensor, _)| sensor.as_str()).collect();
        (self.runs.len(), sensors.len())
    }
}

/// The numbers of its records; the records themselves are what `--audit` writes.
impl Serialize for Trail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Counts {
            success: u64,
            other: u64,
        }
        #[derive(Serialize)]
        struct Numbers<'t> {
            records: u64,
            actions: BTreeMap<&'t str, Counts>,
            days_with_events: usize,
            days: i64,
            runs: usize,
            sensors: usize,
        }
        let actions = self
            .actions
            .iter()
            .map(|(action, [success, other])| (*action, Counts { success: *success, other: *other }));
        let ((days_with_events, days), (runs, sensors)) = (self.days(), self.runs());
        let numbers = Numbers {
            records: self.count,
            actions: actions.collect(),
            days_with_events,
            days,
            runs,
            sensors,
        };
        numbers.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn line(millis: i64) -> EventLine {
        let event = sample::event(&sample::identity("0000000000000001"), millis, sample::transfer(1));
        EventLine { origin: sample::origin("s"), seq: 0, event }
    }

    #[test]
    fn the_latest_records_are_kept_and_all_are_counted() {
        let mut trail = Trail::default();
        for number in 0..RECORDS_MAX + 2 {
            trail.push(&line(i64::try_from(number).unwrap_or(0)));
        }
        assert_eq!((trail.len(), trail.count as usize), (RECORDS_MAX, RECORDS_MAX + 2));
        assert_eq!(trail.records().next().map(|record| record.at), Some(line(2).event.ts));
        assert_eq!((trail.actions.get("download").copied(), trail.runs()), (Some([20_002, 0]), (1, 1)));
    }

    #[test]
    fn long_names_have_no_more_room_than_short_ones() {
        let mut trail = Trail::default();
        let mut long = line(0);
        if let ftpmon_event::EventKind::Transfer(told) = &mut long.event.kind {
            told.transfer.path = Some("x".repeat(RECORDS_BYTES_MAX / 4).into());
        }
        (0..9).for_each(|_| trail.push(&long));
        // Users have room too.
        assert_eq!((trail.len(), trail.count), (3, 9));
        assert!(trail.bytes <= RECORDS_BYTES_MAX);
    }

    #[test]
    fn days_without_events_are_told() {
        let mut trail = Trail::default();
        for day in [0, 1, 4] {
            trail.push(&line(day * DAY_S * 1_000));
        }
        assert_eq!(trail.days(), (3, 5));
        let first = line(0).event.ts.seconds().div_euclid(DAY_S) * DAY_S;
        assert_eq!(trail.silent_days(9), [first + 2 * DAY_S, first + 3 * DAY_S]);
        assert_eq!(trail.silent_days(1).len(), 1);
    }
}
