//! Tables of detectors: a cap, and the longest untouched entry gives way.

use core::hash::Hash;
use core::num::NonZeroUsize;
use core::ops::AddAssign;

use lru::LruCache;

/// The fill of the tables of a detector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Entries.
    pub used: u64,
    /// Most entries.
    pub cap: u64,
    /// Entries that gave way to others: what they held is not counted any more.
    pub forgotten: u64,
}

impl AddAssign for Fill {
    fn add_assign(&mut self, other: Self) {
        self.used += other.used;
        self.cap += other.cap;
        self.forgotten += other.forgotten;
    }
}

/// State by key. The cap stops whoever makes up addresses, users or sessions: at the cap the longest untouched entry gives way.
pub(super) struct Table<K: Hash + Eq, V> {
    entries: LruCache<K, V>,
    forgotten: u64,
}

impl<K: Hash + Eq, V> Table<K, V> {
    /// An empty table for `cap` entries, at least one.
    pub(super) fn new(cap: usize) -> Self {
        let cap = NonZeroUsize::new(cap).unwrap_or(NonZeroUsize::MIN);
        // It grows as entries come.
        let mut entries = LruCache::unbounded();
        entries.resize(cap);
        Self { entries, forgotten: 0 }
    }

    /// The entry of a key, made where there is none.
    pub(super) fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        if self.entries.len() == self.entries.cap().get() && !self.entries.contains(&key) {
            self.entries.pop_lru();
            self.forgotten += 1;
        }
        self.entries.get_or_insert_mut(key, V::default)
    }

    /// The entry of a key.
    #[inline]
    pub(super) fn find(&mut self, key: &K) -> Option<&mut V> {
        // Tables of what is rare are empty nearly always: no hash is made.
        if self.is_empty() { None } else { self.entries.get_mut(key) }
    }

    /// Takes the entry of a key out.
    #[inline]
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        if self.is_empty() { None } else { self.entries.pop(key) }
    }

    /// There are no entries.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Its fill.
    pub(super) fn fill(&self) -> Fill {
        Fill {
            used: self.entries.len() as u64,
            cap: self.entries.cap().get() as u64,
            forgotten: self.forgotten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_cap_the_longest_untouched_entry_gives_way() {
        let mut table: Table<u32, u32> = Table::new(3);
        for key in 0..3 {
            *table.entry(key) += 1;
        }
        *table.entry(0) += 1;
        table.entry(3);
        assert_eq!(table.find(&1), None);
        assert_eq!((table.find(&0).copied(), table.find(&3).copied()), (Some(2), Some(0)));
        assert_eq!(table.fill(), Fill { used: 3, cap: 3, forgotten: 1 });
        assert_eq!(table.remove(&0), Some(2));
        assert_eq!(table.fill().used, 2);
    }
}
