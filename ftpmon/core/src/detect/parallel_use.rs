//! One account in use from many hosts at once.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{key, session, user};
use super::guessed::accepted;
use super::incident::Incident;
use super::table::{Fill, Table};
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType};
use crate::time::Timestamp;
use smallvec::SmallVec;
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
    sees: &[Seen::All(EventType::Login), Seen::All(EventType::SessionEnd)],
    wants: |event| accepted(event).is_some() || ended(event).is_some(),
    start: |threshold| Box::new(ParallelUse { threshold, accounts: Table::new(KEYS_MAX) }),
};

/// The logins of a session that ended, where there were some. Those as another user than its last are forgotten by time.
fn ended(event: &Event) -> Option<u32> {
    let EventKind::SessionEnd(session) = &event.kind else { return None };
    u32::try_from(session.end.logins).ok().filter(|logins| *logins > 0)
}

/// Hosts of an account. Stops an account that is everywhere.
const HOSTS_MAX: usize = 64;

type Account = (IpAddr, SmolStr);

struct ParallelUse {
    threshold: Threshold,
    accounts: Table<Account, Uses>,
}

#[derive(Default)]
struct Uses {
    /// Hosts with the number of logins of their open sessions and the time of the latest.
    open: SmallVec<[(IpAddr, u32, Timestamp); 1]>,
    incident: Incident,
}

impl Detector for ParallelUse {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(session) = session(event) else { return };
        let client = session.client.ip;
        let Some(login) = accepted(event) else {
            if let Some(logins) = ended(event)
                && let Some(uses) = self.accounts.find(&(session.server.ip, key(user(event))))
            {
                if let Some((_, open, _)) = uses.open.iter_mut().find(|(ip, ..)| *ip == client) {
                    *open = open.saturating_sub(logins);
                }
                uses.open.retain(|(_, open, _)| *open > 0);
            }
            return;
        };
        let account = (session.server.ip, key(login.user.as_deref().unwrap_or_default()));
        let uses = self.accounts.entry(account.clone());
        let window = u64::from(self.threshold.per_s) * 1_000_000_000;
        uses.open.retain(|(.., at)| event.ts.nanos_since(*at) < window);
        let is_full = uses.open.len() >= HOSTS_MAX;
        match uses.open.iter_mut().find(|(ip, ..)| *ip == client) {
            Some((_, open, at)) => (*open, *at) = (open.saturating_add(1), event.ts),
            None if is_full => return,
            None => {
                uses.open.push((client, 1, event.ts));
                uses.incident.add(event, None, "");
            }
        }
        let count = uses.open.len();
        if count >= self.threshold.count as usize && uses.incident.is_due() {
            uses.incident.name(uses.open.iter().map(|(ip, ..)| ip));
            let (server, user) = account;
            let message = format!("{count} hosts use {user:?} on {server} at once");
            alerts.raise(&ENTRY.subject, event, &uses.incident, &[("hosts", count as u64)], message);
        }
    }

    fn fill(&self) -> Fill {
        self.accounts.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn login(n: u32) -> Event {
        Session::of_source(n).at(n.into()).login("bob", true)
    }

    fn ended(n: u32, logins: u64) -> Event {
        let end = Session::of_source(n).at(n.into()).end(|end| end.logins = logins);
        Session::as_user(end, "bob")
    }

    #[test]
    fn a_session_that_logs_in_again_is_over_when_it_ends() {
        let turns = (0..50).flat_map(|n| [login(n), login(n), ended(n, 2)]);
        assert!(alerts_of(&ENTRY, &turns.collect::<Vec<_>>()).is_empty());
        let two = (0..3).flat_map(|n| [login(n), login(n), ended(n, 1)]).chain([login(3)]);
        assert_eq!(alerts_of(&ENTRY, &two.collect::<Vec<_>>()).len(), 1, "each host has one open");
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
        let turns = (0..50).flat_map(|n| [login(n), ended(n, 1)]);
        assert!(alerts_of(&ENTRY, &turns.collect::<Vec<_>>()).is_empty());
        let forgotten = (0..50).map(|n| Session::of_source(n).at(i64::from(n) * 3_600).login("bob", true));
        assert!(alerts_of(&ENTRY, &forgotten.collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).login(&n.to_string(), true));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
