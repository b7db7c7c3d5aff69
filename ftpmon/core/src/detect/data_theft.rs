//! Strangers at announced data ports.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::table::{Fill, Table};
use super::watch::Watch;
use crate::event::{Anomaly, AnomalyId, Confidence, Event, EventKind, EventType};

/// Hosts whose data ports strangers connected to. Stops whoever has sessions from many addresses.
const HOSTS_MAX: usize = 16_384;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "data-port-theft",
        number: 7,
        title: "Another host connected to a data port that was announced to a client",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1557"),
    },
    on: true,
    about: "A server announced a data port to a client, or a client to a server, and another host connected to it: it may get the file, or give \
            a false one (RFC 2577 section 4). The session's `unexpected_peer` names that host.",
    tuning: "Transfers between two servers (FXP) and clients that change their address look like this; a port scan of a server does too.",
    threshold: Threshold { count: 1, per_s: 86_400 },
    sees: &[Seen::All(EventType::Anomaly)],
    wants: |event| stranger(event).is_some(),
    start: |threshold| Box::new(DataTheft { threshold, hosts: Table::new(HOSTS_MAX) }),
};

fn stranger(event: &Event) -> Option<&Anomaly> {
    match &event.kind {
        EventKind::Anomaly(anomaly) if anomaly.anomaly.id == AnomalyId::UnexpectedPeer => Some(anomaly),
        _ => None,
    }
}

struct DataTheft {
    threshold: Threshold,
    hosts: Table<IpAddr, Watch>,
}

impl Detector for DataTheft {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(anomaly), Some(session)) = (stranger(event), &event.session) else { return };
        let watch = self.hosts.entry(session.server.ip);
        if let Some(incident) = watch.add(self.threshold, event, anomaly.tx, &anomaly.anomaly.detail) {
            let message =
                format!("session of {} with {}: {}", session.client, session.server, anomaly.anomaly.detail);
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        self.hosts.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Session, alerts_of};
    use super::*;

    #[test]
    fn a_stranger_alerts_with_the_session_and_the_detail() {
        let detail = "203.0.113.5:4000 connected";
        let event = Session::new(9).anomaly(AnomalyId::UnexpectedPeer, detail);
        let alerts = alerts_of(&ENTRY, &[event]);
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert!(alert.message.ends_with(detail), "{}", alert.message);
        assert_eq!(alert.evidence.sessions.len(), 1);
    }

    #[test]
    fn other_anomalies_do_not() {
        let event = Session::new(9).anomaly(AnomalyId::BadEndpoint, "x");
        assert!(alerts_of(&ENTRY, &[event]).is_empty());
    }
}
