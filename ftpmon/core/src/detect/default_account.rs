//! Accounts that devices and programs come with.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{hosts, key};
use super::guessed::accepted;
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event, EventKind, EventType};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "default-account",
        number: 17,
        title: "A login with an account that devices or programs come with",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1078.001"),
    },
    on: true,
    about: "A login succeeds as a user that devices, programs and their installers come with (`ubnt`, `pi`, `ftpuser`, \
            `support` …), or is tried with a password that only scanners send; the latter needs --secrets show.",
    tuning: "Where such an account has a password of its own, allow its server.",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::All(EventType::Login)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

/// Factory accounts of cameras, routers, printers, storage and of programs that come with an FTP server. `root` and `admin` are for
/// `privileged-login`.
const ACCOUNTS: [&str; 24] = [
    "ubnt",
    "pi",
    "ftpuser",
    "support",
    "service",
    "default",
    "guest",
    "supervisor",
    "tech",
    "nagios",
    "oracle",
    "mysql",
    "postgres",
    "xbox",
    "www-data",
    "nobody",
    "camera",
    "dvr",
    "plc",
    "sysdiag",
    "loader",
    "fwupgrade",
    "ntpupdate",
    "qsysdiag",
];
/// Bytes of the longest.
const LONGEST: usize = 10;
/// Passwords that scanners of the time of SATAN and later send for anonymous logins.
const SCANNERS: [&str; 7] =
    ["-iss@iss", "wh00t", "-cklaus", "-saint@", "-satan@", "nessus@", "gpuser@home.com"];

fn see(event: &Event) -> Option<Sighting<(IpAddr, SmolStr)>> {
    let EventKind::Login(login) = &event.kind else { return None };
    let attempt = &login.login;
    let user = attempt.user.as_ref()?;
    let secret = attempt.secret.as_deref().unwrap_or_default();
    let may_be_scanner = matches!(secret.as_bytes().first(), Some(b'-' | b'w' | b'n' | b'g'));
    let is_scanner = may_be_scanner && SCANNERS.iter().any(|known| secret.starts_with(known));
    let is_factory =
        || user.len() <= LONGEST && ACCOUNTS.iter().any(|known| user.eq_ignore_ascii_case(known));
    (is_scanner || (accepted(event).is_some() && is_factory())).then(|| Sighting {
        key: (hosts(event).1, key(user)),
        tx: Some(login.tx),
        example: user.clone(),
    })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    let user = incident.examples.last().map(SmolStr::as_str).unwrap_or_default();
    match accepted(event) {
        Some(_) => format!("{client} logged in to {server} as {user:?}"),
        None => format!("{client} sent {server} the password of a scanner for {user:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    fn alerts(events: &[Event]) -> usize {
        alerts_of(&ENTRY, events).len()
    }

    #[test]
    fn no_account_is_longer_than_the_longest() {
        assert_eq!(ACCOUNTS.iter().map(|name| name.len()).max(), Some(LONGEST));
    }

    #[test]
    fn factory_accounts_alert_once_they_are_in() {
        assert_eq!(alerts(&[Session::new(9).login("ubnt", true)]), 1);
        assert_eq!(alerts(&[Session::new(9).login("UBNT", true)]), 1);
        assert_eq!(alerts(&[Session::new(9).login("ubnt", false)]), 0, "that is guessing");
        assert_eq!(alerts(&[Session::new(9).login("bob", true)]), 0);
        assert_eq!(alerts(&[Session::new(9).login("pierre", true)]), 0);
    }

    #[test]
    fn passwords_of_scanners_alert_where_they_are_shown() {
        assert_eq!(alerts(&[Session::new(9).login_with("anonymous", "-iss@iss.iss.iss", true)]), 1);
        assert_eq!(alerts(&[Session::new(9).login_with("anonymous", "bob@example.org", true)]), 0);
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::with_server(n).login("pi", true));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
