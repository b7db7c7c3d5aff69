//! TLS that a server offers and then refuses.

use super::alerts::{Alerts, Subject};
use super::clear_text_login::in_clear;
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::code;
use super::incident::Incident;
use super::table::{Fill, Table};
use crate::event::{Confidence, Event, EventKind, EventType, Reply};

/// Sessions with a reply to AUTH or FEAT that counts. Stops whoever opens many and asks in each.
const SESSIONS_MAX: usize = 16_384;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "tls-stripped",
        number: 5,
        title: "A server offered TLS, refused it, and got the password in clear text",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1557"),
    },
    on: true,
    about: "FEAT names AUTH TLS, AUTH is answered by an error in the same session, and the user logs in without TLS. An attacker on the way \
            who alters the reply to AUTH makes clients fall back like this.",
    tuning: "A server with a broken certificate does this to everybody: mend its configuration.",
    threshold: Threshold { count: 1, per_s: 86_400 },
    sees: &[Seen::Replies(|code| matches!(code, 211 | 400..)), Seen::All(EventType::Login)],
    wants: |event| offer(event).is_some() || in_clear(event).is_some(),
    start: |_| Box::new(TlsStripped { sessions: Table::new(SESSIONS_MAX) }),
};

#[derive(Clone, Copy)]
enum Offer {
    /// FEAT's reply names AUTH TLS (RFC 4217 section 6).
    Made,
    /// AUTH was refused.
    Refused,
}

fn offer(event: &Event) -> Option<Offer> {
    let code = code(event).filter(|code| matches!(code, 211 | 400..))?;
    let EventKind::Reply(Reply { reply, command: Some(command), .. }) = &event.kind else { return None };
    match (command.verb.as_str(), code) {
        ("FEAT", 211) if offers_tls(&reply.text) => Some(Offer::Made),
        ("AUTH", 400..) => Some(Offer::Refused),
        _ => None,
    }
}

fn offers_tls(features: &str) -> bool {
    let is_offer = |line: &str| {
        let mut words = line.split([' ', ';', ',']).filter(|word| !word.is_empty());
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("AUTH"))
            && words.any(|word| ["TLS", "TLS-C", "SSL"].iter().any(|name| word.eq_ignore_ascii_case(name)))
    };
    features.lines().any(is_offer)
}

struct TlsStripped {
    sessions: Table<u128, Stripping>,
}

#[derive(Default)]
struct Stripping {
    offered: bool,
    refused: bool,
    incident: Incident,
}

impl Detector for TlsStripped {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(session) = &event.session else { return };
        let id = session.number();
        if let Some(offer) = offer(event) {
            let tx = if let EventKind::Reply(reply) = &event.kind { Some(reply.tx) } else { None };
            let stripping = self.sessions.entry(id);
            match offer {
                Offer::Made => stripping.offered = true,
                Offer::Refused => stripping.refused = true,
            }
            stripping.incident.add(event, tx, "");
        } else if let Some(login) = in_clear(event)
            && let Some(mut stripping) = self.sessions.remove(&id)
            && stripping.offered
            && stripping.refused
        {
            let user = login.user.as_deref().unwrap_or_default();
            stripping.incident.add(event, None, user);
            let message =
                format!("{} offers TLS, refused it, and {user:?} logged in without", session.server);
            alerts.raise(&ENTRY.subject, event, &stripping.incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        self.sessions.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Session, alerts_of};
    use super::*;

    const FEATURES: &str = "Features:\n AUTH TLS;SSL\n SIZE\nEnd";

    #[test]
    fn an_offer_a_refusal_and_a_clear_login_alert() {
        let session = || Session::new(9);
        let events = [
            session().reply(("FEAT", None), 211, FEATURES),
            session().reply(("AUTH", Some("TLS")), 534, "no"),
            session().login("bob", true),
        ];
        let alerts = alerts_of(&ENTRY, &events);
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert!(alert.message.contains("\"bob\""), "{}", alert.message);
    }

    #[test]
    fn two_of_the_three_do_not() {
        let session = || Session::new(9);
        let offer = || session().reply(("FEAT", None), 211, FEATURES);
        let refusal = || session().reply(("AUTH", Some("TLS")), 534, "no");
        assert!(alerts_of(&ENTRY, &[offer(), session().login("bob", true)]).is_empty());
        assert!(alerts_of(&ENTRY, &[refusal(), session().login("bob", true)]).is_empty(), "it has no TLS");
        assert!(alerts_of(&ENTRY, &[offer(), refusal(), session().login("bob", false)]).is_empty());
        assert!(alerts_of(&ENTRY, &[offer(), refusal(), session().encrypted_login("bob")]).is_empty());
        let other = Session::new(8).login("bob", true);
        assert!(alerts_of(&ENTRY, &[offer(), refusal(), other]).is_empty(), "another session");
    }

    #[test]
    fn features_are_read_as_servers_write_them() {
        for text in ["Features:\n AUTH TLS\nEnd", "X\n auth ssl", " AUTH SSL;TLS;\n", "AUTH TLS-C"] {
            assert!(offers_tls(text), "{text}");
        }
        for text in ["Features:\n SIZE\nEnd", "AUTH GSSAPI", "PROT TLS", ""] {
            assert!(!offers_tls(text), "{text}");
        }
    }
}
