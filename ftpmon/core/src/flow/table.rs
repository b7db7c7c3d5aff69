//! The flow table: entries by connection, and for each class of entries a list in the order of last activity.
//!
//! Look-up, touch, insertion and removal take constant time whatever the number of entries; the longest idle entry of a
//! class is at hand for expiry and eviction.

use core::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use super::key::FlowKey;
use crate::time::Timestamp;

/// The time of the latest packet, which never steps back, and its index in the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) index: u64,
}

/// A handle on an entry; it outlives the entry without ever meaning another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FlowId {
    index: u32,
    generation: u32,
}

impl FlowId {
    /// The place of the entry in the table; another entry may have it later.
    pub(crate) const fn slot(self) -> u32 {
        self.index
    }

    /// The handle as a number.
    pub(crate) const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The handle of a number.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// The purpose of an entry; decides how long it may be idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A control connection with a session.
    Control,
    /// Any other live connection.
    Other,
    /// A connection that ended, and may turn out to be a data connection when what announced it is found to be missing.
    Unclaimed,
    /// A connection that ended: kept for a moment, so that its late packets start nothing new.
    Ended,
}

impl Class {
    /// Every class.
    pub(crate) const ALL: [Self; CLASSES] = [Self::Control, Self::Other, Self::Unclaimed, Self::Ended];
}

const CLASSES: usize = 4;

const NIL: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct List {
    front: u32,
    back: u32,
    len: u32,
    /// The longest time that an entry may be idle, nanoseconds.
    idle_ns: i64,
}

/// Neighbours in the list of an entry's class.
#[derive(Clone, Copy)]
struct Link {
    prev: u32,
    next: u32,
}

struct Slot<T> {
    key: FlowKey,
    generation: u32,
    class: Class,
    last: Timestamp,
    /// Index of the packet that touched it last.
    touched: u64,
    value: Option<T>,
}

/// The lists by class.
struct Lists([List; CLASSES]);

impl Lists {
    const fn of(&self, class: Class) -> &List {
        let Self([control, other, unclaimed, ended]) = self;
        match class {
            Class::Control => control,
            Class::Other => other,
            Class::Unclaimed => unclaimed,
            Class::Ended => ended,
        }
    }

    const fn of_mut(&mut self, class: Class) -> &mut List {
        let Self([control, other, unclaimed, ended]) = self;
        match class {
            Class::Control => control,
            Class::Other => other,
            Class::Unclaimed => unclaimed,
            Class::Ended => ended,
        }
    }
}

/// The flow table. It has no cap of its own: the caller asks [`FlowTable::len`] before it inserts, and evicts at its cap.
pub(crate) struct FlowTable<T> {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    slots: Vec<Slot<T>>,
    /// Beside the slots, since the neighbours of an entry that is touched are those of others: many links share a line of
    /// a processor's cache, slots none.
    links: Vec<Link>,
    free: Vec<u32>,
    lists: Lists,
    /// The entry that was found last, as long as it is there.
    latest: Option<(FlowKey, FlowId)>,
    /// Before this time no entry has been idle too long.
    idle_until: Timestamp,
}

impl<T> FlowTable<T> {
    /// A table with an idle timeout per class, in nanoseconds.
    pub(crate) fn new(idle_ns: impl Fn(Class) -> i64) -> Self {
        let list = |class| List { front: NIL, back: NIL, len: 0, idle_ns: idle_ns(class) };
        Self {
            hasher: DefaultHashBuilder::default(),
            index: HashTable::new(),
            slots: Vec::new(),
            links: Vec::new(),
            free: Vec::new(),
            lists: Lists(Class::ALL.map(list)),
            latest: None,
            idle_until: Timestamp::LATEST,
        }
    }

    /// Sets the idle timeout per class, in nanoseconds.
    pub(crate) fn set_idle(&mut self, idle_ns: impl Fn(Class) -> i64) {
        for class in Class::ALL {
            self.lists.of_mut(class).idle_ns = idle_ns(class);
        }
        self.idle_are_gone();
    }

    /// The keys of a class's entries, the longest idle first.
    pub(crate) fn keys_of(&self, class: Class) -> impl Iterator<Item = FlowKey> + '_ {
        let next = |index: &u32| self.links.get(*index as usize).map(|link| link.next);
        core::iter::successors(Some(self.lists.of(class).front), next)
            .map_while(|index| Some(self.slot(index)?.key))
    }

    /// Entries of all classes.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Entries of one class.
    pub(crate) fn len_of(&self, class: Class) -> usize {
        self.lists.of(class).len as usize
    }

    /// The entry of a connection. Packets come in runs: the connection that was looked for last is the likeliest.
    #[inline]
    pub(crate) fn find(&mut self, key: &FlowKey) -> Option<FlowId> {
        if let Some((latest, id)) = &self.latest
            && latest == key
            && self.live(*id).is_some()
        {
            return Some(*id);
        }
        self.look_up(key)
    }

    fn look_up(&mut self, key: &FlowKey) -> Option<FlowId> {
        let hash = self.hasher.hash_one(key);
        let index = *self.index.find(hash, |&i| self.slot(i).is_some_and(|slot| slot.key == *key))?;
        let id = FlowId { index, generation: self.slot(index)?.generation };
        self.latest = Some((*key, id));
        Some(id)
    }

    /// Adds an entry as the latest of its class. An entry that the connection has already is handed back with the new
    /// one's handle: the caller ends it properly beforehand, so there is none.
    pub(crate) fn insert(&mut self, key: FlowKey, class: Class, now: Moment, value: T) -> FlowId {
        let hash = self.hasher.hash_one(key);
        let index = self.free.pop().unwrap_or(self.slots.len() as u32);
        let generation = match self.slots.get_mut(index as usize) {
            Some(slot) => {
                let generation = slot.generation.wrapping_add(1);
                *slot = Slot { key, generation, class, last: now.at, touched: now.index, value: Some(value) };
                generation
            }
            None => {
                let (last, touched) = (now.at, now.index);
                self.slots.push(Slot { key, generation: 0, class, last, touched, value: Some(value) });
                self.links.push(Link { prev: NIL, next: NIL });
                0
            }
        };
        self.push_back(index, class);
        let Self { index: map, slots, hasher, .. } = self;
        let hash_of = |&i: &u32| slots.get(i as usize).map_or(0, |slot: &Slot<T>| hasher.hash_one(slot.key));
        match map.entry(hash, |&i| slots.get(i as usize).is_some_and(|slot| slot.key == key), hash_of) {
            Entry::Occupied(mut taken) => *taken.get_mut() = index,
            Entry::Vacant(vacant) => {
                vacant.insert(index);
            }
        }
        FlowId { index, generation }
    }

    /// The entry's value.
    pub(crate) fn get_mut(&mut self, id: FlowId) -> Option<&mut T> {
        self.slots.get_mut(id.index as usize).filter(|slot| slot.generation == id.generation)?.value.as_mut()
    }

    /// The entry's value.
    pub(crate) fn get(&self, id: FlowId) -> Option<&T> {
        self.slot(id.index).filter(|slot| slot.generation == id.generation)?.value.as_ref()
    }

    /// Notes activity: the entry becomes the latest of its class. Returns its value.
    #[inline]
    pub(crate) fn touch(&mut self, id: FlowId, now: Moment) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation || slot.value.is_none() {
            return None;
        }
        (slot.last, slot.touched) = (now.at, now.index);
        if self.links.get(id.index as usize).is_some_and(|link| link.next != NIL) {
            let class = slot.class;
            self.unlink(id.index, class);
            self.push_back(id.index, class);
        }
        self.slots.get_mut(id.index as usize)?.value.as_mut()
    }

    /// Puts the entry into another class, as its latest.
    pub(crate) fn move_to(&mut self, id: FlowId, class: Class, now: Moment) {
        let Some(before) = self.live(id).map(|slot| slot.class) else { return };
        let latest_already = before == class && self.lists.of(class).back == id.index;
        if !latest_already {
            self.unlink(id.index, before);
        }
        if let Some(slot) = self.slots.get_mut(id.index as usize) {
            (slot.last, slot.touched) = (now.at, now.index);
            slot.class = class;
        }
        if !latest_already {
            self.push_back(id.index, class);
        }
    }

    /// The entry's class.
    pub(crate) fn class_of(&self, id: FlowId) -> Option<Class> {
        self.live(id).map(|slot| slot.class)
    }

    /// The longest idle entry of a class, with its last activity.
    pub(crate) fn longest_idle(&self, class: Class) -> Option<(FlowId, Timestamp)> {
        let index = self.lists.of(class).front;
        let slot = self.slot(index)?;
        Some((FlowId { index, generation: slot.generation }, slot.last))
    }

    /// The longest idle entry of a class, if it has been idle too long at `now`, with the index of the packet that touched it
    /// last.
    pub(crate) fn idle(&self, class: Class, now: Timestamp) -> Option<(FlowId, u64)> {
        let (id, last) = self.longest_idle(class)?;
        let touched = self.slot(id.index)?.touched;
        (last.plus_nanos(self.lists.of(class).idle_ns) <= now).then_some((id, touched))
    }

    /// Before this time [`Self::idle`] has nothing to give. Cheap, and seldom too early: [`Self::due`] is exact.
    #[inline]
    pub(crate) const fn idle_until(&self) -> Timestamp {
        self.idle_until
    }

    /// When [`Self::idle`] will have something to give.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        let due = |class| Some(self.longest_idle(class)?.1.plus_nanos(self.lists.of(class).idle_ns));
        Class::ALL.into_iter().filter_map(due).min()
    }

    /// All that is idle too long was taken out.
    pub(crate) fn idle_are_gone(&mut self) {
        self.idle_until = self.due().unwrap_or(Timestamp::LATEST);
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, id: FlowId) -> Option<T> {
        let &Slot { key, class, .. } = self.live(id)?;
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.index.find_entry(hash, |&i| i == id.index) {
            entry.remove();
        }
        self.unlink(id.index, class);
        self.free.push(id.index);
        let slot = self.slots.get_mut(id.index as usize)?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.value.take()
    }

    /// All live entries, in no order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = FlowId> + '_ {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.value.is_some())
            .map(|(index, slot)| FlowId { index: index as u32, generation: slot.generation })
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        self.slots.get(index as usize)
    }

    fn live(&self, id: FlowId) -> Option<&Slot<T>> {
        self.slot(id.index).filter(|slot| slot.generation == id.generation && slot.value.is_some())
    }

    fn push_back(&mut self, index: u32, class: Class) {
        let list = self.lists.of_mut(class);
        let back = core::mem::replace(&mut list.back, index);
        list.len += 1;
        if let Some(link) = self.links.get_mut(index as usize) {
            *link = Link { prev: back, next: NIL };
        }
        match self.links.get_mut(back as usize) {
            Some(link) => link.next = index,
            None => self.set_front(index, class),
        }
    }

    fn unlink(&mut self, index: u32, class: Class) {
        let Some(&Link { prev, next }) = self.links.get(index as usize) else { return };
        let list = self.lists.of_mut(class);
        list.len = list.len.saturating_sub(1);
        if list.back == index {
            list.back = prev;
        }
        if let Some(link) = self.links.get_mut(next as usize) {
            link.prev = prev;
        }
        match self.links.get_mut(prev as usize) {
            Some(link) => link.next = next,
            None => self.set_front(next, class),
        }
    }

    fn set_front(&mut self, front: u32, class: Class) {
        let last = self.slot(front).map(|slot| slot.last);
        let list = self.lists.of_mut(class);
        list.front = front;
        if let Some(last) = last {
            self.idle_until = self.idle_until.min(last.plus_nanos(list.idle_ns));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{Class, FlowTable, Moment};
    use crate::addr::Endpoint;
    use crate::flow::FlowKey;
    use crate::time::Timestamp;

    fn key(n: u16) -> FlowKey {
        let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        FlowKey::new(Endpoint::new(ip, n), Endpoint::new(ip, 21))
    }

    fn at(s: i64) -> Timestamp {
        Timestamp::from_parts(s, 0)
    }

    fn now(s: i64) -> Moment {
        Moment { at: at(s), index: s as u64 }
    }

    #[test]
    fn the_longest_idle_comes_first() {
        let mut table = FlowTable::new(|_| 1);
        let ids: Vec<_> = (1..=3).map(|n| table.insert(key(n), Class::Control, now(n.into()), n)).collect();
        table.touch(ids[0], now(9));
        assert_eq!(table.longest_idle(Class::Control), Some((ids[1], at(2))));
        table.move_to(ids[1], Class::Ended, now(10));
        assert_eq!(table.longest_idle(Class::Control), Some((ids[2], at(3))));
        assert_eq!(table.longest_idle(Class::Ended), Some((ids[1], at(10))));
        assert_eq!((table.len_of(Class::Control), table.len()), (2, 3));
    }

    #[test]
    fn a_removed_entrys_handle_means_nothing_more() {
        let mut table = FlowTable::new(|_| 1);
        let old = table.insert(key(1), Class::Other, now(1), "old");
        assert_eq!(table.remove(old), Some("old"));
        assert_eq!(table.find(&key(1)), None);
        let new = table.insert(key(1), Class::Other, now(2), "new");
        assert_eq!((table.get(old), table.get(new)), (None, Some(&"new")));
        assert_eq!(table.find(&key(1)), Some(new));
        assert_eq!(table.remove(old), None);
        assert_eq!(table.longest_idle(Class::Other), Some((new, at(2))));
    }
}
