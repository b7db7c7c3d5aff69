//! The description of a detector, and the trait of one at work.

use super::alerts::{Alerts, Subject};
use super::table::Fill;
use crate::event::{Event, EventType};

/// A detector at work.
pub trait Detector: Send {
    /// Takes an event that its entry [wants](Entry::wants).
    fn event(&mut self, event: &Event, alerts: &mut Alerts);

    /// The fill of its tables.
    fn fill(&self) -> Fill;
}

/// When a detector alerts: `count` occurrences, of which one is forgotten every `per_s` / `count` seconds. A detector that alerts
/// at the first occurrence has a count of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Occurrences, from 1.
    pub count: u32,
    /// Seconds, from 1.
    pub per_s: u32,
}

/// Events that a detector may have to see.
#[derive(Clone, Copy, Debug)]
pub enum Seen {
    /// All of a type.
    All(EventType),
    /// Replies with codes of which this holds, and replies without a code. Most replies have another one, and replies are every second event.
    Replies(fn(u16) -> bool),
}

/// A detector, as `ftpmon detect --list` and `--explain` show it.
#[derive(Debug)]
pub struct Entry {
    /// The constant part of its alerts.
    pub subject: Subject,
    /// Whether it is on unless settings say otherwise.
    pub on: bool,
    /// The finding and the method, a paragraph.
    pub about: &'static str,
    /// The remedy for alerts that are no attack, a paragraph.
    pub tuning: &'static str,
    /// When it alerts, unless settings say otherwise.
    pub threshold: Threshold,
    /// The events that it may have to see.
    pub sees: &'static [Seen],
    /// Whether it has to see one of them. Asked for every such event, on the thread that made it: looks at the event alone.
    pub wants: fn(&Event) -> bool,
    /// Starts it.
    pub start: fn(Threshold) -> Box<dyn Detector>,
}

impl Entry {
    /// The stable name.
    pub const fn id(&self) -> &'static str {
        self.subject.id
    }
}
