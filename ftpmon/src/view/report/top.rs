//! A table of names with counts, up to a cap.

use std::collections::HashMap;

use serde::{Serialize, Serializer};
use smol_str::SmolStr;

/// Names of a table at most. Stops peers that invent names from filling memory; the counts of further names are added up.
const NAMES_MAX: usize = 50_000;
/// Rows of a table that are shown.
const SHOWN: usize = 25;
/// Bytes of a name that are kept.
const NAME_BYTES_MAX: usize = 1_024;

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

/// The table.
#[derive(Debug, Default)]
pub(super) struct Top {
    names: HashMap<SmolStr, Counts>,
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

impl Top {
    /// Adds to the counts of a name.
    pub(super) fn add(&mut self, name: &str, more: Counts) {
        let mut end = name.len().min(NAME_BYTES_MAX);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let name = name.get(..end).unwrap_or(name);
        if let Some(counts) = self.names.get_mut(name) {
            counts.add(more);
        } else if self.names.len() < NAMES_MAX {
            self.names.insert(name.into(), more);
        } else {
            self.others.add(more);
        }
    }

    /// The first rows: the most bytes, then the most counted, then by name.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> =
            self.names.iter().map(|(name, counts)| Row { name, counts: *counts }).collect();
        rows.sort_by(|a, b| {
            let of = |row: &Row<'_>| (row.counts.bytes(), row.counts.count);
            of(b).cmp(&of(a)).then_with(|| a.name.cmp(b.name))
        });
        rows.truncate(SHOWN);
        rows
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

/// Its first rows, and how many names there are.
impl Serialize for Top {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Table<'t> {
            names: usize,
            rows: Vec<Row<'t>>,
            others: Counts,
        }
        Table { names: self.len(), rows: self.rows(), others: self.others }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_cap_are_added_up() {
        let mut top = Top::default();
        let one = Counts { count: 1, bytes_up: 2, ..Counts::default() };
        for number in 0..NAMES_MAX + 7 {
            top.add(&number.to_string(), one);
        }
        top.add("3", Counts { bytes_down: 9, ..one });
        assert_eq!((top.len(), top.others().count, top.rows().len()), (NAMES_MAX, 7, SHOWN));
        let rows = top.rows();
        assert_eq!((rows[0].name, rows[0].counts.count, rows[0].counts.bytes()), ("3", 2, 13));
    }
}
