//! A table of names with counts, up to a cap.

use std::collections::HashMap;

use serde::{Serialize, Serializer};
use smol_str::SmolStr;

/// Names of a table at most. Stops peers that invent names from filling memory; the counts of further names are added up.
const NAMES_MAX: usize = 50_000;
/// Bytes of a table's names at most. Stops peers whose names are long, likewise.
const NAMES_BYTES_MAX: usize = 4 << 20;
/// Rows of a table that a page has.
const SHOWN: usize = 25;
/// Bytes of a name that are kept.
const NAME_BYTES_MAX: usize = 1_024;

/// The beginning of a name, as much as is kept of it.
pub(super) fn kept_of(name: &str) -> &str {
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name)
}

/// The counts of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Transfers, logins or whatever the table counts.
    pub(super) count: u64,
    /// Of those, what did not succeed.
    pub(super) failed: u64,
    /// Bytes from clients.
    pub(super) bytes_up: u64,
    /// Bytes from servers.
    pub(super) bytes_down: u64,
}

impl Counts {
    /// Adds counts to these.
    pub(super) fn add(&mut self, more: Self) {
        self.count = self.count.saturating_add(more.count);
        self.failed = self.failed.saturating_add(more.failed);
        self.bytes_up = self.bytes_up.saturating_add(more.bytes_up);
        self.bytes_down = self.bytes_down.saturating_add(more.bytes_down);
    }

    /// Bytes of both directions.
    pub(super) fn bytes(self) -> u64 {
        self.bytes_up.saturating_add(self.bytes_down)
    }
}

/// The order of a table's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RankBy {
    /// The most bytes first.
    #[default]
    Bytes,
    /// The most counted first.
    Count,
    /// The most that did not succeed first.
    Failed,
    /// By name.
    Name,
}

impl RankBy {
    /// All orders.
    pub(super) const ALL: [Self; 4] = [Self::Bytes, Self::Count, Self::Failed, Self::Name];

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Count => "count",
            Self::Failed => "failed",
            Self::Name => "name",
        }
    }
}

/// The table.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranking {
    names: HashMap<SmolStr, Counts>,
    /// The bytes of the names.
    bytes: usize,
    /// The counts of names that had no room.
    others: Counts,
}

/// A row of a table.
#[derive(Serialize)]
pub(super) struct Row<'t> {
    /// The name.
    pub(super) name: &'t str,
    /// Its counts.
    #[serde(flatten)]
    pub(super) counts: Counts,
}

impl Ranking {
    /// Adds to the counts of a name.
    pub(super) fn add(&mut self, name: &str, more: Counts) {
        let name = kept_of(name);
        if let Some(counts) = self.names.get_mut(name) {
            counts.add(more);
        } else if self.names.len() < NAMES_MAX && self.bytes + name.len() <= NAMES_BYTES_MAX {
            self.bytes += name.len();
            self.names.insert(name.into(), more);
        } else {
            self.others.add(more);
        }
    }

    /// The first rows, for a page: the most bytes, then the most counted, then by name.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        self.sorted(RankBy::Bytes, SHOWN)
    }

    /// All rows, in the same order.
    pub(super) fn all(&self) -> Vec<Row<'_>> {
        self.sorted(RankBy::Bytes, NAMES_MAX)
    }

    /// The first so many rows in an order; equal ones by their bytes, their counts and their names.
    pub(super) fn sorted(&self, by: RankBy, most: usize) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> =
            self.names.iter().map(|(name, counts)| Row { name, counts: *counts }).collect();
        rows.sort_by(|a, b| {
            let of = |row: &Row<'_>| (row.counts.bytes(), row.counts.count);
            let first = match by {
                RankBy::Bytes => core::cmp::Ordering::Equal,
                RankBy::Count => b.counts.count.cmp(&a.counts.count),
                RankBy::Failed => b.counts.failed.cmp(&a.counts.failed),
                RankBy::Name => a.name.cmp(b.name),
            };
            first.then_with(|| of(b).cmp(&of(a))).then_with(|| a.name.cmp(b.name))
        });
        rows.truncate(most);
        rows
    }

    /// The counts of a name.
    pub(super) fn get(&self, name: &str) -> Option<Counts> {
        self.names.get(name).copied()
    }

    /// The number of names.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The counts of names that had no room.
    pub(super) const fn others(&self) -> Counts {
        self.others
    }
}

/// All its rows, and how many names there are.
impl Serialize for Ranking {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Table<'t> {
            names: usize,
            rows: Vec<Row<'t>>,
            others: Counts,
        }
        Table { names: self.len(), rows: self.all(), others: self.others }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_cap_are_added_up() {
        let mut ranking = Ranking::default();
        let one = Counts { count: 1, bytes_up: 2, ..Counts::default() };
        for number in 0..NAMES_MAX + 7 {
            ranking.add(&number.to_string(), one);
        }
        ranking.add("3", Counts { bytes_down: 9, ..one });
        assert_eq!((ranking.len(), ranking.others().count, ranking.rows().len()), (NAMES_MAX, 7, SHOWN));
        let rows = ranking.rows();
        assert_eq!((rows[0].name, rows[0].counts.count, rows[0].counts.bytes()), ("3", 2, 13));
    }

    #[test]
    fn long_names_have_no_more_room_than_short_ones() {
        let mut ranking = Ranking::default();
        let one = Counts { count: 1, ..Counts::default() };
        for number in 0..NAMES_MAX {
            ranking.add(&format!("{number:NAME_BYTES_MAX$}"), one);
        }
        let kept = NAMES_BYTES_MAX / NAME_BYTES_MAX;
        assert_eq!((ranking.len(), ranking.others().count), (kept, (NAMES_MAX - kept) as u64));
    }
}
