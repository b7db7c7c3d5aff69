//! Commands behind AUTH, before TLS.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::hosts;
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{AnomalyId, Confidence, Event, EventKind, EventType};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "auth-injection",
        number: 25,
        title: "Commands stand behind AUTH in clear text, where TLS was to begin",
        severity: 3,
        confidence: Confidence::High,
        technique: Some("T1557"),
    },
    on: true,
    about: "A command was sent between AUTH and the reply that accepts it (234), in its segment or a later one. A server \
            that keeps it and runs it after the TLS handshake takes for protected what anybody on the way could put there \
            (as CVE-2011-0411 in mail servers).",
    tuning: "No client does this; a scanner for the flaw does.",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::All(EventType::Anomaly)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

fn see(event: &Event) -> Option<Sighting<(IpAddr, IpAddr)>> {
    let EventKind::Anomaly(anomaly) = &event.kind else { return None };
    (anomaly.anomaly.id == AnomalyId::CommandBehindAuth).then(|| Sighting {
        key: hosts(event),
        tx: anomaly.tx,
        // Its detail begins with the command.
        example: anomaly.anomaly.detail.split(' ').next().unwrap_or_default().into(),
    })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    let verb = incident.examples.last().map(SmolStr::as_str).unwrap_or_default();
    format!("{verb} came behind AUTH in clear text from {client}, and {server} began TLS")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    const DETAIL: &str = "USER came behind AUTH, before its reply";

    #[test]
    fn a_command_behind_an_accepted_auth_alerts() {
        let behind = Session::new(9).anomaly(AnomalyId::CommandBehindAuth, DETAIL);
        assert_eq!(alerts_of(&ENTRY, &[behind]).len(), 1);
        let other = Session::new(9).anomaly(AnomalyId::UnaskedReply, "x");
        assert!(alerts_of(&ENTRY, &[other]).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32)
            .map(|n| Session::of_source(n).anomaly(AnomalyId::CommandBehindAuth, DETAIL));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
