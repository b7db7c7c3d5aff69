//! Clients that give up TLS when it is refused.

use super::clear_text_login::in_clear;
use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{answer, hosts, session};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "tls-fallback",
        number: 22,
        title: "A client logged in without TLS after the server refused it",
        severity: 2,
        confidence: Confidence::Low,
        technique: Some("T1562.010"),
    },
    on: false,
    about: "AUTH is refused and the user logs in without TLS in the same session. The client prefers clear text to no \
            session; where FEAT offers TLS, `tls-stripped` has it. Off unless asked for: clients do so with every server \
            that has no TLS.",
    tuning: "Set clients to require TLS.",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::Replies(|code| code >= 400), Seen::All(EventType::Login), Seen::All(EventType::SessionEnd)],
    wants: |event| {
        is_refusal(event) || in_clear(event).is_some() || matches!(event.kind, EventKind::SessionEnd(_))
    },
    start: |threshold| {
        Box::new(TlsFallback { threshold, refused: Table::new(KEYS_MAX), pairs: Table::new(KEYS_MAX) })
    },
};

fn is_refusal(event: &Event) -> bool {
    answer(event).is_some_and(|(_, verb, code)| verb == "AUTH" && code >= 400)
}

struct TlsFallback {
    threshold: Threshold,
    /// Sessions in which AUTH was refused.
    refused: Table<u128, ()>,
    pairs: Table<(IpAddr, IpAddr), Watch>,
}

impl Detector for TlsFallback {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(session) = session(event) else { return };
        let id = session.number();
        if is_refusal(event) {
            self.refused.entry(id);
        } else if self.refused.remove(&id).is_some()
            && let Some(login) = in_clear(event)
        {
            let (client, server) = hosts(event);
            let user = login.user.as_deref().unwrap_or_default();
            let watch = self.pairs.entry((client, server));
            if let Some(incident) = watch.add(self.threshold, event, None, user) {
                let message =
                    format!("{client} logged in to {server} as {user:?} without TLS after AUTH was refused");
                alerts.raise(&ENTRY.subject, event, incident, &[], message);
            }
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.refused.fill();
        fill += self.pairs.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn a_clear_login_after_a_refusal_alerts() {
        let session = || Session::new(9);
        let refusal = || session().reply(("AUTH", Some("TLS")), 502, "no");
        assert_eq!(alerts_of(&ENTRY, &[refusal(), session().login("bob", true)]).len(), 1);
        assert!(alerts_of(&ENTRY, &[session().login("bob", true)]).is_empty());
        assert!(alerts_of(&ENTRY, &[refusal(), session().encrypted_login("bob")]).is_empty());
        assert!(alerts_of(&ENTRY, &[refusal(), Session::new(8).login("bob", true)]).is_empty());
        assert!(alerts_of(&ENTRY, &[refusal(), session().login("anonymous", true)]).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).reply(("AUTH", None), 502, ""));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
