//! One password that is tried on many accounts.

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
        id: "shared-secret",
        number: 15,
        title: "One password is tried on many accounts",
        severity: 3,
        confidence: Confidence::High,
        technique: Some("T1110.003"),
    },
    on: true,
    about: "The same secret is refused for as many different users of a server as the threshold says, from several hosts: \
            spraying that is spread over many addresses. Secrets are compared by what the events say of them: it needs \
            --secrets hash (or show), and the alert does not tell the secret.",
    tuning: "An application that logs in as many users with one wrong password looks like this.",
    threshold: Threshold { count: 5, per_s: 3600 },
    sees: &[Seen::All(EventType::Login)],
    wants: |event| refused_secret(event).is_some(),
    start: |threshold| Box::new(SharedSecret { threshold, secrets: Table::new(KEYS_MAX) }),
};

/// Users of a secret that are remembered: more than any threshold needs. Stops a list of names.
const USERS_MAX: usize = 64;

struct SharedSecret {
    threshold: Threshold,
    /// By server and secret.
    secrets: Table<(IpAddr, SmolStr), Tried>,
}

#[derive(Default)]
struct Tried {
    users: Vec<(SmolStr, Timestamp)>,
    hosts: Vec<IpAddr>,
    incident: Incident,
}

impl Detector for SharedSecret {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some((name, secret)) = refused_secret(event) else { return };
        let (name, secret) = (&key(name), key(secret));
        let (client, server) = hosts(event);
        let tried = self.secrets.entry((server, secret));
        let window = u64::from(self.threshold.per_s) * 1_000_000_000;
        tried.users.retain(|(_, at)| event.ts.nanos_since(*at) < window);
        if tried.users.is_empty() {
            *tried = Tried::default();
        }
        if tried.users.iter().any(|(known, _)| known == name) {
            return;
        }
        if tried.users.len() >= USERS_MAX {
            tried.users.remove(0);
        }
        tried.users.push((name.clone(), event.ts));
        if tried.hosts.len() < USERS_MAX && !tried.hosts.contains(&client) {
            tried.hosts.push(client);
        }
        tried.incident.add(event, None, name);
        let is_enough = tried.users.len() >= (self.threshold.count as usize).min(USERS_MAX);
        // One host that does this alone is for `login-spraying`.
        if is_enough && tried.hosts.len() > 1 && tried.incident.is_due() {
            let (users, hosts) = (tried.incident.count, tried.hosts.len() as u64);
            let message =
                format!("one password was refused for {users} users of {server}, from {hosts} hosts");
            let counts = [("users", users), ("hosts", hosts)];
            alerts.raise(&ENTRY.subject, event, &tried.incident, &counts, message);
        }
    }

    fn fill(&self) -> Fill {
        self.secrets.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn one_secret_for_five_users_from_five_hosts_alerts() {
        let attempt = |n: u8| Session::new(n + 2).login_with(&format!("user{n}"), "hmac-sha256:aa", false);
        let alerts = alerts_of(&ENTRY, &(0..5).map(attempt).collect::<Vec<_>>());
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "one password was refused for 5 users of 192.0.2.1, from 5 hosts");
        assert!(!format!("{alert:?}").contains("hmac"));
        let one_host = |n: u8| Session::new(9).login_with(&format!("user{n}"), "hmac-sha256:aa", false);
        assert!(alerts_of(&ENTRY, &(0..50).map(one_host).collect::<Vec<_>>()).is_empty(), "spraying");
        assert!(alerts_of(&ENTRY, &(0..4).map(attempt).collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn secrets_that_are_masked_or_differ_do_not() {
        let masked: Vec<_> = (0..50).map(|n| Session::new(n).login(&format!("u{n}"), false)).collect();
        assert!(alerts_of(&ENTRY, &masked).is_empty());
        let differ = |n: u8| Session::new(n).login_with(&format!("u{n}"), &n.to_string(), false);
        assert!(alerts_of(&ENTRY, &(0..50).map(differ).collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events =
            (0..2 * KEYS_MAX as u32).map(|n| Session::new(9).login_with("bob", &n.to_string(), false));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
