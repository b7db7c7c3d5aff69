//! Replies and commands that do not fit together.

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{hosts, session};
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{AnomalyId, Confidence, Event, EventKind, EventType};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "pairing-doubt",
        number: 36,
        title: "Replies that answer no command, in numbers",
        severity: 2,
        confidence: Confidence::Medium,
        technique: None,
    },
    on: true,
    about: "A session has as many replies that answer nothing, or lines that are neither command nor reply, as the threshold \
            says: somebody writes into the stream, tries to confuse a monitor, or it is another protocol.",
    tuning: "Losses of the capture make such replies: look at the gaps of the session.",
    threshold: Threshold { count: 20, per_s: 3600 },
    sees: &[Seen::All(EventType::Anomaly)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

fn see(event: &Event) -> Option<Sighting<SmolStr>> {
    let EventKind::Anomaly(anomaly) = &event.kind else { return None };
    let counts = matches!(
        anomaly.anomaly.id,
        AnomalyId::UnaskedReply
            | AnomalyId::TooManyPending
            | AnomalyId::MalformedReply
            | AnomalyId::MalformedCommand
    );
    let id = SmolStr::new(session(event).filter(|_| counts)?.id());
    Some(Sighting { key: id, tx: anomaly.tx, example: anomaly.anomaly.detail.clone() })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    format!("{client} with {server}: {} lines that fit nothing", incident.count)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    fn doubts(count: i64) -> Vec<Event> {
        (0..count).map(|n| Session::new(9).at(n).anomaly(AnomalyId::UnaskedReply, "226 x")).collect()
    }

    #[test]
    fn twenty_in_a_session_alert_and_fewer_do_not() {
        assert_eq!(alerts_of(&ENTRY, &doubts(20)).len(), 1);
        assert!(alerts_of(&ENTRY, &doubts(19)).is_empty());
        let sessions = (1..200).map(|n| Session::new(n).anomaly(AnomalyId::UnaskedReply, "226 x"));
        assert!(alerts_of(&ENTRY, &sessions.collect::<Vec<_>>()).is_empty(), "one a session");
        let others = (0..99).map(|_| Session::new(9).anomaly(AnomalyId::BadEndpoint, "x"));
        assert!(alerts_of(&ENTRY, &others.collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events =
            (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).anomaly(AnomalyId::UnaskedReply, "226 x"));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
