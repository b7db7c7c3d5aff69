//! Many files deleted, or renamed to one extension.

use std::net::IpAddr;

use smol_str::SmolStr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{is_done, key, last_part};
use super::table::{Fill, Table};
use super::watch::Watch;
use crate::event::{CommandRef, Confidence, Event, EventKind, Reply};
use crate::ftp::Code;

/// Clients by kind of change. Stops whoever makes up addresses or extensions.
const CLIENTS_MAX: usize = 16_384;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "mass-change",
        number: 11,
        title: "Many files were deleted, or renamed to one extension",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1485"),
    },
    on: true,
    about: "One client deletes as many files or directories (DELE, RMD, accepted) as the threshold says in its time, or gives as many files one \
            new extension (RNTO, accepted), as ransomware does.",
    tuning: "Clean-up jobs and mirrors delete a lot: raise the count, or allow their addresses.",
    threshold: Threshold { count: 100, per_s: 300 },
    sees: &[Seen::Replies(is_done)],
    wants: |event| change(event).is_some(),
    start: |threshold| Box::new(MassChange { threshold, clients: Table::new(CLIENTS_MAX) }),
};

/// An accepted change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Change {
    Delete,
    /// To this extension.
    Rename(SmolStr),
}

fn change(event: &Event) -> Option<(Change, &str)> {
    let EventKind::Reply(Reply { reply, command: Some(CommandRef { verb, arg }), .. }) = &event.kind else {
        return None;
    };
    if !reply.code.is_some_and(Code::completes) {
        return None;
    }
    match verb.as_str() {
        "DELE" | "RMD" | "XRMD" => Some((Change::Delete, arg.as_deref()?)),
        "RNTO" => {
            let name = arg.as_deref()?;
            let (_, extension) = last_part(name).rsplit_once('.')?;
            Some((Change::Rename(key(&extension.to_ascii_lowercase())), name))
        }
        _ => None,
    }
}

struct MassChange {
    threshold: Threshold,
    clients: Table<(IpAddr, Change), Watch>,
}

impl Detector for MassChange {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some((change, name)), Some(session)) = (change(event), &event.session) else { return };
        let ip = session.client.ip;
        let watch = self.clients.entry((ip, change.clone()));
        if let Some(incident) = watch.add(self.threshold, event, None, name) {
            let count = incident.count;
            let message = match &change {
                Change::Delete => format!("{ip} deleted {count} files on {}", session.server.ip),
                Change::Rename(to) => format!("{ip} renamed {count} files on {} to .{to}", session.server.ip),
            };
            let technique = match change {
                Change::Delete => "T1485",
                Change::Rename(_) => "T1486",
            };
            let subject = Subject { technique: Some(technique), ..ENTRY.subject };
            alerts.raise(&subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        self.clients.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Session, alerts_of};
    use super::*;

    fn replies(verb: &str, code: u16, names: impl Iterator<Item = String>) -> Vec<Event> {
        let reply = |(n, name): (i64, String)| Session::new(9).at(n).reply((verb, Some(&name)), code, "");
        (0..).zip(names).map(reply).collect()
    }

    #[test]
    fn a_hundred_deletions_alert_once() {
        let alerts = alerts_of(&ENTRY, &replies("DELE", 250, (0..150).map(|n| format!("file{n}"))));
        let [alert] = &alerts[..] else { panic!("{} alerts", alerts.len()) };
        assert_eq!(alert.technique.as_deref(), Some("T1485"));
        assert!(alert.evidence.counts["occurrences"] >= 100);
    }

    #[test]
    fn renames_to_one_extension_alert_and_to_several_do_not() {
        let encrypted = replies("RNTO", 250, (0..150).map(|n| format!("/a/file{n}.doc.locked")));
        let alerts = alerts_of(&ENTRY, &encrypted);
        assert_eq!(alerts.first().and_then(|alert| alert.technique.as_deref()), Some("T1486"));
        assert!(alerts[0].message.ends_with("to .locked"), "{}", alerts[0].message);
        let mixed = replies("RNTO", 250, (0..150).map(|n| format!("file.{}", n % 10)));
        assert!(alerts_of(&ENTRY, &mixed).is_empty());
    }

    #[test]
    fn refused_and_slow_deletions_do_not() {
        let refused = replies("DELE", 550, (0..500).map(|n| format!("file{n}")));
        assert!(alerts_of(&ENTRY, &refused).is_empty());
        let few = replies("DELE", 250, (0..99).map(|n| format!("file{n}")));
        assert!(alerts_of(&ENTRY, &few).is_empty());
        let slow: Vec<_> =
            (0..1_000).map(|n| Session::new(9).at(n * 10).reply(("DELE", Some("x")), 250, "")).collect();
        assert!(alerts_of(&ENTRY, &slow).is_empty());
    }
}
