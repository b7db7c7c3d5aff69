//! Tests whether a server can be written to.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{answer, hosts, is_anonymous, is_done, key, last_part, session, user};
use super::stealer::{file_name, upload};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType, Outcome, Transfer};
use crate::ftp::Code;
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "write-probe",
        number: 29,
        title: "A client tests whether it can write",
        severity: 2,
        confidence: Confidence::Medium,
        technique: Some("T1595"),
    },
    on: true,
    about: "A file is stored under a name that scanners use (`ftpchk3.php`), or an anonymous user stores a small file and \
            deletes it in the same session: a search for places to leave files.",
    tuning: "Monitoring that stores and deletes a file as anonymous does this: allow it.",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::All(EventType::Transfer), Seen::Replies(is_done), Seen::All(EventType::SessionEnd)],
    wants: |event| step(event).is_some(),
    start: |threshold| {
        Box::new(WriteProbe { threshold, stored: Table::new(KEYS_MAX), clients: Table::new(KEYS_MAX) })
    },
};

/// Names of files that scanners store.
const NAMES: [&str; 5] = ["ftpchk3.php", "ftpchk3.txt", "ftpchk3.html", "w0000000t.txt", "w0000000t.php"];
/// A larger file is no probe, bytes.
const SMALL: u64 = 4_096;

enum Step<'e> {
    Stored(&'e Transfer),
    Deleted(&'e str),
    Over,
}

fn step(event: &Event) -> Option<Step<'_>> {
    match &event.kind {
        EventKind::Transfer(_) => {
            let transfer = upload(event)?;
            let small = transfer.transfer.bytes <= SMALL && transfer.transfer.outcome == Outcome::Complete;
            (is_known(file_name(transfer)) || (small && is_anonymous(user(event))))
                .then_some(Step::Stored(transfer))
        }
        EventKind::Reply(_) => {
            let (reply, verb, code) = answer(event)?;
            let deleted = verb == "DELE" && Code::completes(code) && is_anonymous(user(event));
            let command = reply.command.as_ref().filter(|_| deleted)?;
            Some(Step::Deleted(command.arg.as_deref()?))
        }
        EventKind::SessionEnd(_) => is_anonymous(user(event)).then_some(Step::Over),
        _ => None,
    }
}

fn is_known(name: &str) -> bool {
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

struct WriteProbe {
    threshold: Threshold,
    /// The latest small file of each anonymous session.
    stored: Table<u128, SmolStr>,
    clients: Table<IpAddr, Watch>,
}

impl Detector for WriteProbe {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(step), Some(session)) = (step(event), session(event)) else { return };
        let id = session.number();
        let (tx, name) = match step {
            Step::Stored(transfer) if is_known(file_name(transfer)) => {
                (Some(transfer.tx), file_name(transfer))
            }
            Step::Stored(transfer) => {
                *self.stored.entry(id) = key(file_name(transfer));
                return;
            }
            Step::Deleted(path) => {
                let name = last_part(path);
                if self.stored.remove(&id).is_none_or(|stored| stored != key(name)) {
                    return;
                }
                (None, name)
            }
            Step::Over => {
                self.stored.remove(&id);
                return;
            }
        };
        let (client, server) = hosts(event);
        let watch = self.clients.entry(client);
        if let Some(incident) = watch.add(self.threshold, event, tx, name) {
            let message = format!("{client} tested with {name:?} whether it can write to {server}");
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.stored.fill();
        fill += self.clients.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn stored_and_deleted(user: &str, deleted: &str, bytes: u64) -> Vec<Event> {
        let stored = Session::new(9).transfer("STOR", "/incoming/x1", |it| it.transfer.bytes = bytes);
        let deleted = Session::new(9).reply(("DELE", Some(deleted)), 250, "");
        vec![Session::as_user(stored, user), Session::as_user(deleted, user)]
    }

    #[test]
    fn names_of_scanners_and_files_that_go_at_once_alert() {
        let known = Session::as_user(Session::new(9).upload(1, "/www/ftpchk3.php"), "bob");
        assert_eq!(alerts_of(&ENTRY, &[known]).len(), 1);
        assert_eq!(alerts_of(&ENTRY, &stored_and_deleted("anonymous", "x1", 5)).len(), 1);
        assert_eq!(alerts_of(&ENTRY, &stored_and_deleted("ftp", "/incoming/x1", 5)).len(), 1);
    }

    #[test]
    fn users_other_files_and_large_ones_do_not() {
        assert!(alerts_of(&ENTRY, &stored_and_deleted("bob", "x1", 5)).is_empty());
        assert!(alerts_of(&ENTRY, &stored_and_deleted("anonymous", "x2", 5)).is_empty());
        assert!(alerts_of(&ENTRY, &stored_and_deleted("anonymous", "x1", SMALL + 1)).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32)
            .map(|n| Session::as_user(Session::of_source(n).upload(1, "/a"), "anonymous"));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
