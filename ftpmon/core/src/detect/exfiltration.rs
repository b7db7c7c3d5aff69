//! Much data that leaves for a server outside.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{hosts, is_inside, path};
use super::incident::Incident;
use super::stealer::upload;
use super::table::{Fill, Table};
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventType, Transfer};
use crate::time::Timestamp;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "exfiltration",
        number: 33,
        title: "A host inside uploads much to a server outside",
        severity: 2,
        confidence: Confidence::Low,
        technique: Some("T1048.003"),
    },
    on: false,
    about: "A client with a private address stores as many MiB as the threshold's count says on a server with a public \
            address within the threshold's time. Off unless asked for, since backups look the same.",
    tuning: "Allow the servers of your partners: exfiltration=server:NETWORK. The threshold is MEBIBYTES/TIME.",
    threshold: Threshold { count: 1024, per_s: 86400 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| outbound(event).is_some(),
    start: |threshold| Box::new(Exfiltration { threshold, pairs: Table::new(KEYS_MAX) }),
};

const MIB: u64 = 1 << 20;

fn outbound(event: &Event) -> Option<&Transfer> {
    let transfer = upload(event).filter(|transfer| transfer.transfer.bytes > 0)?;
    let (client, server) = hosts(event);
    (is_inside(client) && !is_inside(server)).then_some(transfer)
}

struct Exfiltration {
    threshold: Threshold,
    pairs: Table<(IpAddr, IpAddr), Volume>,
}

#[derive(Default)]
struct Volume {
    /// Bytes, which drain at the threshold's rate.
    bytes: u64,
    at: Timestamp,
    incident: Incident,
    /// Bytes since the incident began.
    sum: u64,
    reached: bool,
}

impl Detector for Exfiltration {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(transfer) = outbound(event) else { return };
        let (client, server) = hosts(event);
        let volume = self.pairs.entry((client, server));
        let full = u64::from(self.threshold.count) * MIB;
        let window = u64::from(self.threshold.per_s) * 1_000_000_000;
        let drained =
            u128::from(full) * u128::from(event.ts.nanos_since(volume.at)) / u128::from(window.max(1));
        volume.bytes = volume.bytes.saturating_sub(u64::try_from(drained).unwrap_or(u64::MAX));
        if volume.bytes == 0 {
            (volume.incident, volume.sum, volume.reached) = (Incident::default(), 0, false);
        }
        volume.at = volume.at.max(event.ts);
        volume.bytes = volume.bytes.saturating_add(transfer.transfer.bytes).min(full.saturating_mul(2));
        volume.sum = volume.sum.saturating_add(transfer.transfer.bytes);
        volume.incident.add(event, Some(transfer.tx), path(transfer));
        volume.reached |= volume.bytes >= full;
        if volume.reached && volume.incident.is_due() {
            let mib = volume.sum / MIB;
            let message = format!("{client} stored {mib} MiB on {server}");
            alerts.raise(&ENTRY.subject, event, &volume.incident, &[("bytes", volume.sum)], message);
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

    fn uploads(client: &str, server: &str, count: i64, seconds: i64) -> Vec<Event> {
        let upload = |n: i64| {
            let session = Session::between(client, server, 1).at(1_000_000 + n * seconds);
            session.transfer("STOR", "/x", |it| it.transfer.bytes = 103 * MIB)
        };
        (0..count).map(upload).collect()
    }

    #[test]
    fn a_gibibyte_to_the_outside_alerts() {
        let alerts = alerts_of(&ENTRY, &uploads("10.0.0.5", "203.0.113.5", 10, 1));
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "10.0.0.5 stored 1030 MiB on 203.0.113.5");
    }

    #[test]
    fn less_slower_or_within_does_not() {
        assert!(alerts_of(&ENTRY, &uploads("10.0.0.5", "203.0.113.5", 9, 1)).is_empty());
        assert!(alerts_of(&ENTRY, &uploads("10.0.0.5", "203.0.113.5", 99, 9_000)).is_empty());
        assert!(alerts_of(&ENTRY, &uploads("10.0.0.5", "10.0.0.6", 99, 1)).is_empty());
        assert!(alerts_of(&ENTRY, &uploads("203.0.113.9", "203.0.113.5", 99, 1)).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).upload(1, "/x"));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
