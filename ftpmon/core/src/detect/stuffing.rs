//! Lists of stolen names and passwords.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{hosts, key, refused_secret};
use super::incident::Incident;
use super::table::{Fill, Table};
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventType};
use crate::time::Timestamp;
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "login-stuffing",
        number: 14,
        title: "A list of names and passwords is tried",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1110.004"),
    },
    on: true,
    about: "One host is refused as many different users as the threshold says, each with a secret of its own. That is a list \
            of stolen pairs, where spraying tries one secret on many. Secrets are compared by what the events say of them: \
            it needs --secrets hash (or show).",
    tuning: "A proxy or NAT in front of many people looks like one host: raise the count, or allow it.",
    threshold: Threshold { count: 10, per_s: 600 },
    sees: &[Seen::All(EventType::Login)],
    wants: |event| refused_secret(event).is_some(),
    start: |threshold| Box::new(Stuffing { threshold, hosts: Table::new(KEYS_MAX) }),
};

/// Pairs of a host that are remembered: more than any threshold needs. Stops a host that makes up names.
const PAIRS_MAX: usize = 64;

struct Stuffing {
    threshold: Threshold,
    hosts: Table<IpAddr, Host>,
}

#[derive(Default)]
struct Host {
    /// Users and secrets, each once, with the time of the attempt.
    pairs: Vec<(SmolStr, SmolStr, Timestamp)>,
    incident: Incident,
}

impl Detector for Stuffing {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some((name, secret)) = refused_secret(event) else { return };
        let (name, secret) = (&key(name), &key(secret));
        let (ip, _) = hosts(event);
        let host = self.hosts.entry(ip);
        let window = u64::from(self.threshold.per_s) * 1_000_000_000;
        host.pairs.retain(|(.., at)| event.ts.nanos_since(*at) < window);
        if host.pairs.is_empty() {
            host.incident = Incident::default();
        }
        if host.pairs.iter().any(|(known, of, _)| known == name || of == secret) {
            return;
        }
        if host.pairs.len() >= PAIRS_MAX {
            host.pairs.remove(0);
        }
        host.pairs.push((name.clone(), secret.clone(), event.ts));
        host.incident.add(event, None, name);
        if host.pairs.len() >= (self.threshold.count as usize).min(PAIRS_MAX) && host.incident.is_due() {
            let users = host.incident.count;
            let message = format!("{ip} tried {users} users, each with another password");
            alerts.raise(&ENTRY.subject, event, &host.incident, &[("users", users)], message);
        }
    }

    fn fill(&self) -> Fill {
        self.hosts.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn tried(count: u32, secret: impl Fn(u32) -> String) -> Vec<Event> {
        let attempt =
            |n: u32| Session::new(9).at(n.into()).login_with(&format!("user{n}"), &secret(n), false);
        (0..count).map(attempt).collect()
    }

    #[test]
    fn ten_pairs_alert_and_their_secrets_stay_untold() {
        let alerts = alerts_of(&ENTRY, &tried(10, |n| format!("hmac-sha256:{n}")));
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "192.0.2.9 tried 10 users, each with another password");
        assert!(!format!("{alert:?}").contains("hmac"));
    }

    #[test]
    fn few_pairs_equal_secrets_and_masked_ones_do_not() {
        assert!(alerts_of(&ENTRY, &tried(9, |n| n.to_string())).is_empty());
        assert!(alerts_of(&ENTRY, &tried(99, |_| "same".to_owned())).is_empty(), "spraying");
        assert!(alerts_of(&ENTRY, &tried(99, |_| "***".to_owned())).is_empty());
        let one: Vec<_> =
            (0..99).map(|n: u32| Session::new(9).login_with("bob", &n.to_string(), false)).collect();
        assert!(alerts_of(&ENTRY, &one).is_empty(), "guessing");
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).login_with("bob", "x", false));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
