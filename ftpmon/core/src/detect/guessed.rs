//! A login that succeeds after many that failed.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::bucket::Bucket;
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::key;
use super::guessing::refused;
use super::incident::Incident;
use super::table::{Fill, Table};
use crate::event::{Confidence, Event, EventKind, EventType, LoginAttempt, LoginOutcome};
use crate::time::Timestamp;
use smol_str::SmolStr;

/// Hosts. Stops whoever makes up addresses.
const HOSTS_MAX: usize = 16_384;

/// Refusals of the same user that follow a success within this time belong to it, nanoseconds: servers delay refusals, so that a guesser with
/// several connections is in before the first of them comes.
const BEHIND_NS: u64 = 10_000_000_000;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "login-guessed",
        number: 3,
        title: "A login succeeded after many that failed",
        severity: 4,
        confidence: Confidence::Medium,
        technique: Some("T1078"),
    },
    on: true,
    about: "A host logs in after as many refusals as the threshold says, of whichever users: the account's password was probably guessed. \
            Refusals of this user that come up to ten seconds behind the login count too, since servers delay them. Anonymous logins do not \
            count as success.",
    tuning: "A person who forgot a password does this too: ask before you lock the account, or raise the count.",
    threshold: Threshold { count: 5, per_s: 600 },
    sees: &[Seen::All(EventType::Login)],
    wants: |event| refused(event).is_some() || accepted(event).is_some(),
    start: |threshold| Box::new(Guessed { threshold, hosts: Table::new(HOSTS_MAX) }),
};

/// The accepted login of a named user that an event reports.
pub(super) fn accepted(event: &Event) -> Option<&LoginAttempt> {
    match &event.kind {
        EventKind::Login(login) if login.login.outcome == LoginOutcome::Success && !login.login.anonymous => {
            Some(&login.login)
        }
        _ => None,
    }
}

struct Guessed {
    threshold: Threshold,
    hosts: Table<IpAddr, Host>,
}

#[derive(Default)]
struct Host {
    bucket: Bucket,
    failures: Incident,
    enough: bool,
    /// The latest success: the user and when.
    entered: Option<(SmolStr, Timestamp)>,
}

impl Host {
    /// The user of a success that is not long ago.
    fn entered_as(&self, user: &SmolStr, now: Timestamp) -> bool {
        self.entered.as_ref().is_some_and(|(of, at)| of == user && now.nanos_since(*at) < BEHIND_NS)
    }
}

impl Detector for Guessed {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(session) = &event.session else { return };
        let ip = session.client.ip;
        if let Some(login) = refused(event) {
            let user = key(login.user.as_deref().unwrap_or_default());
            let host = self.hosts.entry(ip);
            if host.bucket.is_empty(event.ts) {
                *host = Host { entered: host.entered.take(), ..Host::default() };
            }
            host.enough |= host.bucket.add(event.ts, self.threshold);
            host.failures.add(event, None, &user);
            if host.enough && host.entered_as(&user, event.ts) {
                host.entered = None;
                let failures = host.failures.count;
                let message = format!("{ip} logged in as {user:?} among {failures} failed logins");
                alerts.raise(&ENTRY.subject, event, &host.failures, &[("failures", failures)], message);
            }
        } else if let Some(login) = accepted(event) {
            let user = key(login.user.as_deref().unwrap_or_default());
            let host = self.hosts.entry(ip);
            let entered = Some((user.clone(), event.ts));
            let mut before = core::mem::replace(host, Host { entered, ..Host::default() });
            if !before.enough || before.bucket.is_empty(event.ts) {
                return;
            }
            host.entered = None;
            let failures = before.failures.count;
            let message = format!("{ip} logged in as {user:?} after {failures} failed logins");
            let tx = if let EventKind::Login(login) = &event.kind { Some(login.tx) } else { None };
            before.failures.add(event, tx, &user);
            alerts.raise(&ENTRY.subject, event, &before.failures, &[("failures", failures)], message);
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

    fn attempts(failures: i64, then: Event) -> Vec<Event> {
        let failed = (0..failures).map(|second| Session::new(9).at(second).login("bob", false));
        failed.chain([then]).collect()
    }

    #[test]
    fn success_after_five_failures_alerts() {
        let events = attempts(5, Session::new(9).at(20).login("bob", true));
        let alerts = alerts_of(&ENTRY, &events);
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "192.0.2.9 logged in as \"bob\" after 5 failed logins");
        assert_eq!((alert.severity, alert.evidence.counts["failures"]), (4, 5));
    }

    #[test]
    fn what_is_ordinary_does_not() {
        let person = attempts(3, Session::new(9).at(20).login("bob", true));
        assert!(alerts_of(&ENTRY, &person).is_empty(), "three mistakes");
        let later = attempts(9, Session::new(9).at(100_000).login("bob", true));
        assert!(alerts_of(&ENTRY, &later).is_empty(), "a day later");
        let other_host = attempts(9, Session::new(8).at(20).login("bob", true));
        assert!(alerts_of(&ENTRY, &other_host).is_empty(), "another host");
        let anonymous = attempts(9, Session::new(9).at(20).login("anonymous", true));
        assert!(alerts_of(&ENTRY, &anonymous).is_empty(), "everybody may");
    }

    #[test]
    fn a_guesser_with_many_connections_is_in_before_the_refusals_come() {
        let events = |user: &str, from: i64| {
            let mut events = vec![Session::new(9).at(0).login("bob", true)];
            events.extend((0..6).map(|second| Session::new(9).at(from + second).login(user, false)));
            events
        };
        let alerts = alerts_of(&ENTRY, &events("bob", 1));
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "192.0.2.9 logged in as \"bob\" among 5 failed logins");
        assert!(alerts_of(&ENTRY, &events("eve", 1)).is_empty(), "another user");
        assert!(alerts_of(&ENTRY, &events("bob", 60)).is_empty(), "a minute later");
    }

    #[test]
    fn a_success_between_the_failures_begins_anew() {
        let mut events = attempts(4, Session::new(9).at(5).login("bob", true));
        events.extend((6..10).map(|second| Session::new(9).at(second).login("bob", false)));
        events.push(Session::new(9).at(20).login("bob", true));
        assert!(alerts_of(&ENTRY, &events).is_empty());
    }
}
