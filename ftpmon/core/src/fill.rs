//! The fill of every container of an engine beside its cap: for tests and fuzzing, which prove the caps. It visits every connection:
//! the counters have what `stats` needs.

use std::collections::BTreeMap;

use crate::event::TableFill;

/// Of each kind of container the one that is closest to its cap, by a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fills(BTreeMap<&'static str, TableFill>);

impl Fills {
    /// Notes a container of this kind.
    pub(crate) fn note(&mut self, name: &'static str, used: usize, cap: usize) {
        let fill = TableFill { used: used as u64, cap: cap as u64 };
        let fullest = self.0.entry(name).or_insert(fill);
        // By how much it is over its cap, or below: caps of one kind may differ.
        let over = |it: &TableFill| i128::from(it.used) - i128::from(it.cap);
        if over(&fill) > over(fullest) {
            *fullest = fill;
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, TableFill)> {
        self.0.iter().map(|(name, fill)| (*name, *fill))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_is_closest_to_its_cap_stays() {
        let mut fills = Fills::default();
        for (used, cap) in [(1, 9), (7, 9), (8, 20), (2, 3), (0, 0)] {
            fills.note("a", used, cap);
        }
        let all: Vec<_> = fills.iter().map(|(name, fill)| (name, fill.used, fill.cap)).collect();
        assert_eq!(all, [("a", 0, 0)]);
        fills.note("a", 4, 3);
        assert_eq!(fills.iter().next().unwrap().1, TableFill { used: 4, cap: 3 });
    }
}
