//! Uploads with a constant period.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{has_moved, hosts};
use super::incident::Incident;
use super::stealer::{file_name, upload};
use super::table::{Fill, Table};
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventType, Transfer};
use crate::time::Timestamp;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "beaconing-upload",
        number: 32,
        title: "A host uploads small files with a constant period",
        severity: 2,
        confidence: Confidence::Low,
        technique: Some("T1071.002"),
    },
    on: false,
    about: "A host stores small files (below 1 MiB) on one server again and again, with a constant period of 30 s to a day: \
            the times between them differ by less than a tenth from their mean, as many in a row as the threshold says. \
            Keyloggers and stealers do so. Off unless asked for, since jobs by the clock look the same.",
    tuning: "Allow the servers to which jobs upload.",
    threshold: Threshold { count: 6, per_s: 86400 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| small(event).is_some(),
    start: |threshold| Box::new(Beaconing { threshold, pairs: Table::new(KEYS_MAX) }),
};

/// A larger file is no beacon, bytes.
const SMALL: u64 = 1 << 20;
/// Uploads this close together are one occasion, nanoseconds.
const OCCASION_NS: u64 = 30_000_000_000;

fn small(event: &Event) -> Option<&Transfer> {
    upload(event).filter(|transfer| has_moved(transfer) && transfer.transfer.bytes < SMALL)
}

struct Beaconing {
    threshold: Threshold,
    pairs: Table<(IpAddr, IpAddr), Rhythm>,
}

#[derive(Default)]
struct Rhythm {
    last: Option<Timestamp>,
    /// The mean of the times between occasions, nanoseconds.
    period: u64,
    incident: Incident,
}

impl Detector for Beaconing {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(transfer) = small(event) else { return };
        let (client, server) = hosts(event);
        let rhythm = self.pairs.entry((client, server));
        let Some(last) = rhythm.last else {
            rhythm.last = Some(event.ts);
            return;
        };
        let between = event.ts.nanos_since(last);
        if between < OCCASION_NS {
            return;
        }
        rhythm.last = Some(event.ts);
        let beats = rhythm.incident.count;
        let is_in_time = beats == 0 || between.abs_diff(rhythm.period) < rhythm.period / 10;
        if !is_in_time || between > u64::from(self.threshold.per_s) * 1_000_000_000 {
            rhythm.incident = Incident::default();
            rhythm.period = between;
        } else {
            rhythm.period = (rhythm.period / (beats + 1)).saturating_mul(beats) + between / (beats + 1);
        }
        rhythm.incident.add(event, Some(transfer.tx), file_name(transfer));
        if rhythm.incident.count >= u64::from(self.threshold.count) && rhythm.incident.is_due() {
            let seconds = rhythm.period / 1_000_000_000;
            let message = format!("{client} uploads to {server} every {seconds} seconds");
            alerts.raise(&ENTRY.subject, event, &rhythm.incident, &[("period_s", seconds)], message);
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

    fn uploads(seconds: impl Iterator<Item = i64>) -> Vec<Event> {
        seconds.map(|second| Session::new(9).at(second).upload(1, "/x")).collect()
    }

    #[test]
    fn a_constant_period_alerts_also_with_a_little_jitter() {
        for jitter in [0, 3, 40] {
            let alerts = alerts_of(&ENTRY, &uploads((0..7).map(|n| n * 1_211 + n % 2 * jitter)));
            let [alert] = &alerts[..] else { panic!("{jitter}: {alerts:?}") };
            assert!(alert.evidence.counts["period_s"].abs_diff(1_211) < 30, "{alert:?}");
        }
    }

    #[test]
    fn few_and_irregular_uploads_do_not() {
        assert!(alerts_of(&ENTRY, &uploads((0..6).map(|n| n * 1_211))).is_empty());
        assert!(alerts_of(&ENTRY, &uploads((0..12).map(|n| n * n * 100))).is_empty());
        assert!(alerts_of(&ENTRY, &uploads((0..50).map(|n| n * 90_000))).is_empty(), "more than a day");
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).upload(1, "/x"));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
