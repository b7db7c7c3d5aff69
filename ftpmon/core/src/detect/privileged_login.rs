//! Administrators who log in without TLS.

use super::clear_text_login::in_clear;
use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{hosts, key};
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event, EventType};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "privileged-login",
        number: 18,
        title: "An administrator logged in without TLS",
        severity: 3,
        confidence: Confidence::High,
        technique: Some("T1078.003"),
    },
    on: true,
    about: "`root`, `admin`, `Administrator` or a name like these logged in, and the password crossed the network in clear \
            text: whoever is on the way owns the host.",
    tuning: "Give transfers an account of their own, or allow the server.",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::All(EventType::Login)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

const ADMINISTRATORS: [&str; 7] = ["root", "admin", "administrator", "sa", "toor", "superuser", "sysadmin"];

fn see(event: &Event) -> Option<Sighting<(IpAddr, SmolStr)>> {
    let user = in_clear(event)?.user.as_ref()?;
    let is_plain = memchr::memchr2(b'\\', b'@', user.as_bytes()).is_none();
    if is_plain
        && !matches!(user.as_bytes().first(), Some(b'r' | b'R' | b'a' | b'A' | b's' | b'S' | b't' | b'T'))
    {
        return None;
    }
    // DOMAIN\\user and user@domain are accounts of Windows.
    let name = user.rsplit('\\').next().and_then(|name| name.split('@').next()).unwrap_or_default();
    ADMINISTRATORS.iter().any(|known| name.eq_ignore_ascii_case(known)).then(|| Sighting {
        key: (hosts(event).1, key(user)),
        tx: None,
        example: user.clone(),
    })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    let user = incident.examples.last().map(SmolStr::as_str).unwrap_or_default();
    format!("{client} logged in to {server} as {user:?} in clear text")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    #[test]
    fn administrators_in_clear_text_alert() {
        for user in ["root", "Admin", "EXAMPLE\\Administrator", "administrator@example.org"] {
            assert_eq!(alerts_of(&ENTRY, &[Session::new(9).login(user, true)]).len(), 1, "{user}");
        }
    }

    #[test]
    fn others_refused_ones_and_those_over_tls_do_not() {
        let session = || Session::new(9);
        let events = [
            session().login("rooter", true),
            session().login("root", false),
            session().encrypted_login("root"),
        ];
        assert!(alerts_of(&ENTRY, &events).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::with_server(n).login("root", true));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
