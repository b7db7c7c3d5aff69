//! The detectors that are on.

use super::alerts::Alerts;
use super::allow::{Allowance, Allowed};
use super::entry::{Detector, Entry, Threshold};
use super::registry::ALL;
use super::table::Fill;
use crate::event::{Event, EventType};

/// Number of event types.
const TYPES: usize = EventType::ALL.len();

/// Whether a detector has to see an event.
type Wants = fn(&Event) -> bool;

/// Detectors that may be on.
const DETECTORS_MAX: usize = u128::BITS as usize;
const _: () = assert!(ALL.len() <= DETECTORS_MAX);

/// The detectors that have to see an event, of a choice of detectors: what [`Wanted`] says to the [`Detectors`] of the same choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// By position in the choice.
    chosen: u128,
    /// Some of the operator's own see all events of the type.
    own: bool,
}

impl Interest {
    /// No detector has to see it.
    pub const fn is_none(self) -> bool {
        self.chosen == 0 && !self.own
    }

    /// Positions of the chosen ones.
    fn positions(self) -> impl Iterator<Item = usize> {
        let mut left = self.chosen;
        core::iter::from_fn(move || {
            let position = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(position)
        })
    }
}

/// The events that some of the detectors that are on have to see. Threads that make events ask it; it looks at each event alone.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// With their positions in the choice.
    by_type: [Vec<(usize, Wants)>; TYPES],
    /// Types of which every event has to be seen, by their [bits](EventType::bit).
    whole: u32,
}

impl Wanted {
    /// The events that any of these detectors wants.
    pub fn by<'e>(chosen: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut wanted = Self::default();
        for (position, entry) in chosen.into_iter().enumerate() {
            for kind in entry.types {
                let of = wanted.by_type.iter_mut().skip(*kind as usize).take(1);
                of.for_each(|of| of.push((position, entry.wants)));
            }
        }
        wanted
    }

    /// And all events of some types.
    #[must_use]
    pub fn and_all_of(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.whole = types.into_iter().fold(self.whole, |bits, kind| bits | kind.bit());
        self
    }

    /// The detectors that have to see an event.
    #[inline]
    pub fn interest(&self, event: &Event) -> Interest {
        let kind = event.kind.event_type();
        let asked = self.by_type.get(kind as usize).into_iter().flatten();
        let chosen =
            asked.fold(0, |chosen, (position, wants)| chosen | (u128::from(wants(event)) << position));
        Interest { chosen, own: self.whole & kind.bit() != 0 }
    }
}

/// The detectors that are on. Show it every event that is [`Wanted`], in the order of the run; take the alerts after each.
#[derive(Default)]
pub struct Detectors {
    running: Vec<Running>,
    wanted: Wanted,
    /// Those of the operator, behind the others, with the bits of the types that they see.
    own: Vec<(u32, Box<dyn Detector>)>,
    alerts: Alerts,
}

/// A detector at work.
struct Running {
    detector: Box<dyn Detector>,
    allowed: Allowed,
}

impl Detectors {
    /// Starts detectors, each with its threshold. Sessions that an allowance names are not shown to its detector.
    pub fn start(
        chosen: impl IntoIterator<Item = (&'static Entry, Threshold)>,
        allowances: &[Allowance],
    ) -> Self {
        let chosen: Vec<_> = chosen.into_iter().collect();
        let wanted = Wanted::by(chosen.iter().map(|(entry, _)| *entry));
        let start = |(entry, threshold): (&Entry, Threshold)| Running {
            detector: (entry.start)(threshold),
            allowed: Allowed::of(entry.id(), allowances),
        };
        Self { running: chosen.into_iter().map(start).collect(), wanted, ..Self::default() }
    }

    /// Adds a detector of the operator's, a list or a rule, which sees all events of some types.
    pub fn add(&mut self, types: impl IntoIterator<Item = EventType>, detector: Box<dyn Detector>) {
        let bits = types.into_iter().fold(0, |bits, kind| bits | kind.bit());
        self.own.push((bits, detector));
    }

    /// None is on.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.own.is_empty()
    }

    /// Shows an event to the detectors that want it. [`Self::pop`] their alerts then.
    pub fn event(&mut self, event: &Event) {
        let interest = self.wanted.interest(event);
        self.event_for(event, interest);
    }

    /// The same of an event whose interest is known.
    pub fn event_for(&mut self, event: &Event, interest: Interest) {
        for position in interest.positions() {
            if let Some(Running { detector, allowed }) = self.running.get_mut(position)
                && !allowed.covers(event)
            {
                detector.event(event, &mut self.alerts);
            }
        }
        let kind = event.kind.event_type();
        for (types, detector) in &mut self.own {
            if *types & kind.bit() != 0 {
                detector.event(event, &mut self.alerts);
            }
        }
    }

    /// The next alert.
    pub fn pop(&mut self) -> Option<Event> {
        self.alerts.pop()
    }

    /// The fill of the tables of all detectors.
    pub fn fill(&self) -> Fill {
        let running = self.running.iter().map(|running| running.detector.fill());
        let own = self.own.iter().map(|(_, detector)| detector.fill());
        running.chain(own).fold(Fill::default(), |mut sum, fill| {
            sum += fill;
            sum
        })
    }
}
