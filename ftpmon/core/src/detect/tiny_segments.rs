//! Dialogues cut into segments of one or two bytes.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::bucket::Bucket;
use super::entry::{Detector, Entry, Threshold};
use super::facts::hosts;
use super::incident::Incident;
use super::table::{Fill, Table};
use super::watching::KEYS_MAX;
use crate::event::{AnomalyDetail, AnomalyId, Confidence, Event, EventKind, EventType};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "tiny-segments",
        number: 52,
        title: "A dialogue is cut into segments of one or two bytes",
        severity: 2,
        confidence: Confidence::Medium,
        technique: None,
    },
    on: true,
    about: "The lines between two hosts come in segments of one or two bytes (`tiny_segments`), as many as the threshold says, faster than \
            anybody types or more than anybody does: monitors that look for words within segments see none. ftpmon reads the lines as \
            the server does.",
    tuning: "Devices that write each character on its own look like this: allow them.",
    threshold: Threshold { count: 160, per_s: 3_600 },
    types: &[EventType::Anomaly],
    wants: |event| tiny(event).is_some(),
    start: |threshold| Box::new(TinySegments { threshold, pairs: Table::new(KEYS_MAX) }),
};

fn tiny(event: &Event) -> Option<&AnomalyDetail> {
    match &event.kind {
        EventKind::Anomaly(anomaly) if anomaly.anomaly.id == AnomalyId::TinySegments => {
            Some(&anomaly.anomaly)
        }
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
        let Some(anomaly) = tiny(event) else { return };
        let (client, server) = hosts(event);
        let cut = self.pairs.entry((client, server));
        if cut.bucket.is_empty(event.ts) {
            *cut = Cut::default();
        }
        let count = anomaly.repeated.as_ref().map_or(1, |repeated| repeated.count).max(1);
        cut.incident.add(event, None, &anomaly.detail);
        cut.incident.count = cut.incident.count.saturating_add(count - 1);
        // A bucket that is full takes no more.
        for _ in 0..count.min(2 * u64::from(self.threshold.count)) {
            cut.reached |= cut.bucket.add(event.ts, self.threshold);
        }
        if cut.reached && cut.incident.is_due() {
            let message = format!(
                "{client} with {server}: {} segments of one or two bytes, one after another",
                cut.incident.count
            );
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
    use crate::event::Repeated;
    use crate::time::Timestamp;

    fn told(session: Session, count: u64) -> Event {
        let mut event = session.anomaly(AnomalyId::TinySegments, "x");
        if let EventKind::Anomaly(anomaly) = &mut event.kind {
            let at = Timestamp::from_nanos(0);
            anomaly.anomaly.repeated = Some(Box::new(Repeated { count, first: at, last: at }));
        }
        event
    }

    #[test]
    fn segments_of_all_sessions_of_two_hosts_count() {
        let counts = |counts: &[u64]| -> Vec<u64> {
            let events: Vec<_> = counts.iter().map(|count| told(Session::new(9), *count)).collect();
            alerts_of(&ENTRY, &events).iter().map(|alert| alert.evidence.counts["occurrences"]).collect()
        };
        assert_eq!(counts(&[16, 32, 64, 47]), [0; 0]);
        assert_eq!(counts(&[16, 32, 64, 48]), [160]);
        assert_eq!(counts(&[u64::MAX]), [u64::MAX]);
        assert_eq!(counts(&[30; 12]), [180, 360]);
        let sources: Vec<_> = (1..100).map(|host| told(Session::new(host), 100)).collect();
        assert!(alerts_of(&ENTRY, &sources).is_empty());
    }

    #[test]
    fn what_leaks_away_does_not_alert() {
        let slow: Vec<_> = (0..100).map(|n| told(Session::new(9).at(n * 2_400), 100)).collect();
        assert!(alerts_of(&ENTRY, &slow).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| told(Session::of_source(n), 100));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
