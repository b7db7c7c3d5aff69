//! Detectors whose occurrences are single events, counted by key.

use core::hash::Hash;

use smol_str::SmolStr;

use super::alerts::Alerts;
use super::entry::{Detector, Entry, Threshold};
use super::incident::Incident;
use super::table::{Fill, Table};
use super::watch::Watch;
use crate::event::Event;

/// Keys of a detector. Stops whoever makes up hosts, accounts or sessions.
pub(super) const KEYS_MAX: usize = 4_096;

/// An event that counts.
pub(super) struct Sighting<K> {
    pub(super) key: K,
    /// The command that it is about.
    pub(super) tx: Option<u64>,
    /// A text that shows it.
    pub(super) example: SmolStr,
}

/// A detector that counts events by key, and alerts when those of a key reach the threshold.
pub(super) struct Watching<K: Hash + Eq> {
    entry: &'static Entry,
    threshold: Threshold,
    see: fn(&Event) -> Option<Sighting<K>>,
    message: fn(&Event, &Incident) -> String,
    keys: Table<K, Watch>,
}

impl<K: Hash + Eq + Send + 'static> Watching<K> {
    pub(super) fn start(
        entry: &'static Entry,
        threshold: Threshold,
        see: fn(&Event) -> Option<Sighting<K>>,
        message: fn(&Event, &Incident) -> String,
    ) -> Box<dyn Detector> {
        Box::new(Self { entry, threshold, see, message, keys: Table::new(KEYS_MAX) })
    }
}

impl<K: Hash + Eq + Send> Detector for Watching<K> {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(Sighting { key, tx, example }) = (self.see)(event) else { return };
        let watch = self.keys.entry(key);
        if let Some(incident) = watch.add(self.threshold, event, tx, &example) {
            alerts.raise(&self.entry.subject, event, incident, &[], (self.message)(event, incident));
        }
    }

    fn fill(&self) -> Fill {
        self.keys.fill()
    }
}
