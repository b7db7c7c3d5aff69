//! Reassembly of IP fragments.
//!
//! Fragments come in any order, more than once, and from hostile senders. If two of them overlap the first one wins,
//! as with TCP segments, and a difference is counted. A complete datagram stays in the table for a while, so that
//! fragments which a mirror port shows twice are distinguished from those of a new datagram with the same
//! identification.

use std::collections::VecDeque;
use std::net::IpAddr;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::counters::{DecodeCounters, Reason};
use super::span::Span;
use crate::segment::VlanTags;
use crate::time::Timestamp;

/// The caps of the fragment table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentLimits {
    /// Datagrams at most, whole ones included. Stops first fragments that nothing follows from filling the memory; the
    /// oldest datagram goes.
    pub datagrams: usize,
    /// Bytes at most that all datagrams hold together, at least [`DATAGRAM_BYTES_MAX`]. Stops last fragments, which
    /// claim 64 KiB with one byte; the oldest datagram goes.
    pub bytes: usize,
    /// Nanoseconds of packet time that a datagram may take. Stops stale fragments from mixing with those of a later
    /// datagram that uses the same identification.
    pub timeout_ns: u64,
}

/// The most that one datagram uses of [`FragmentLimits::bytes`]: its 64 KiB and a bit for each 8 bytes, both with the
/// spare capacity of a growing vector.
pub const DATAGRAM_BYTES_MAX: usize = 160 * 1024;

impl Default for FragmentLimits {
    fn default() -> Self {
        Self { datagrams: 1024, bytes: 4 * 1024 * 1024, timeout_ns: 30_000_000_000 }
    }
}

/// The longest payload of an IP datagram.
const DATAGRAM_LEN_MAX: usize = 65_535;
/// Fragments begin at multiples of this (RFC 791 section 3.2).
const BLOCK: usize = 8;

/// Fragments with equal keys belong to one datagram (RFC 791 section 3.2, RFC 8200 section 4.5). The VLAN tags count,
/// since two networks may use the same addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FragmentKey {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    /// IPv4's protocol; none for IPv6, where only the first fragment's counts.
    pub(super) protocol: Option<u8>,
    pub(super) id: u32,
    pub(super) vlan: VlanTags,
}

/// A fragment of an IP datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) key: FragmentKey,
    /// The datagram's first bytes; meaningful in the first fragment only.
    pub(super) protocol: u8,
    /// The offset of its bytes in the datagram, a multiple of 8.
    pub(super) offset: usize,
    /// Others follow behind it.
    pub(super) more: bool,
    /// Its bytes.
    pub(super) span: Span<'a>,
    /// The headers that may still be opened.
    pub(super) layers_left: u8,
}

impl Fragment<'_> {
    /// All of it but its bytes.
    pub(super) const fn detached<'b>(&self) -> Fragment<'b> {
        let Self { key, protocol, offset, more, layers_left, .. } = *self;
        Fragment { key, protocol, offset, more, span: Span { bytes: &[], missing: 0 }, layers_left }
    }
}

/// A datagram, complete or not.
#[derive(Debug)]
struct Datagram {
    /// When its first fragment came.
    since: Timestamp,
    /// Distinguishes it from another one with the same key in [`FragmentTable::ages`].
    serial: u64,
    protocol: u8,
    bytes: Vec<u8>,
    /// A bit for each block of 8 bytes seen.
    blocks: Vec<u64>,
    blocks_held: usize,
    /// Its length, from its last fragment.
    total: Option<usize>,
    /// The offset from which bytes are missing because a fragment was cut short by the snap length.
    cut_at: usize,
    whole: bool,
}

/// The relation of a fragment to its datagram.
enum Added {
    /// It was needed.
    New,
    /// Its bytes were there already.
    Repeated,
    /// Its bytes differ from those that were there.
    Conflicting,
}

impl Datagram {
    const fn new(since: Timestamp, serial: u64) -> Self {
        Self {
            since,
            serial,
            protocol: 0,
            bytes: Vec::new(),
            blocks: Vec::new(),
            blocks_held: 0,
            total: None,
            cut_at: usize::MAX,
            whole: false,
        }
    }

    /// The memory that it holds.
    const fn cost(&self) -> usize {
        self.bytes.capacity() + self.blocks.capacity() * size_of::<u64>()
    }

    /// The captured bytes up to the first missing one, and how many there were on the wire.
    fn span(&self) -> Span<'_> {
        let total = self.total.unwrap_or(self.bytes.len());
        let bytes = self.bytes.get(..total.min(self.cut_at)).unwrap_or_default();
        Span { bytes, missing: total - bytes.len() }
    }

    /// Whether the fragment is a repeated part of this complete datagram.
    fn repeats(&self, fragment: &Fragment<'_>) -> bool {
        let end = fragment.offset + fragment.span.wire_len();
        let captured = fragment.offset..fragment.offset + fragment.span.bytes.len();
        let ends_alike = if fragment.more { Some(end) <= self.total } else { Some(end) == self.total };
        ends_alike && self.bytes.get(captured).is_some_and(|held| held == fragment.span.bytes)
    }

    fn add(&mut self, fragment: &Fragment<'_>) -> Result<Added, Reason> {
        let end = fragment.offset + fragment.span.wire_len();
        if self.total.is_some_and(|total| end > total || (!fragment.more && end != total)) {
            return Err(Reason::FragmentBad);
        }
        if !fragment.more {
            if end < self.bytes.len() {
                return Err(Reason::FragmentBad);
            }
            self.total = Some(end);
        }
        if fragment.offset == 0 {
            self.protocol = fragment.protocol;
        }
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
            self.blocks.resize(end.div_ceil(BLOCK).div_ceil(64), 0);
        }
        let mut added = Added::Repeated;
        let captured_end = fragment.offset + fragment.span.bytes.len();
        let mut rest = fragment.span.bytes;
        for start in (fragment.offset..end).step_by(BLOCK) {
            let (block, after) = rest.split_at_checked(BLOCK).unwrap_or((rest, &[]));
            rest = after;
            let index = start / BLOCK;
            let (Some(word), Some(held)) =
                (self.blocks.get_mut(index / 64), self.bytes.get_mut(start..start + block.len()))
            else {
                return Err(Reason::FragmentBad);
            };
            let bit = 1 << (index % 64);
            if *word & bit == 0 {
                *word |= bit;
                self.blocks_held += 1;
                held.copy_from_slice(block);
                if captured_end < end.min(start + BLOCK) {
                    self.cut_at = self.cut_at.min(start + block.len());
                }
                if !matches!(added, Added::Conflicting) {
                    added = Added::New;
                }
            } else if held != block && start + block.len() <= self.cut_at {
                added = Added::Conflicting;
            }
        }
        self.whole = self.total.is_some_and(|total| self.blocks_held == total.div_ceil(BLOCK));
        Ok(added)
    }
}

/// The datagrams that are being reassembled.
#[derive(Debug)]
pub(super) struct FragmentTable {
    limits: FragmentLimits,
    datagrams: HashMap<FragmentKey, Datagram>,
    /// The oldest first. An entry whose serial is no longer its key's is out of date.
    ages: VecDeque<(FragmentKey, u64)>,
    serial: u64,
    bytes: usize,
    /// The time at which the oldest datagram expires.
    due: Option<Timestamp>,
}

impl FragmentTable {
    pub(super) fn new(limits: FragmentLimits) -> Self {
        let limits = FragmentLimits {
            datagrams: limits.datagrams.max(1),
            bytes: limits.bytes.max(DATAGRAM_BYTES_MAX),
            ..limits
        };
        Self { limits, datagrams: HashMap::new(), ages: VecDeque::new(), serial: 0, bytes: 0, due: None }
    }

    pub(super) const fn limits(&self) -> &FragmentLimits {
        &self.limits
    }

    /// Datagrams held, whole ones included.
    pub(super) fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Bytes that all datagrams hold.
    #[cfg(test)]
    pub(super) const fn bytes_held(&self) -> usize {
        self.bytes
    }

    /// The sums agree with the datagrams, and each datagram has its place in the order of age.
    #[cfg(test)]
    pub(super) fn is_consistent(&self) -> bool {
        self.bytes == self.datagrams.values().map(Datagram::cost).sum::<usize>()
            && self.datagrams.iter().all(|(key, held)| self.ages.contains(&(*key, held.serial)))
            && self.ages.len() <= 2 * self.limits.datagrams + 1
    }

    /// Adds a fragment. `Ok` where it completed its datagram: see [`Self::whole`].
    pub(super) fn push(
        &mut self,
        at: Timestamp,
        fragment: &Fragment<'_>,
        counters: &mut DecodeCounters,
    ) -> Result<(), Reason> {
        let len = fragment.span.wire_len();
        let end = fragment.offset + len;
        if end > DATAGRAM_LEN_MAX || (fragment.more && (len == 0 || !len.is_multiple_of(BLOCK))) {
            return Err(Reason::FragmentBad);
        }
        if let Some(datagram) = self.datagrams.get(&fragment.key)
            && datagram.whole
        {
            if datagram.repeats(fragment) {
                return Err(Reason::FragmentRepeated);
            }
            self.remove(&fragment.key);
        }
        self.make_room(&fragment.key, end, counters);
        let datagram = match self.datagrams.entry(fragment.key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.serial += 1;
                self.ages.push_back((fragment.key, self.serial));
                if self.due.is_none() {
                    self.due = Some(deadline(at, &self.limits));
                }
                entry.insert(Datagram::new(at, self.serial))
            }
        };
        let cost = datagram.cost();
        let added = datagram.add(fragment);
        self.bytes += datagram.cost() - cost;
        match added? {
            Added::New if datagram.whole => {
                counters.datagrams_reassembled += 1;
                Ok(())
            }
            Added::Conflicting => {
                counters.fragments_conflicting += 1;
                if datagram.whole {
                    counters.datagrams_reassembled += 1;
                    return Ok(());
                }
                Err(Reason::FragmentHeld)
            }
            Added::New | Added::Repeated => Err(Reason::FragmentHeld),
        }
    }

    /// A datagram between two hosts is not complete. Looks at every datagram.
    pub(super) fn waits_between(&self, one: IpAddr, other: IpAddr) -> bool {
        let between =
            |key: &FragmentKey| (key.src, key.dst) == (one, other) || (key.src, key.dst) == (other, one);
        self.datagrams.iter().any(|(key, held)| !held.whole && between(key))
    }

    /// A datagram that [`Self::push`] completed: its first protocol and its bytes.
    pub(super) fn whole(&self, key: &FragmentKey) -> Option<(u8, Span<'_>)> {
        let datagram = self.datagrams.get(key)?;
        datagram.whole.then(|| (datagram.protocol, datagram.span()))
    }

    /// Gives up what is older than the timeout.
    #[inline]
    pub(super) fn expire(&mut self, at: Timestamp, counters: &mut DecodeCounters) {
        if self.due.is_some_and(|due| at >= due) {
            self.expire_due(at, counters);
        }
    }

    #[cold]
    fn expire_due(&mut self, at: Timestamp, counters: &mut DecodeCounters) {
        self.due = None;
        while let Some((key, serial)) = self.ages.front().copied() {
            match self.datagrams.get(&key) {
                Some(datagram) if datagram.serial == serial => {
                    let due = deadline(datagram.since, &self.limits);
                    if at < due {
                        self.due = Some(due);
                        return;
                    }
                    counters.datagrams_timed_out += u64::from(!datagram.whole);
                    self.remove(&key);
                }
                _ => {}
            }
            self.ages.pop_front();
        }
    }

    /// Ends the input: incomplete datagrams are given up.
    pub(super) fn finish(&mut self, counters: &mut DecodeCounters) {
        counters.datagrams_timed_out += self.datagrams.values().filter(|held| !held.whole).count() as u64;
        *self = Self::new(self.limits);
    }

    /// Gives up the oldest datagrams until a fragment of `key` that reaches to `end` keeps within the caps.
    fn make_room(&mut self, key: &FragmentKey, end: usize, counters: &mut DecodeCounters) {
        let held = self.datagrams.get(key);
        let entries = usize::from(held.is_none());
        // Vectors grow to twice their length at most, and to 64 bytes at least.
        let growth = match held {
            Some(datagram) if end <= datagram.bytes.capacity() => 0,
            _ => (2 * end + 2 * end.div_ceil(BLOCK * 8) + 128).min(DATAGRAM_BYTES_MAX),
        };
        let mut own = None;
        while self.datagrams.len() + entries > self.limits.datagrams
            || self.bytes + growth > self.limits.bytes
        {
            let Some((oldest, serial)) = self.ages.pop_front() else { break };
            if oldest == *key {
                own = Some((oldest, serial)).filter(|_| self.is_current(&oldest, serial)).or(own);
            } else if let Some(datagram) = self.datagrams.get(&oldest)
                && datagram.serial == serial
            {
                counters.datagrams_evicted += u64::from(!datagram.whole);
                self.remove(&oldest);
            }
        }
        if let Some(own) = own {
            self.ages.push_front(own);
        }
        // Restarted datagrams leave entries behind that are out of date.
        if self.ages.len() > 2 * self.limits.datagrams {
            let datagrams = &self.datagrams;
            self.ages.retain(|(key, serial)| datagrams.get(key).is_some_and(|held| held.serial == *serial));
        }
    }

    fn is_current(&self, key: &FragmentKey, serial: u64) -> bool {
        self.datagrams.get(key).is_some_and(|datagram| datagram.serial == serial)
    }

    fn remove(&mut self, key: &FragmentKey) {
        if let Some(datagram) = self.datagrams.remove(key) {
            self.bytes -= datagram.cost();
        }
    }
}

fn deadline(since: Timestamp, limits: &FragmentLimits) -> Timestamp {
    since.plus_nanos(i64::try_from(limits.timeout_ns).unwrap_or(i64::MAX))
}
