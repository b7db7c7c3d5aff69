//! Dialogues cut into segments of one or two bytes.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::bucket::Bucket;
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::hosts;
use super::incident::Incident;
use super::table::{Fill, Table};
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "tiny-segments",
        number: 52,
        title: "Dialogues are cut into segments of one or two bytes",
        severity: 2,
        confidence: Confidence::Medium,
        technique: None,
    },
    on: true,
    about: "The lines between two hosts come in segments of one or two bytes (`end.tiny_segments`), as many as the threshold says, faster \
            than anybody types or more than anybody does: monitors that look for words within segments see none. ftpmon reads the \
            lines as the server does. Sessions with fewer than 64 do not count.",
    tuning: "Devices that write each character on its own look like this: allow them. A lower count finds single sessions.",
    threshold: Threshold { count: 10_000, per_s: 3_600 },
    sees: &[Seen::All(EventType::SessionEnd)],
    wants: |event| tiny(event).is_some(),
    start: |threshold| Box::new(TinySegments { threshold, pairs: Table::new(KEYS_MAX) }),
};

fn tiny(event: &Event) -> Option<u64> {
    match &event.kind {
        EventKind::SessionEnd(session) => session.end.tiny_segments,
        _ => None,
    }
}

struct TinySegments {
    threshold: Threshold,
    pairs: Table<(IpAddr, IpAddr), Cut>,
}

#[derive(Default)]
struct Cut {
    bucket: Bucket,
    incident: Incident,
    reached: bool,
}

impl Detector for TinySegments {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(count) = tiny(event) else { return };
        let (client, server) = hosts(event);
        let cut = self.pairs.entry((client, server));
        if cut.bucket.is_empty(event.ts) {
            *cut = Cut::default();
        }
        cut.incident.add(event, None, "");
        cut.incident.count = cut.incident.count.saturating_add(count.max(1) - 1);
        cut.reached |= cut.bucket.add_many(event.ts, count, self.threshold);
        if cut.reached && cut.incident.is_due() {
            let message =
                format!("{client} with {server}: {} segments of one or two bytes", cut.incident.count);
            alerts.raise(&ENTRY.subject, event, &cut.incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        self.pairs.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn ended(session: Session, count: u64) -> Event {
        session.end(|end| end.tiny_segments = Some(count))
    }

    #[test]
    fn segments_of_all_sessions_of_two_hosts_count() {
        let counts = |counts: &[u64]| -> Vec<u64> {
            let events: Vec<_> = counts.iter().map(|count| ended(Session::new(9), *count)).collect();
            alerts_of(&ENTRY, &events).iter().map(|alert| alert.evidence.counts["occurrences"]).collect()
        };
        assert_eq!(counts(&[4_000, 4_000, 1_999]), [0; 0]);
        assert_eq!(counts(&[4_000, 4_000, 2_000]), [10_000]);
        assert_eq!(counts(&[u64::MAX]), [u64::MAX]);
        assert_eq!(counts(&[2_000; 12]), [10_000, 20_000]);
        let sources: Vec<_> = (1..100).map(|host| ended(Session::new(host), 9_999)).collect();
        assert!(alerts_of(&ENTRY, &sources).is_empty());
    }

    #[test]
    fn what_leaks_away_does_not_alert() {
        let slow: Vec<_> = (0..100).map(|n| ended(Session::new(9).at(n * 1_800), 4_999)).collect();
        assert!(alerts_of(&ENTRY, &slow).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| ended(Session::of_source(n), 100));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
