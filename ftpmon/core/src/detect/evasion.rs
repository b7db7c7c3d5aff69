//! Attempts to show a monitor another dialogue than the peer hears.

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::incident::Incident;
use super::table::{Fill, Table};
use crate::event::{Anomaly, AnomalyId, Confidence, Event, EventKind, EventType};

/// Sessions. Stops whoever opens many and plays the game in each.
const SESSIONS_MAX: usize = 16_384;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "stream-evasion",
        number: 12,
        title: "A control connection was made to look different to a monitor",
        severity: 3,
        confidence: Confidence::High,
        technique: None,
    },
    on: true,
    about: "Retransmitted bytes of a control connection that differ from the first ones (`overlap_conflict`) or Telnet within a command \
            (`telnet_in_command`), once; or segments that their \
            receiver drops or that another host forged (`doubtful_segment`), as many as the threshold says in one session.",
    tuning: "A middlebox that rewrites addresses in PORT or 227 and is seen on both sides looks like this: capture on one side of it.",
    threshold: Threshold { count: 3, per_s: 3_600 },
    sees: &[Seen::All(EventType::Anomaly)],
    wants: |event| oddity(event).is_some(),
    start: |threshold| Box::new(Evasion { threshold, sessions: Table::new(SESSIONS_MAX) }),
};

fn oddity(event: &Event) -> Option<&Anomaly> {
    match &event.kind {
        EventKind::Anomaly(anomaly)
            if matches!(
                anomaly.anomaly.id,
                AnomalyId::OverlapConflict | AnomalyId::DoubtfulSegment | AnomalyId::TelnetInCommand
            ) =>
        {
            Some(anomaly)
        }
        _ => None,
    }
}

struct Evasion {
    threshold: Threshold,
    sessions: Table<u128, Oddities>,
}

#[derive(Default)]
struct Oddities {
    incident: Incident,
    conflicts: u64,
    telnet: u64,
}

impl Detector for Evasion {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(anomaly), Some(session)) = (oddity(event), &event.session) else { return };
        let oddities = self.sessions.entry(session.number());
        oddities.incident.add(event, anomaly.tx, &anomaly.anomaly.detail);
        oddities.conflicts += u64::from(anomaly.anomaly.id == AnomalyId::OverlapConflict);
        oddities.telnet += u64::from(anomaly.anomaly.id == AnomalyId::TelnetInCommand);
        let enough = oddities.conflicts + oddities.telnet > 0
            || oddities.incident.count >= u64::from(self.threshold.count);
        if enough && oddities.incident.is_due() {
            let Oddities { conflicts, telnet, .. } = *oddities;
            let doubtful = oddities.incident.count - conflicts - telnet;
            let (client, server) = (session.client, session.server);
            let message = format!(
                "{client} with {server}: {conflicts} conflicting overlaps, {doubtful} doubtful segments, {telnet} times Telnet in commands"
            );
            let counts = [("conflicts", conflicts), ("doubtful", doubtful), ("telnet", telnet)];
            alerts.raise(&ENTRY.subject, event, &oddities.incident, &counts, message);
        }
    }

    fn fill(&self) -> Fill {
        self.sessions.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Session, alerts_of};
    use super::*;

    #[test]
    fn one_conflict_alerts_and_doubtful_segments_from_the_third_on() {
        let conflict = Session::new(9).anomaly(AnomalyId::OverlapConflict, "x");
        assert_eq!(alerts_of(&ENTRY, &[conflict]).len(), 1);
        let telnet = Session::new(9).anomaly(AnomalyId::TelnetInCommand, "x");
        assert_eq!(alerts_of(&ENTRY, &[telnet])[0].evidence.counts["telnet"], 1);
        let doubtful = |count| {
            let events: Vec<_> =
                (0..count).map(|_| Session::new(9).anomaly(AnomalyId::DoubtfulSegment, "y")).collect();
            alerts_of(&ENTRY, &events).len()
        };
        assert_eq!((doubtful(2), doubtful(3)), (0, 1));
        let sessions: Vec<_> =
            (1..100).map(|host| Session::new(host).anomaly(AnomalyId::DoubtfulSegment, "y")).collect();
        assert!(alerts_of(&ENTRY, &sessions).is_empty(), "one a session");
    }
}
