//! One account in use from many hosts at once.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Threshold};
use super::facts::{key, session};
use super::guessed::accepted;
use super::incident::Incident;
use super::table::{Fill, Table};
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType};
use crate::time::Timestamp;
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "parallel-use",
        number: 19,
        title: "One account is in use from many hosts at once",
        severity: 2,
        confidence: Confidence::Low,
        technique: Some("T1078"),
    },
    on: false,
    about: "As many hosts as the threshold says have sessions of one user of one server open at once. A person is in one \
            place; a stolen account is in several. Off unless asked for, since accounts of applications are shared.",
    tuning: "Turn it on where accounts belong to persons. The time of the threshold is how long a session is remembered that \
            shows no end.",
    threshold: Threshold { count: 4, per_s: 3600 },
    types: &[EventType::Login, EventType::SessionEnd],
    wants: |event| accepted(event).is_some() || matches!(event.kind, EventKind::SessionEnd(_)),
    start: |threshold| {
        Box::new(ParallelUse { threshold, accounts: Table::new(KEYS_MAX), sessions: Table::new(KEYS_MAX) })
    },
};

/// Hosts of an account. Stops an account that is everywhere.
const HOSTS_MAX: usize = 64;

type Account = (IpAddr, SmolStr);

struct ParallelUse {
    threshold: Threshold,
    accounts: Table<Account, Uses>,
    /// The account of each session.
    sessions: Table<SmolStr, Option<Account>>,
}

#[derive(Default)]
struct Uses {
    /// Hosts with the number of their open sessions and the time of the latest login.
    open: Vec<(IpAddr, u32, Timestamp)>,
    incident: Incident,
}

impl Detector for ParallelUse {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(session) = session(event) else { return };
        let (id, client) = (SmolStr::new(session.id()), session.client.ip);
        let Some(login) = accepted(event) else {
            if let Some(account) = self.sessions.remove(&id).flatten()
                && let Some(uses) = self.accounts.find(&account)
            {
                if let Some((_, sessions, _)) = uses.open.iter_mut().find(|(ip, ..)| *ip == client) {
                    *sessions = sessions.saturating_sub(1);
                }
                uses.open.retain(|(_, sessions, _)| *sessions > 0);
            }
            return;
        };
        let account = (session.server.ip, key(login.user.as_deref().unwrap_or_default()));
        if self.sessions.entry(id).replace(account.clone()).is_some() {
            return;
        }
        let uses = self.accounts.entry(account.clone());
        let window = u64::from(self.threshold.per_s) * 1_000_000_000;
        uses.open.retain(|(.., at)| event.ts.nanos_since(*at) < window);
        let is_full = uses.open.len() >= HOSTS_MAX;
        match uses.open.iter_mut().find(|(ip, ..)| *ip == client) {
            Some((_, sessions, at)) => (*sessions, *at) = (*sessions + 1, event.ts),
            None if is_full => return,
            None => {
                uses.open.push((client, 1, event.ts));
                uses.incident.add(event, None, &client.to_string());
            }
        }
        let count = uses.open.len();
        if count >= self.threshold.count as usize && uses.incident.is_due() {
            let (server, user) = account;
            let message = format!("{count} hosts use {user:?} on {server} at once");
            alerts.raise(&ENTRY.subject, event, &uses.incident, &[("hosts", count as u64)], message);
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.accounts.fill();
        fill += self.sessions.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn login(n: u32) -> Event {
        Session::of_source(n).at(n.into()).login("bob", true)
    }

    #[test]
    fn four_hosts_at_once_alert() {
        let alerts = alerts_of(&ENTRY, &(0..4).map(login).collect::<Vec<_>>());
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "4 hosts use \"bob\" on 192.0.2.1 at once");
    }

    #[test]
    fn fewer_and_one_after_the_other_do_not() {
        assert!(alerts_of(&ENTRY, &(0..3).map(login).collect::<Vec<_>>()).is_empty());
        let turns = (0..50).flat_map(|n| [login(n), Session::of_source(n).at(n.into()).end(|_| {})]);
        assert!(alerts_of(&ENTRY, &turns.collect::<Vec<_>>()).is_empty());
        let forgotten = (0..50).map(|n| Session::of_source(n).at(i64::from(n) * 3_600).login("bob", true));
        assert!(alerts_of(&ENTRY, &forgotten.collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).login(&n.to_string(), true));
        assert_eq!(fill_after(&ENTRY, events).used, 2 * KEYS_MAX as u64);
    }
}
