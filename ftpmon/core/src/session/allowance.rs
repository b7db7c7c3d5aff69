//! The events that a session may have. An end makes hundreds of lines of one segment, and an event is a hundred times as long as its
//! line: what a flood says beyond its allowance is counted, and one event stands for it.

use core::cell::Cell;

use smallvec::SmallVec;
use smol_str::{SmolStr, format_smolstr};

use super::outbox::{Effect, Outbox};
use crate::event::{Anomaly, AnomalyDetail, AnomalyId, EventKind, Repeated};
use crate::time::Timestamp;
use crate::timing::HELD_BACK_NS;

/// Events of a session that nothing is known of yet. A forged segment makes no more.
const EVENTS_AT_FIRST: u32 = 16;
/// Events that a segment with payload earns: a reply and what follows from it.
const EVENTS_A_SEGMENT: u32 = 2;
/// Payload bytes that earn another event, up to twice as many.
const BYTES_AN_EVENT: usize = 64;
/// Payload bytes beyond that earn another event. A full segment of the shortest lines makes no more of them than its cost allows.
const MORE_BYTES_AN_EVENT: usize = 256;
/// Events that a session can save.
const EVENTS_MAX: u32 = 4_096;
/// Bytes of payload that seldom make more than one event: the shortest command and its reply are longer.
const BYTES_A_LINE: usize = 4;

/// The events that a session may still tell, and those that it did not tell.
pub(super) struct Allowance {
    events: Cell<u32>,
    held_back: Cell<Option<Box<HeldBack>>>,
    /// Of the events that were not told, those that [`Self::take_counted`] did not give yet.
    uncounted: Cell<u32>,
}

/// Events that were not told.
#[derive(Debug)]
pub(super) struct HeldBack {
    first: Timestamp,
    last: Timestamp,
    /// Events other than anomalies, and lines that were not read, each of which would have made one.
    events: u64,
    /// Those lines.
    lines: u64,
    anomalies: SmallVec<[(AnomalyId, u64); 2]>,
}

impl core::fmt::Debug for Allowance {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Allowance").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self { events: Cell::new(EVENTS_AT_FIRST), held_back: Cell::new(None), uncounted: Cell::new(0) }
    }
}

impl Allowance {
    /// A segment of this many payload bytes came.
    #[inline]
    pub(super) fn earn(&self, payload: usize) {
        let (first, more) = (payload.min(2 * BYTES_AN_EVENT), payload.saturating_sub(2 * BYTES_AN_EVENT));
        let more = EVENTS_A_SEGMENT + (first / BYTES_AN_EVENT + more / MORE_BYTES_AN_EVENT) as u32;
        self.events.set((self.events.get() + more).min(EVENTS_MAX));
    }

    /// No event may be told.
    #[inline]
    pub(super) fn is_spent(&self) -> bool {
        self.events.get() == 0
    }

    /// Bytes of this number may make more events than are left.
    #[inline]
    pub(super) fn is_short_of(&self, payload: usize) -> bool {
        (self.events.get() as usize) < EVENTS_AT_FIRST as usize / 2 + payload / BYTES_A_LINE
    }

    /// So many events more may be told.
    pub(super) fn lend(&self, events: u32) {
        self.events.set(self.events.get() + events);
    }

    /// Gives back what is left of `lent` events.
    pub(super) fn give_back(&self, lent: u32) -> u32 {
        let back = self.events.get().min(lent);
        self.events.set(self.events.get() - back);
        back
    }

    /// A command or a reply costs more than its events, and so does an empty line of Telnet: it takes the place of another one.
    #[inline]
    pub(super) fn charge(&self) {
        self.events.set(self.events.get().saturating_sub(1));
    }

    /// Events that were held back since the last call.
    pub(super) fn take_counted(&self) -> u64 {
        u64::from(self.uncounted.take())
    }

    /// Whether an event may be told. One that may not is counted.
    #[inline]
    pub(super) fn spend(&self, at: Timestamp, kind: &EventKind, out: &mut Outbox) -> bool {
        match self.events.get().checked_sub(1) {
            Some(left) => {
                self.events.set(left);
                true
            }
            None => {
                self.hold_back(at, kind, out);
                false
            }
        }
    }

    #[cold]
    fn hold_back(&self, at: Timestamp, kind: &EventKind, out: &mut Outbox) {
        self.uncounted.set(self.uncounted.get().saturating_add(1));
        let id = match kind {
            EventKind::Anomaly(anomaly) => Some(anomaly.anomaly.id),
            _ => None,
        };
        self.count(at, id, out);
    }

    /// An anomaly that was told before came again: it is counted.
    #[cold]
    pub(super) fn repeat(&self, at: Timestamp, id: AnomalyId, out: &mut Outbox) {
        self.count(at, Some(id), out);
    }

    /// Counts an event that is not told: an anomaly, or another one.
    fn count(&self, at: Timestamp, id: Option<AnomalyId>, out: &mut Outbox) {
        self.change_held_back(at, out, |held| match id {
            Some(id) => match held.anomalies.iter_mut().find(|(held, _)| *held == id) {
                Some((_, count)) => *count += 1,
                None => held.anomalies.push((id, 1)),
            },
            None => held.events += 1,
        });
    }

    /// So many lines were counted instead of read.
    pub(super) fn count_unread(&self, at: Timestamp, lines: u32, out: &mut Outbox) {
        self.uncounted.set(self.uncounted.get().saturating_add(lines));
        self.change_held_back(at, out, |held| {
            held.events += u64::from(lines);
            held.lines += u64::from(lines);
        });
    }

    fn change_held_back(&self, at: Timestamp, out: &mut Outbox, change: impl FnOnce(&mut HeldBack)) {
        let mut held = self.held_back.take().unwrap_or_else(|| {
            out.effects.push(Effect::Wake(at.plus_nanos(HELD_BACK_NS)));
            Box::new(HeldBack { first: at, last: at, events: 0, lines: 0, anomalies: SmallVec::new() })
        });
        held.last = held.last.max(at);
        change(&mut held);
        self.held_back.set(Some(held));
    }

    /// Takes what was held back, if that began long enough before `at`, or `all` is to be told now.
    #[inline]
    pub(super) fn take_held_back(&self, at: Timestamp, all: bool) -> Option<Box<HeldBack>> {
        let held = self.held_back.take()?;
        if all || at.nanos_since(held.first) >= HELD_BACK_NS as u64 {
            return Some(held);
        }
        self.held_back.set(Some(held));
        None
    }
}

impl HeldBack {
    /// The events that stand for those that were not told.
    pub(super) fn anomalies(self) -> impl Iterator<Item = Anomaly> {
        let Self { first, last, events, lines, anomalies } = self;
        let floods = (events > 0).then_some((AnomalyId::EventFlood, events));
        floods.into_iter().chain(anomalies).map(move |(id, count)| {
            let detail = match id {
                AnomalyId::EventFlood if lines > 0 => {
                    format_smolstr!("{count} events were not told, {lines} of them lines that were not read")
                }
                AnomalyId::EventFlood => format_smolstr!("{count} events were not told"),
                _ => SmolStr::new_static("more of the same were not told"),
            };
            let repeated = Some(Box::new(Repeated { count, first, last }));
            Anomaly { tx: None, anomaly: AnomalyDetail { id, detail, repeated } }
        })
    }
}
