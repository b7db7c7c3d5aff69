//! Passwords that everybody on the way can read.

use std::net::IpAddr;

use smol_str::SmolStr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::key;
use super::guessed::accepted;
use super::table::{Fill, Table};
use super::watch::Watch;
use crate::event::{Confidence, Event, EventType, LoginAttempt};

/// Accounts by server. Stops whoever makes up names on a server that takes any.
const ACCOUNTS_MAX: usize = 16_384;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "clear-text-login",
        number: 4,
        title: "A password crossed the network in clear text",
        severity: 2,
        confidence: Confidence::High,
        technique: Some("T1040"),
    },
    on: false,
    about: "A named user logged in without TLS: whoever is on the way has the password. Off unless asked for, since plain FTP does nothing \
            else.",
    tuning: "Turn it on where plain FTP is forbidden.",
    threshold: Threshold { count: 1, per_s: 86_400 },
    sees: &[Seen::All(EventType::Login)],
    wants: |event| in_clear(event).is_some(),
    start: |threshold| Box::new(ClearTextLogin { threshold, accounts: Table::new(ACCOUNTS_MAX) }),
};

/// The accepted login in clear text that an event reports.
pub(super) fn in_clear(event: &Event) -> Option<&LoginAttempt> {
    accepted(event).filter(|login| !login.encrypted && login.secret.is_some())
}

struct ClearTextLogin {
    threshold: Threshold,
    accounts: Table<(IpAddr, SmolStr), Watch>,
}

impl Detector for ClearTextLogin {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(login), Some(session)) = (in_clear(event), &event.session) else { return };
        let user = key(login.user.as_deref().unwrap_or_default());
        let watch = self.accounts.entry((session.server.ip, user.clone()));
        if let Some(incident) = watch.add(self.threshold, event, None, &user) {
            let message = format!("the password of {user:?} on {} crossed the network", session.server.ip);
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        self.accounts.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Session, alerts_of};
    use super::*;

    #[test]
    fn a_named_users_password_in_clear_alerts_and_others_do_not() {
        let session = || Session::new(9);
        let alerts = alerts_of(&ENTRY, &[session().login("bob", true)]);
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "the password of \"bob\" on 192.0.2.1 crossed the network");
        let others = [
            session().login("bob", false),
            session().login("anonymous", true),
            session().encrypted_login("bob"),
        ];
        assert!(alerts_of(&ENTRY, &others).is_empty());
    }
}
