//! A search for accounts that exist.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{key, session};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType, Login, LoginOutcome};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "user-enumeration",
        number: 16,
        title: "Accounts are looked for by USER alone",
        severity: 2,
        confidence: Confidence::Medium,
        technique: Some("T1087"),
    },
    on: true,
    about: "One host sends USER with as many different names as the threshold says, and no PASS after them: servers that \
            refuse unknown names at once (530), or later than others, tell which accounts exist. `known` and `unknown` count \
            the replies 331 and 5yz.",
    tuning: "Health checks that send USER and QUIT use one name.",
    threshold: Threshold { count: 10, per_s: 600 },
    sees: &[Seen::All(EventType::Login)],
    wants: |event| name_alone(event).is_some(),
    start: |threshold| Box::new(Enumeration { threshold, hosts: Table::new(KEYS_MAX) }),
};

/// Names of a host that are remembered. Stops a list of names.
const NAMES_MAX: usize = 64;

/// The name of a login without a password, and whether the server refused it.
fn name_alone(event: &Event) -> Option<(&SmolStr, bool)> {
    let EventKind::Login(Login { login, .. }) = &event.kind else { return None };
    let refused = match login.outcome {
        LoginOutcome::Abandoned => false,
        LoginOutcome::Failure if login.code >= Some(500) => true,
        LoginOutcome::Failure | LoginOutcome::Success => return None,
    };
    let name = login.user.as_ref().filter(|_| login.secret.is_none() && !login.anonymous)?;
    Some((name, refused))
}

struct Enumeration {
    threshold: Threshold,
    hosts: Table<IpAddr, Host>,
}

#[derive(Default)]
struct Host {
    watch: Watch,
    names: Vec<SmolStr>,
    known: u64,
    unknown: u64,
}

impl Detector for Enumeration {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some((name, refused)), Some(session)) = (name_alone(event), session(event)) else { return };
        let name = key(name);
        let ip = session.client.ip;
        let host = self.hosts.entry(ip);
        if host.watch.is_over(event.ts) {
            *host = Host::default();
        }
        if host.names.contains(&name) {
            return;
        }
        if host.names.len() < NAMES_MAX {
            host.names.push(name.clone());
        }
        *(if refused { &mut host.unknown } else { &mut host.known }) += 1;
        let counts = [("known", host.known), ("unknown", host.unknown)];
        if let Some(incident) = host.watch.add(self.threshold, event, None, &name) {
            let message =
                format!("{ip} asked {} for {} users without a password", session.server.ip, incident.count);
            alerts.raise(&ENTRY.subject, event, incident, &counts, message);
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

    /// A login without a password: refused, or given up.
    fn alone(session: Session, name: &str, refused: bool) -> Event {
        let mut event = session.login(name, false);
        if let EventKind::Login(login) = &mut event.kind {
            login.login.secret = None;
            if !refused {
                (login.login.outcome, login.login.code) = (LoginOutcome::Abandoned, None);
            }
        }
        event
    }

    fn asked(count: u32, refused: bool) -> Vec<Event> {
        let asked = |n: u32| alone(Session::new(9).at(n.into()), &format!("user{n}"), refused);
        (0..count).map(asked).collect()
    }

    #[test]
    fn names_without_passwords_alert_whatever_the_reply() {
        for (refused, count) in [(false, "known"), (true, "unknown")] {
            let alerts = alerts_of(&ENTRY, &asked(11, refused));
            let [alert] = &alerts[..] else { panic!("{refused}: {alerts:?}") };
            assert_eq!(alert.message, "192.0.2.9 asked 192.0.2.1 for 10 users without a password");
            assert_eq!(alert.evidence.counts[count], 10);
        }
    }

    #[test]
    fn a_name_a_session_alerts_too() {
        let asked = |n: u32| {
            alone(
                Session::between("192.0.2.9", "192.0.2.1", n.into()).at(n.into()),
                &format!("user{n}"),
                false,
            )
        };
        assert_eq!(alerts_of(&ENTRY, &(0..10).map(asked).collect::<Vec<_>>()).len(), 1);
    }

    #[test]
    fn logins_few_names_and_one_name_do_not() {
        let passwords = [true, false].map(|success| {
            let login = |n: i64| Session::new(9).at(n).login(&format!("user{n}"), success);
            (0..100).map(login).collect::<Vec<_>>()
        });
        assert!(passwords.iter().all(|events| alerts_of(&ENTRY, events).is_empty()));
        assert!(alerts_of(&ENTRY, &asked(9, false)).is_empty());
        let one: Vec<_> = (0..99).map(|_| alone(Session::new(9), "bob", false)).collect();
        assert!(alerts_of(&ENTRY, &one).is_empty());
        let anonymous: Vec<_> = (0..99).map(|_| alone(Session::new(9), "anonymous", true)).collect();
        assert!(alerts_of(&ENTRY, &anonymous).is_empty());
    }

    #[test]
    fn a_server_that_has_no_room_says_nothing_of_accounts() {
        let full = |n: i64| {
            let mut event = alone(Session::new(9).at(n), &format!("user{n}"), true);
            if let EventKind::Login(login) = &mut event.kind {
                login.login.code = Some(421);
            }
            event
        };
        assert!(alerts_of(&ENTRY, &(0..50).map(full).collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| alone(Session::of_source(n), "x", true));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
