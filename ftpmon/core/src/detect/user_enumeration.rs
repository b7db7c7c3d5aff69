//! A search for accounts that exist.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Threshold};
use super::facts::{is_anonymous, key, session};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Command, CommandRef, Confidence, Event, EventKind, EventType, Reply};
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
    types: &[EventType::Reply, EventType::Command, EventType::SessionEnd],
    wants: |event| step(event).is_some(),
    start: |threshold| {
        Box::new(Enumeration { threshold, asked: Table::new(KEYS_MAX), hosts: Table::new(KEYS_MAX) })
    },
};

/// Names of a host that are remembered. Stops a list of names.
const NAMES_MAX: usize = 64;

enum Step<'e> {
    /// The reply to USER.
    Asked(&'e SmolStr, u16),
    Pass,
    /// The session is over.
    End,
}

fn step(event: &Event) -> Option<Step<'_>> {
    match &event.kind {
        EventKind::Reply(Reply { reply, command: Some(CommandRef { verb, arg: Some(name) }), .. })
            if verb == "USER" =>
        {
            Some(Step::Asked(name, reply.code?))
        }
        EventKind::Command(Command { command, .. }) if command.verb == "PASS" => Some(Step::Pass),
        EventKind::SessionEnd(_) => Some(Step::End),
        _ => None,
    }
}

struct Enumeration {
    threshold: Threshold,
    /// The name of each session that no PASS came for, with the reply's code.
    asked: Table<SmolStr, Option<(SmolStr, u16)>>,
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
        let (Some(step), Some(session)) = (step(event), session(event)) else { return };
        let id = SmolStr::new(session.id());
        let before = match step {
            // A name that is refused at once needs no password.
            Step::Asked(name, code @ 500..) => Some((key(name), code)),
            Step::Asked(name, code) => self.asked.entry(id).replace((key(name), code)),
            Step::Pass => {
                self.asked.remove(&id);
                None
            }
            Step::End => self.asked.remove(&id).flatten(),
        };
        let Some((name, code)) = before.filter(|(name, _)| !is_anonymous(name)) else { return };
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
        *(if code < 400 { &mut host.known } else { &mut host.unknown }) += 1;
        let counts = [("known", host.known), ("unknown", host.unknown)];
        if let Some(incident) = host.watch.add(self.threshold, event, None, &name) {
            let message =
                format!("{ip} asked {} for {} users without a password", session.server.ip, incident.count);
            alerts.raise(&ENTRY.subject, event, incident, &counts, message);
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.asked.fill();
        fill += self.hosts.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn asked(count: u32, code: u16, passwords: bool) -> Vec<Event> {
        let asked = |n: u32| {
            let session = || Session::new(9).at(n.into());
            let reply = session().reply(("USER", Some(&format!("user{n}"))), code, "");
            let then = if passwords { "PASS" } else { "NOOP" };
            [reply, session().command(then, Some("***"))]
        };
        (0..count).flat_map(asked).collect()
    }

    #[test]
    fn names_without_passwords_alert_whatever_the_reply() {
        for (code, count) in [(331, "known"), (530, "unknown")] {
            let alerts = alerts_of(&ENTRY, &asked(11, code, false));
            let [alert] = &alerts[..] else { panic!("{code}: {alerts:?}") };
            assert_eq!(alert.message, "192.0.2.9 asked 192.0.2.1 for 10 users without a password");
            assert_eq!(alert.evidence.counts[count], 10);
        }
    }

    #[test]
    fn a_name_a_session_alerts_too() {
        let asked = |n: u32| {
            let session = || Session::between("192.0.2.9", "192.0.2.1", n.into()).at(n.into());
            [session().reply(("USER", Some(&format!("user{n}"))), 331, ""), session().end(|_| {})]
        };
        assert_eq!(alerts_of(&ENTRY, &(0..10).flat_map(asked).collect::<Vec<_>>()).len(), 1);
    }

    #[test]
    fn logins_few_names_and_one_name_do_not() {
        assert!(alerts_of(&ENTRY, &asked(100, 331, true)).is_empty());
        assert!(alerts_of(&ENTRY, &asked(10, 331, false)).is_empty());
        let one: Vec<_> = (0..99).map(|_| Session::new(9).reply(("USER", Some("bob")), 331, "")).collect();
        assert!(alerts_of(&ENTRY, &one).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events =
            (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).reply(("USER", Some("x")), 331, ""));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
