//! The way of a finding into an `alert` event.

use std::collections::VecDeque;

use smol_str::SmolStr;

use super::incident::Incident;
use crate::event::{Alert, AlertDetail, Confidence, Event, EventKind, Evidence, SessionIdentity};

/// The constant part of the alerts of a detector.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The detector's stable name, in `alert.id` and in settings.
    pub id: &'static str,
    /// Its number in formats that want one. No other detector ever has it.
    pub number: u32,
    /// The subject in words.
    pub title: &'static str,
    /// 1 (note) to 4 (act now).
    pub severity: u8,
    /// The confidence of its alerts: whether ordinary use often, seldom or never looks like this.
    pub confidence: Confidence,
    /// The MITRE ATT&CK technique; none where none fits.
    pub technique: Option<&'static str>,
}

/// The part of an alert that is the same in all of a list's or a rule's.
#[derive(Clone, Debug)]
pub(super) struct Heading {
    pub(super) id: SmolStr,
    pub(super) title: SmolStr,
    pub(super) severity: u8,
    pub(super) confidence: Confidence,
    pub(super) technique: Option<SmolStr>,
}

impl From<&Subject> for Heading {
    fn from(subject: &Subject) -> Self {
        Self {
            id: SmolStr::new_static(subject.id),
            title: SmolStr::new_static(subject.title),
            severity: subject.severity,
            confidence: subject.confidence,
            technique: subject.technique.map(SmolStr::new_static),
        }
    }
}

/// Alerts about one event, in the order in which they were raised.
#[derive(Debug, Default)]
pub struct Alerts {
    raised: VecDeque<Event>,
}

impl Alerts {
    /// Raises an alert of a detector at `event`, whose session and user it gets. `counts` are named numbers beside the
    /// incident's own, which is `occurrences`.
    pub(super) fn raise(
        &mut self,
        subject: &Subject,
        event: &Event,
        incident: &Incident,
        counts: &[(&'static str, u64)],
        message: String,
    ) {
        self.raise_at(subject, subject.severity, event, incident, counts, message);
    }

    /// Raises an alert whose severity depends on the incident.
    pub(super) fn raise_at(
        &mut self,
        subject: &Subject,
        severity: u8,
        event: &Event,
        incident: &Incident,
        counts: &[(&'static str, u64)],
        message: String,
    ) {
        self.raise_under(Heading { severity, ..Heading::from(subject) }, event, incident, counts, message);
    }

    /// Raises an alert under any heading.
    pub(super) fn raise_under(
        &mut self,
        heading: Heading,
        event: &Event,
        incident: &Incident,
        counts: &[(&'static str, u64)],
        message: String,
    ) {
        let Heading { id, title, severity, confidence, technique } = heading;
        let all = [("occurrences", incident.count)].into_iter().chain(counts.iter().copied());
        let alert = AlertDetail {
            id,
            severity,
            title,
            message: message.into(),
            technique,
            confidence,
            suppressed: incident.suppressed,
            evidence: Evidence {
                sessions: incident
                    .sessions
                    .iter()
                    .map(|number| SessionIdentity::id_of(u128::from_le_bytes(*number)))
                    .collect(),
                tx: incident.tx.to_vec(),
                counts: all.map(|(name, count)| (SmolStr::new_static(name), count)).collect(),
                first: incident.first,
                last: incident.last,
                examples: incident.examples.to_vec(),
            },
            geo: None,
        };
        let kind = EventKind::Alert(Box::new(Alert { alert }));
        let (session, user) = (event.session.clone(), event.user.clone());
        self.raised.push_back(Event { ts: event.ts, session, user, kind });
    }

    /// The next alert.
    pub fn pop(&mut self) -> Option<Event> {
        self.raised.pop_front()
    }
}
