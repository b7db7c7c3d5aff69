//! Files of strangers that others fetch.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{has_moved, hosts, is_anonymous, key, path, transfer, user};
use super::stealer::upload;
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventType, FileDirection};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "warez",
        number: 30,
        title: "Files that an anonymous user stored are fetched by others",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1074.002"),
    },
    on: true,
    about: "An anonymous user stores a file, and as many other hosts as the threshold says fetch it: the server hands out \
            somebody else's files. Told apart by server and path.",
    tuning: "A public incoming directory that staff reads looks like this: allow the staff's network.",
    threshold: Threshold { count: 2, per_s: 86400 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| anonymous_store(event) || is_download(event),
    start: |threshold| Box::new(Warez { threshold, files: Table::new(KEYS_MAX) }),
};

/// Readers of a file that are remembered. Stops a file that everybody fetches.
const READERS_MAX: usize = 16;

fn anonymous_store(event: &Event) -> bool {
    upload(event).is_some_and(has_moved) && is_anonymous(user(event))
}

fn is_download(event: &Event) -> bool {
    transfer(event).is_some_and(|transfer| {
        transfer.transfer.direction == Some(FileDirection::Download) && has_moved(transfer)
    })
}

struct Warez {
    threshold: Threshold,
    /// By server and path.
    files: Table<(IpAddr, SmolStr), Option<Stored>>,
}

struct Stored {
    by: IpAddr,
    readers: Vec<IpAddr>,
    watch: Watch,
}

impl Detector for Warez {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(transfer) = transfer(event) else { return };
        let is_stored = anonymous_store(event);
        if self.files.is_empty() && !is_stored {
            return;
        }
        let (client, server) = hosts(event);
        let file = (server, key(path(transfer)));
        if is_stored {
            let stored = Stored { by: client, readers: Vec::new(), watch: Watch::default() };
            *self.files.entry(file) = Some(stored);
            return;
        }
        let Some(Some(stored)) = self.files.find(&file) else { return };
        if client == stored.by || stored.readers.contains(&client) || stored.readers.len() >= READERS_MAX {
            return;
        }
        stored.readers.push(client);
        if let Some(incident) = stored.watch.add(self.threshold, event, Some(transfer.tx), &file.1) {
            let (path, by, count) = (&file.1, stored.by, incident.count);
            let message =
                format!("{count} hosts fetched {path:?} from {server}, which {by} stored as anonymous");
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        self.files.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn stored(user: &str) -> Event {
        Session::as_user(Session::new(9).upload(1, "/incoming/film"), user)
    }

    fn fetched(host: u8) -> Event {
        Session::new(host).transfer("RETR", "/incoming/film", |_| {})
    }

    #[test]
    fn a_strangers_file_that_two_others_fetch_alerts() {
        let alerts = alerts_of(&ENTRY, &[stored("anonymous"), fetched(10), fetched(11)]);
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert!(alert.message.contains("2 hosts fetched \"/incoming/film\""), "{}", alert.message);
    }

    #[test]
    fn users_files_one_reader_and_the_one_who_stored_it_do_not() {
        assert!(alerts_of(&ENTRY, &[stored("bob"), fetched(10), fetched(11)]).is_empty());
        assert!(alerts_of(&ENTRY, &[stored("anonymous"), fetched(10), fetched(10), fetched(9)]).is_empty());
        let refused = |host| {
            Session::new(host).transfer("RETR", "/incoming/film", |it| {
                it.transfer.outcome = crate::event::Outcome::Refused;
            })
        };
        assert!(alerts_of(&ENTRY, &[stored("anonymous"), refused(10), refused(11)]).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32)
            .map(|n| Session::as_user(Session::new(9).upload(1, &n.to_string()), "ftp"));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
