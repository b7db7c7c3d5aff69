//! The detectors that are on.

use super::alerts::Alerts;
use super::allow::{Allowance, Allowed};
use super::entry::{Detector, Entry, Threshold};
use super::table::Fill;
use crate::event::{Event, EventType};

/// Number of event types.
const TYPES: usize = EventType::ALL.len();

/// Whether a detector has to see an event.
type Wants = fn(&Event) -> bool;

/// The events that some of the detectors that are on have to see. Threads that make events ask it; it looks at each event alone.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    by_type: [Vec<Wants>; TYPES],
    /// Types of which every event has to be seen, by their [bits](EventType::bit).
    whole: u32,
}

impl Wanted {
    /// The events that any of these detectors wants.
    pub fn by<'e>(chosen: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut wanted = Self::default();
        for entry in chosen {
            for kind in entry.types {
                wanted.by_type.iter_mut().skip(*kind as usize).take(1).for_each(|of| of.push(entry.wants));
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

    /// Some detector has to see an event.
    #[inline]
    pub fn wants(&self, event: &Event) -> bool {
        let kind = event.kind.event_type();
        self.whole & kind.bit() != 0
            || self.by_type.get(kind as usize).is_some_and(|of| of.iter().any(|wants| wants(event)))
    }
}

/// The detectors that are on. Show it every event that is [`Wanted`], in the order of the run; take the alerts after each.
#[derive(Default)]
pub struct Detectors {
    running: Vec<Running>,
    /// Positions in `running`, by the types of events that they may want.
    by_type: [Vec<usize>; TYPES],
    /// Those of the operator, behind the others, with the bits of the types that they see.
    own: Vec<(u32, Box<dyn Detector>)>,
    alerts: Alerts,
}

/// A detector at work.
struct Running {
    entry: &'static Entry,
    detector: Box<dyn Detector>,
    allowed: Allowed,
}

impl Detectors {
    /// Starts detectors, each with its threshold. Sessions that an allowance names are not shown to its detector.
    pub fn start(
        chosen: impl IntoIterator<Item = (&'static Entry, Threshold)>,
        allowances: &[Allowance],
    ) -> Self {
        let mut detectors = Self::default();
        for (entry, threshold) in chosen {
            let position = detectors.running.len();
            for kind in entry.types {
                let of = detectors.by_type.iter_mut().skip(*kind as usize).take(1);
                of.for_each(|of| of.push(position));
            }
            let (detector, allowed) = ((entry.start)(threshold), Allowed::of(entry.id(), allowances));
            detectors.running.push(Running { entry, detector, allowed });
        }
        detectors
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
        let kind = event.kind.event_type();
        for position in self.by_type.get(kind as usize).into_iter().flatten() {
            if let Some(Running { entry, detector, allowed }) = self.running.get_mut(*position)
                && (entry.wants)(event)
                && !allowed.covers(event)
            {
                detector.event(event, &mut self.alerts);
            }
        }
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
