//! Commands behind AUTH, before TLS.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Threshold};
use super::facts::{answer, hosts, session};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Command, CommandLine, Confidence, Event, EventKind, EventType};
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
    types: &[EventType::Command, EventType::Reply, EventType::SessionEnd],
    wants: |event| step(event).is_some(),
    start: |threshold| {
        Box::new(AuthInjection { threshold, waiting: Table::new(KEYS_MAX), pairs: Table::new(KEYS_MAX) })
    },
};

enum Step<'e> {
    Auth,
    /// Any other command: the first behind AUTH is of interest.
    Other(&'e CommandLine, u64),
    /// The reply to AUTH.
    Decided(bool),
    Over,
}

fn step(event: &Event) -> Option<Step<'_>> {
    match &event.kind {
        EventKind::Command(Command { command, .. }) if command.verb == "AUTH" => Some(Step::Auth),
        // Session by session a command behind AUTH comes before its reply: those of a dialogue that waits for replies never count.
        EventKind::Command(Command { command, tx }) => Some(Step::Other(command, *tx)),
        EventKind::Reply(_) => {
            let (_, verb, code) = answer(event)?;
            (verb == "AUTH").then_some(Step::Decided(code == 234))
        }
        EventKind::SessionEnd(_) => Some(Step::Over),
        _ => None,
    }
}

struct AuthInjection {
    threshold: Threshold,
    /// Sessions in which AUTH waits for its reply, with the first command behind it.
    waiting: Table<SmolStr, Option<(SmolStr, u64)>>,
    pairs: Table<(IpAddr, IpAddr), Watch>,
}

impl Detector for AuthInjection {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(step), Some(session)) = (step(event), session(event)) else { return };
        // Most commands come while nobody waits.
        if !matches!(step, Step::Auth) && self.waiting.is_empty() {
            return;
        }
        let id = SmolStr::new(session.id());
        let behind = match step {
            Step::Auth => {
                self.waiting.entry(id);
                return;
            }
            Step::Other(command, tx) => {
                if let Some(behind) = self.waiting.find(&id) {
                    behind.get_or_insert_with(|| (command.verb.clone(), tx));
                }
                return;
            }
            Step::Over | Step::Decided(false) => {
                self.waiting.remove(&id);
                return;
            }
            Step::Decided(true) => self.waiting.remove(&id).flatten(),
        };
        let Some((verb, tx)) = behind else { return };
        let (client, server) = hosts(event);
        let watch = self.pairs.entry((client, server));
        if let Some(incident) = watch.add(self.threshold, event, Some(tx), &verb) {
            let message =
                format!("{verb} came behind AUTH in clear text from {client}, and {server} began TLS");
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.waiting.fill();
        fill += self.pairs.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn a_command_between_auth_and_its_acceptance_alerts() {
        let session = || Session::new(9);
        let auth = || session().command("AUTH", Some("TLS"));
        let user = || session().command("USER", Some("bob"));
        let yes = || session().reply(("AUTH", Some("TLS")), 234, "");
        let no = || session().reply(("AUTH", Some("TLS")), 502, "");
        assert_eq!(alerts_of(&ENTRY, &[auth(), user(), yes()]).len(), 1);
        assert!(alerts_of(&ENTRY, &[auth(), yes(), user()]).is_empty());
        assert!(alerts_of(&ENTRY, &[auth(), user(), no()]).is_empty(), "it stays in clear text");
        assert!(alerts_of(&ENTRY, &[auth(), Session::new(8).command("USER", None), yes()]).is_empty());
        assert!(alerts_of(&ENTRY, &[auth(), no(), auth(), yes(), user()]).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).command("AUTH", Some("TLS")));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
