//! A user who comes from where that user never came from.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{hosts, key};
use super::guessed::accepted;
use super::incident::Incident;
use super::table::{Fill, Table};
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventType};
use crate::time::Timestamp;
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "new-source",
        number: 20,
        title: "A user logged in from a network that is new for this user",
        severity: 2,
        confidence: Confidence::Low,
        technique: Some("T1078"),
    },
    on: true,
    about: "An account that logged in as often as the threshold says, always from networks that it was seen in before (/24 \
            for IPv4, /48 for IPv6), logs in from another one. What was seen is forgotten when the account did not log in \
            for the threshold's time, and at the end of the run.",
    tuning: "People travel: raise the count, or allow the networks of your VPN.",
    threshold: Threshold { count: 20, per_s: 2592000 },
    sees: &[Seen::All(EventType::Login)],
    wants: |event| accepted(event).is_some(),
    start: |threshold| Box::new(NewSource { threshold, accounts: Table::new(KEYS_MAX) }),
};

/// Networks of an account. Stops an account that is used from everywhere: it has no usual place.
const NETWORKS_MAX: usize = 16;

/// The network that stands for a place.
fn network(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(v4) => u64::from(u32::from(v4) >> 8),
        IpAddr::V6(v6) => ((u128::from(v6) >> 80) as u64) | (1 << 63),
    }
}

struct NewSource {
    threshold: Threshold,
    accounts: Table<(IpAddr, SmolStr), Habit>,
}

#[derive(Default)]
struct Habit {
    networks: Vec<u64>,
    /// Logins from known networks since the latest new one.
    logins: u32,
    last: Timestamp,
}

impl Detector for NewSource {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(login) = accepted(event) else { return };
        let (client, server) = hosts(event);
        let user = key(login.user.as_deref().unwrap_or_default());
        let habit = self.accounts.entry((server, user.clone()));
        if event.ts.nanos_since(habit.last) >= u64::from(self.threshold.per_s) * 1_000_000_000 {
            *habit = Habit::default();
        }
        habit.last = event.ts;
        if habit.networks.contains(&network(client)) {
            habit.logins = habit.logins.saturating_add(1);
            return;
        }
        let has_room = habit.networks.len() < NETWORKS_MAX;
        let (is_new, known) = (has_room && habit.logins >= self.threshold.count, u64::from(habit.logins));
        // The first network of all is where the user belongs.
        habit.logins = u32::from(habit.networks.is_empty());
        if has_room {
            habit.networks.push(network(client));
        }
        if is_new {
            let mut incident = Incident::default();
            incident.add(event, None, &client.to_string());
            let message = format!("{user:?} logged in to {server} from {client}, for the first time");
            alerts.raise(&ENTRY.subject, event, &incident, &[("logins_before", known)], message);
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

    fn login(client: &str, second: i64) -> Event {
        Session::between(client, "192.0.2.1", 1).at(second).login("bob", true)
    }

    fn logins(count: i64, then: &str) -> Vec<Event> {
        let known = (0..count).map(|n| login("198.51.100.7", n * 3_600));
        known.chain([login(then, count * 3_600)]).collect()
    }

    #[test]
    fn a_new_network_after_twenty_logins_alerts() {
        let alerts = alerts_of(&ENTRY, &logins(20, "203.0.113.5"));
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "\"bob\" logged in to 192.0.2.1 from 203.0.113.5, for the first time");
        assert_eq!(alert.evidence.counts["logins_before"], 20);
    }

    #[test]
    fn known_networks_few_logins_and_long_pauses_do_not() {
        assert!(alerts_of(&ENTRY, &logins(20, "198.51.100.8")).is_empty());
        assert!(alerts_of(&ENTRY, &logins(19, "203.0.113.5")).is_empty());
        let mut pause = logins(20, "198.51.100.8");
        pause.push(login("203.0.113.5", 40 * 86_400));
        assert!(alerts_of(&ENTRY, &pause).is_empty());
    }

    #[test]
    fn an_account_that_is_everywhere_does_not() {
        let everywhere = (0..1_000).map(|n: u32| Session::of_source(n * 256).login("bob", true));
        assert!(alerts_of(&ENTRY, &everywhere.collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::new(9).login(&n.to_string(), true));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
