//! The flow table: entries by connection, and for each class of entries a list in the order of last activity.
//!
//! Look-up, touch, insertion and removal take constant time whatever the number of entries; the longest idle entry of a
//! class is at hand for expiry and eviction.

use core::hash::{BuildHasher as _, Hash, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use crate::addr::{Endpoint, mapped_octets};
use crate::time::Timestamp;

/// A TCP connection by its two ends, the same whichever end sent the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlowKey {
    low: ([u8; 16], u16),
    high: ([u8; 16], u16),
}

impl FlowKey {
    pub(super) fn new(a: Endpoint, b: Endpoint) -> Self {
        let (a, b) = ((mapped_octets(a.ip), a.port), (mapped_octets(b.ip), b.port));
        if a <= b { Self { low: a, high: b } } else { Self { low: b, high: a } }
    }
}

impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.low.0));
        state.write_u128(u128::from_ne_bytes(self.high.0));
        state.write_u32(u32::from(self.low.1) << 16 | u32::from(self.high.1));
    }
}

/// A handle on an entry; it outlives the entry without ever meaning another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FlowId {
    index: u32,
    generation: u32,
}

/// What an entry is kept for; decides how long it may be idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A control connection with a session.
    Control,
    /// Any other live connection.
    Other,
    /// A connection that ended: kept for a moment, so that its late packets start nothing new.
    Ended,
}

impl Class {
    /// Every class.
    pub(super) const ALL: [Self; 3] = [Self::Control, Self::Other, Self::Ended];
}

const NIL: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct List {
    front: u32,
    back: u32,
    len: u32,
}

struct Slot<T> {
    key: FlowKey,
    generation: u32,
    prev: u32,
    next: u32,
    class: Class,
    last: Timestamp,
    value: Option<T>,
}

/// See the module's text. Holds what it is given: the caller asks [`FlowTable::len`] before it inserts and evicts at its cap.
pub(super) struct FlowTable<T> {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    lists: [List; 3],
}

impl<T> FlowTable<T> {
    pub(super) fn new() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            lists: [List { front: NIL, back: NIL, len: 0 }; 3],
        }
    }

    /// Entries of all classes.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Entries of one class.
    pub(super) fn len_of(&self, class: Class) -> usize {
        self.list(class).len as usize
    }

    /// The entry of a connection.
    pub(super) fn find(&self, key: &FlowKey) -> Option<FlowId> {
        let hash = self.hasher.hash_one(key);
        let index = *self.index.find(hash, |&i| self.slot(i).is_some_and(|slot| slot.key == *key))?;
        Some(FlowId { index, generation: self.slot(index)?.generation })
    }

    /// Adds an entry as the latest of its class. An entry that the connection has already is handed back with the new
    /// one's handle: the caller ends it properly beforehand, so there is none.
    pub(super) fn insert(&mut self, key: FlowKey, class: Class, at: Timestamp, value: T) -> FlowId {
        let hash = self.hasher.hash_one(key);
        let index = self.free.pop().unwrap_or(self.slots.len() as u32);
        let generation = match self.slots.get_mut(index as usize) {
            Some(slot) => {
                let generation = slot.generation.wrapping_add(1);
                *slot = Slot { key, generation, prev: NIL, next: NIL, class, last: at, value: Some(value) };
                generation
            }
            None => {
                self.slots.push(Slot {
                    key,
                    generation: 0,
                    prev: NIL,
                    next: NIL,
                    class,
                    last: at,
                    value: Some(value),
                });
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
    pub(super) fn get_mut(&mut self, id: FlowId) -> Option<&mut T> {
        self.slots.get_mut(id.index as usize).filter(|slot| slot.generation == id.generation)?.value.as_mut()
    }

    /// The entry's value.
    pub(super) fn get(&self, id: FlowId) -> Option<&T> {
        self.slot(id.index).filter(|slot| slot.generation == id.generation)?.value.as_ref()
    }

    /// Notes activity: the entry becomes the latest of its class.
    pub(super) fn touch(&mut self, id: FlowId, at: Timestamp) {
        if let Some(class) = self.live(id).map(|slot| slot.class) {
            self.move_to(id, class, at);
        }
    }

    /// Puts the entry into another class, as its latest.
    pub(super) fn move_to(&mut self, id: FlowId, class: Class, at: Timestamp) {
        let Some(slot) = self.live(id) else { return };
        let latest_already = slot.class == class && slot.next == NIL;
        if !latest_already {
            self.unlink(id.index);
        }
        if let Some(slot) = self.slots.get_mut(id.index as usize) {
            slot.last = slot.last.max(at);
            slot.class = class;
        }
        if !latest_already {
            self.push_back(id.index, class);
        }
    }

    /// The longest idle entry of a class, with its last activity.
    pub(super) fn longest_idle(&self, class: Class) -> Option<(FlowId, Timestamp)> {
        let index = self.list(class).front;
        let slot = self.slot(index)?;
        Some((FlowId { index, generation: slot.generation }, slot.last))
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, id: FlowId) -> Option<T> {
        let key = self.live(id)?.key;
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.index.find_entry(hash, |&i| i == id.index) {
            entry.remove();
        }
        self.unlink(id.index);
        self.free.push(id.index);
        let slot = self.slots.get_mut(id.index as usize)?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.value.take()
    }

    /// All live entries, in no order.
    pub(super) fn ids(&self) -> impl Iterator<Item = FlowId> + '_ {
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

    fn list(&self, class: Class) -> List {
        let at = Class::ALL.iter().position(|&c| c == class).unwrap_or(0);
        self.lists.get(at).copied().unwrap_or(List { front: NIL, back: NIL, len: 0 })
    }

    fn update_list(&mut self, class: Class, change: impl FnOnce(&mut List)) {
        let at = Class::ALL.iter().position(|&c| c == class).unwrap_or(0);
        if let Some(list) = self.lists.get_mut(at) {
            change(list);
        }
    }

    fn push_back(&mut self, index: u32, class: Class) {
        let back = self.list(class).back;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            (slot.prev, slot.next) = (back, NIL);
        }
        if let Some(slot) = self.slots.get_mut(back as usize) {
            slot.next = index;
        }
        self.update_list(class, |list| {
            list.back = index;
            list.len += 1;
            if list.front == NIL {
                list.front = index;
            }
        });
    }

    fn unlink(&mut self, index: u32) {
        let Some((prev, next, class)) = self.slot(index).map(|slot| (slot.prev, slot.next, slot.class))
        else {
            return;
        };
        if let Some(slot) = self.slots.get_mut(prev as usize) {
            slot.next = next;
        }
        if let Some(slot) = self.slots.get_mut(next as usize) {
            slot.prev = prev;
        }
        self.update_list(class, |list| {
            list.len = list.len.saturating_sub(1);
            if list.front == index {
                list.front = next;
            }
            if list.back == index {
                list.back = prev;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{Class, FlowKey, FlowTable};
    use crate::addr::Endpoint;
    use crate::time::Timestamp;

    fn key(n: u16) -> FlowKey {
        let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        FlowKey::new(Endpoint::new(ip, n), Endpoint::new(ip, 21))
    }

    fn at(s: i64) -> Timestamp {
        Timestamp::from_parts(s, 0)
    }

    #[test]
    fn a_connection_has_one_key_whoever_sends() {
        let (a, b) =
            (Endpoint::new(Ipv4Addr::LOCALHOST.into(), 1), Endpoint::new(Ipv4Addr::BROADCAST.into(), 2));
        assert_eq!(FlowKey::new(a, b), FlowKey::new(b, a));
    }

    #[test]
    fn the_longest_idle_comes_first() {
        let mut table = FlowTable::new();
        let ids: Vec<_> = (1..=3).map(|n| table.insert(key(n), Class::Control, at(n.into()), n)).collect();
        table.touch(ids[0], at(9));
        assert_eq!(table.longest_idle(Class::Control), Some((ids[1], at(2))));
        table.move_to(ids[1], Class::Ended, at(10));
        assert_eq!(table.longest_idle(Class::Control), Some((ids[2], at(3))));
        assert_eq!(table.longest_idle(Class::Ended), Some((ids[1], at(10))));
        assert_eq!((table.len_of(Class::Control), table.len()), (2, 3));
    }

    #[test]
    fn a_removed_entrys_handle_means_nothing_more() {
        let mut table = FlowTable::new();
        let old = table.insert(key(1), Class::Other, at(1), "old");
        assert_eq!(table.remove(old), Some("old"));
        assert_eq!(table.find(&key(1)), None);
        let new = table.insert(key(1), Class::Other, at(2), "new");
        assert_eq!((table.get(old), table.get(new)), (None, Some(&"new")));
        assert_eq!(table.find(&key(1)), Some(new));
        assert_eq!(table.remove(old), None);
        assert_eq!(table.longest_idle(Class::Other), Some((new, at(2))));
    }
}
