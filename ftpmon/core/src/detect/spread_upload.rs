//! One file that is stored into many directories.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{has_moved, hosts, key, short_hash};
use super::stealer::upload;
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventType};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "spread-upload",
        number: 28,
        title: "One file is stored into many directories",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1486"),
    },
    on: true,
    about: "A client stores files of one name into as many directories as the threshold says: notes of ransomware, pages of \
            a defacement, or a worm that looks for a place from which it is run.",
    tuning: "Programs that publish web sites store an index into each directory: allow them. Names that begin with `index.` \
            or `.ht` do not count.",
    threshold: Threshold { count: 20, per_s: 300 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| see(event).is_some(),
    start: |threshold| Box::new(SpreadUpload { threshold, names: Table::new(KEYS_MAX) }),
};

/// Directories of a name that are told apart. Stops a client that goes on.
const DIRECTORIES_MAX: usize = 128;

/// The directory and the name of an upload that counts.
fn see(event: &Event) -> Option<(&str, &str)> {
    let transfer = upload(event).filter(|transfer| has_moved(transfer))?;
    let (directory, name) = transfer.transfer.path.as_deref()?.rsplit_once('/')?;
    let is_common = name.starts_with("index.") || name.starts_with(".ht") || name.is_empty();
    (!is_common).then_some((directory, name))
}

struct SpreadUpload {
    threshold: Threshold,
    /// By client and name.
    names: Table<(IpAddr, SmolStr), Places>,
}

#[derive(Default)]
struct Places {
    watch: Watch,
    /// Hashes of directories.
    seen: Vec<u32>,
}

impl Detector for SpreadUpload {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some((directory, name)) = see(event) else { return };
        let (client, server) = hosts(event);
        let places = self.names.entry((client, key(name)));
        if places.watch.is_over(event.ts) {
            *places = Places::default();
        }
        let place = short_hash(directory);
        if places.seen.contains(&place) || places.seen.len() >= DIRECTORIES_MAX {
            return;
        }
        places.seen.push(place);
        let directory = if directory.is_empty() { "/" } else { directory };
        if let Some(incident) = places.watch.add(self.threshold, event, None, directory) {
            let message = format!("{client} stored {name:?} into {} directories of {server}", incident.count);
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        self.names.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn uploads(count: i64, seconds: i64, path: impl Fn(i64) -> String) -> Vec<Event> {
        (0..count).map(|n| Session::new(9).at(n * seconds).upload(1, &path(n))).collect()
    }

    #[test]
    fn one_name_in_twenty_directories_alerts() {
        let alerts = alerts_of(&ENTRY, &uploads(20, 0, |n| format!("/share/d{n}/README_DECRYPT.txt")));
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert!(alert.message.contains("README_DECRYPT.txt"));
    }

    #[test]
    fn others_do_not() {
        assert!(alerts_of(&ENTRY, &uploads(19, 0, |n| format!("/d{n}/x.txt"))).is_empty());
        assert!(alerts_of(&ENTRY, &uploads(99, 16, |n| format!("/d{n}/x.txt"))).is_empty(), "slow");
        assert!(alerts_of(&ENTRY, &uploads(99, 1, |n| format!("/d/{n}.txt"))).is_empty(), "many names");
        assert!(alerts_of(&ENTRY, &uploads(99, 1, |_| "/d/x.txt".to_owned())).is_empty(), "one place");
        assert!(alerts_of(&ENTRY, &uploads(99, 1, |n| format!("/d{n}/index.html"))).is_empty(), "a site");
    }

    #[test]
    fn directories_do_not_grow_it() {
        let mut detector = SpreadUpload { threshold: ENTRY.threshold, names: Table::new(2) };
        for event in uploads(5_000, 0, |n| format!("/d{n}/x")) {
            detector.event(&event, &mut Alerts::default());
        }
        let places = detector.names.find(&("192.0.2.9".parse().unwrap(), "x".into())).unwrap();
        assert_eq!(places.seen.len(), DIRECTORIES_MAX);
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::new(9).upload(1, &format!("/a/{n}")));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
