//! The last of many.

use std::collections::VecDeque;

/// Things that are kept. Stops a stream without end from filling memory; the oldest give way.
const KEPT_MAX: usize = 1_000;

/// The last things of a kind.
#[derive(Clone, Debug)]
pub(super) struct Recent<T> {
    rows: VecDeque<T>,
    /// All that there ever were.
    pub(super) count: u64,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { rows: VecDeque::new(), count: 0 }
    }
}

impl<T> Recent<T> {
    pub(super) fn push(&mut self, row: T) {
        if self.rows.len() >= KEPT_MAX {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
        self.count = self.count.saturating_add(1);
    }

    /// The newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_give_way() {
        let mut recent = Recent::default();
        (0..KEPT_MAX + 3).for_each(|number| recent.push(number));
        assert_eq!(recent.count as usize, KEPT_MAX + 3);
        assert_eq!((recent.newest().next(), recent.newest().last()), (Some(&(KEPT_MAX + 2)), Some(&3)));
    }
}
