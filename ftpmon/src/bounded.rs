//! A table that never grows beyond its cap.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::{Equivalent, HashMap};

/// Values by key; at the cap the oldest key is evicted.
pub(crate) struct BoundedMap<K, V> {
    values: HashMap<K, V>,
    /// The keys in the order in which they came.
    order: VecDeque<K>,
    cap: usize,
}

impl<K: Clone + Eq + Hash, V> BoundedMap<K, V> {
    /// A table of at most `cap` keys.
    pub(crate) fn new(cap: usize) -> Self {
        Self { values: HashMap::new(), order: VecDeque::new(), cap }
    }

    /// Puts a value in the place of the one that the key has, or adds it.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.values.insert(key.clone(), value).is_some() {
            return;
        }
        self.order.push_back(key);
        while self.order.len() > self.cap {
            if let Some(oldest) = self.order.pop_front() {
                self.values.remove(&oldest);
            }
        }
    }

    /// The key's value.
    pub(crate) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<&V> {
        self.values.get(key)
    }

    /// The key's value.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.values.get_mut(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way() {
        let mut table = BoundedMap::new(3);
        for n in 0..1000 {
            table.insert(n, n * 2);
            assert!(table.order.len() <= 3 && table.values.len() == table.order.len());
        }
        assert_eq!((table.get(&999), table.get(&997), table.get(&996)), (Some(&1998), Some(&1994), None));
    }

    #[test]
    fn a_known_key_gets_another_value_and_takes_no_room() {
        let mut table = BoundedMap::new(2);
        for n in 0..1000 {
            table.insert("a", n);
        }
        table.insert("b", 0);
        assert_eq!((table.order.len(), table.get(&"a")), (2, Some(&999)));
    }
}
