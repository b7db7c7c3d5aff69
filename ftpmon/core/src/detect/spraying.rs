//! Many accounts tried by one host.

use std::net::IpAddr;

use smol_str::SmolStr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::key;
use super::guessing::refused;
use super::incident::Incident;
use super::table::{Fill, Table};
use crate::event::{Confidence, Event, EventType};
use crate::time::Timestamp;

/// Hosts. Stops whoever makes up addresses.
const HOSTS_MAX: usize = 16_384;
/// Users of a host that are remembered: more than any threshold needs. Stops a host that makes up names.
const USERS_MAX: usize = 64;
/// A slow sprayer tries this many times as many users ...
const SLOW_COUNT: usize = 4;
/// ... in this many times the time.
const SLOW_TIME: u64 = 24;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "login-spraying",
        number: 2,
        title: "Many accounts are tried by one host",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1110.003"),
    },
    on: true,
    about: "Refused logins of different users by one host: as many users as the threshold says within its time, or four times as many in 24 \
            times its time, which finds a slow sprayer. It finds a password that is tried on many accounts, lists of stolen names and passwords, and a search for accounts that exist.",
    tuning: "A proxy or NAT in front of many people looks like one host: raise the count.",
    threshold: Threshold { count: 5, per_s: 600 },
    sees: &[Seen::All(EventType::Login)],
    wants: |event| refused(event).is_some(),
    start: |threshold| Box::new(Spraying { threshold, hosts: Table::new(HOSTS_MAX) }),
};

struct Spraying {
    threshold: Threshold,
    hosts: Table<IpAddr, Host>,
}

#[derive(Default)]
struct Host {
    /// Users with the time of their latest refusal, in the order of these times.
    users: Vec<(SmolStr, Timestamp)>,
    incident: Incident,
    /// Different users since the incident began.
    distinct: u64,
}

impl Host {
    /// Notes a refusal, and forgets what is older than a slow sprayer's time.
    fn refused(&mut self, user: &SmolStr, now: Timestamp, window_ns: u64) {
        let slow_ns = window_ns.saturating_mul(SLOW_TIME);
        self.users.retain(|(_, at)| now.nanos_since(*at) < slow_ns);
        if self.users.is_empty() {
            (self.incident, self.distinct) = (Incident::default(), 0);
        }
        let before = self.users.len();
        self.users.retain(|(known, _)| known != user);
        self.distinct += u64::from(self.users.len() == before);
        if self.users.len() >= USERS_MAX {
            self.users.remove(0);
        }
        self.users.push((user.clone(), now));
    }

    /// As many users as the threshold says within its time, or as a slow sprayer tries.
    fn is_enough(&self, threshold: Threshold, now: Timestamp, window_ns: u64) -> bool {
        let fast = (threshold.count as usize).min(USERS_MAX);
        let slow = fast.saturating_mul(SLOW_COUNT).min(USERS_MAX);
        let latest = self.users.iter().rev().take_while(|(_, at)| now.nanos_since(*at) < window_ns);
        self.users.len() >= slow || latest.count() >= fast
    }
}

impl Detector for Spraying {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(login), Some(session)) = (refused(event), &event.session) else { return };
        let user = key(login.user.as_deref().unwrap_or_default());
        let host = self.hosts.entry(session.client.ip);
        let window_ns = u64::from(self.threshold.per_s) * 1_000_000_000;
        host.refused(&user, event.ts, window_ns);
        host.incident.add(event, None, &user);
        if host.is_enough(self.threshold, event.ts, window_ns) && host.incident.is_due() {
            let users = host.distinct;
            let message = format!("{} failed to log in as {users} different users", session.client.ip);
            alerts.raise(&ENTRY.subject, event, &host.incident, &[("users", users)], message);
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
    fn five_users_of_one_host_alert() {
        let events: Vec<_> =
            (0..5).map(|n| Session::new(9).at(n * 60).login(&format!("user{n}"), false)).collect();
        let alerts = alerts_of(&ENTRY, &events);
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "192.0.2.9 failed to log in as 5 different users");
        assert_eq!(alert.evidence.counts["users"], 5);
        assert_eq!(alert.evidence.examples.len(), 5);
    }

    #[test]
    fn few_users_or_one_user_often_do_not_alert() {
        let few: Vec<_> =
            (0..100).map(|n| Session::new(9).at(n).login(&format!("user{}", n % 4), false)).collect();
        assert!(alerts_of(&ENTRY, &few).is_empty(), "four users");
        let every = |seconds: i64| -> Vec<_> {
            (0..50).map(|n| Session::new(9).at(n * seconds).login(&format!("user{n}"), false)).collect()
        };
        assert!(alerts_of(&ENTRY, &every(900)).is_empty(), "sixteen in four hours");
        assert_eq!(alerts_of(&ENTRY, &every(660))[0].evidence.counts["users"], 20, "a slow sprayer");
        let hosts: Vec<_> = (1..100).map(|n| Session::new(n).login(&format!("user{n}"), false)).collect();
        assert!(alerts_of(&ENTRY, &hosts).is_empty(), "one user a host");
    }

    #[test]
    fn a_long_list_of_users_is_counted_and_bounded() {
        let events: Vec<_> =
            (0..1_000).map(|n| Session::new(9).at(n).login(&format!("user{n}"), false)).collect();
        let alerts = alerts_of(&ENTRY, &events);
        assert_eq!(alerts.last().map(|alert| alert.evidence.counts["users"]), Some(640));
        assert!(alerts.len() < 10, "one alert a doubling");
    }
}
