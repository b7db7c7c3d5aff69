//! The detectors that are on.

use super::alerts::Alerts;
use super::entry::{Detector, Entry, Threshold};
use super::table::Fill;
use crate::event::Event;

/// The events that some of the detectors that are on have to see. Threads that make events ask it; it looks at each event alone.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Vec<fn(&Event) -> bool>);

impl Wanted {
    /// The events that any of these detectors wants.
    pub fn by<'e>(chosen: impl IntoIterator<Item = &'e Entry>) -> Self {
        Self(chosen.into_iter().map(|entry| entry.wants).collect())
    }

    /// Some detector has to see an event.
    pub fn wants(&self, event: &Event) -> bool {
        self.0.iter().any(|wants| wants(event))
    }
}

/// The detectors that are on. Show it every event that is [`Wanted`], in the order of the run; take the alerts after each.
#[derive(Default)]
pub struct Detectors {
    running: Vec<(&'static Entry, Box<dyn Detector>)>,
    alerts: Alerts,
}

impl Detectors {
    /// Starts detectors, each with its threshold.
    pub fn start(chosen: impl IntoIterator<Item = (&'static Entry, Threshold)>) -> Self {
        let running =
            chosen.into_iter().map(|(entry, threshold)| (entry, (entry.start)(threshold))).collect();
        Self { running, alerts: Alerts::default() }
    }

    /// None is on.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Shows an event to the detectors that want it. [`Self::pop`] their alerts then.
    pub fn event(&mut self, event: &Event) {
        for (entry, detector) in &mut self.running {
            if (entry.wants)(event) {
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
        self.running.iter().fold(Fill::default(), |mut sum, (_, detector)| {
            sum += detector.fill();
            sum
        })
    }
}
