//! Pages that are replaced.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{has_moved, hosts, key, path, session, transfer};
use super::stealer::file_name;
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType, FileDirection, Transfer};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "defacement",
        number: 45,
        title: "The first pages of web sites were fetched and replaced",
        severity: 2,
        confidence: Confidence::Medium,
        technique: Some("T1491.002"),
    },
    on: true,
    about: "A client fetches `index.*` or `default.*` and stores the same path in the same session, as many within the \
            threshold's time as its count says: as somebody does who adds a script to pages, or replaces them.",
    tuning: "Authors who edit by FTP do this to few sites: allow them, or raise the count.",
    threshold: Threshold { count: 3, per_s: 600 },
    sees: &[Seen::All(EventType::Transfer), Seen::All(EventType::SessionEnd)],
    wants: |event| page(event).is_some() || matches!(event.kind, EventKind::SessionEnd(_)),
    start: |threshold| {
        Box::new(Defacement { threshold, fetched: Table::new(KEYS_MAX), clients: Table::new(KEYS_MAX) })
    },
};

/// Pages of a session that are remembered. Stops a session that fetches all of them.
const PAGES_MAX: usize = 32;

/// The transfer of a first page.
fn page(event: &Event) -> Option<&Transfer> {
    let transfer = transfer(event).filter(|transfer| has_moved(transfer))?;
    let stem = file_name(transfer).split_once('.')?.0;
    let is_first = ["index", "default"].iter().any(|name| stem.eq_ignore_ascii_case(name));
    (is_first && transfer.transfer.direction != Some(FileDirection::Listing)).then_some(transfer)
}

struct Defacement {
    threshold: Threshold,
    /// Pages by session.
    fetched: Table<u128, Vec<SmolStr>>,
    clients: Table<IpAddr, Watch>,
}

impl Detector for Defacement {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(session) = session(event) else { return };
        let id = session.number();
        let Some(transfer) = page(event) else {
            self.fetched.remove(&id);
            return;
        };
        let path = &key(path(transfer));
        if transfer.transfer.direction == Some(FileDirection::Download) {
            let pages = self.fetched.entry(id);
            if pages.len() < PAGES_MAX && !pages.iter().any(|known| known == path) {
                pages.push(path.clone());
            }
            return;
        }
        let Some(pages) = self.fetched.find(&id) else { return };
        let Some(at) = pages.iter().position(|known| known == path) else { return };
        pages.remove(at);
        let (client, server) = hosts(event);
        let watch = self.clients.entry(client);
        if let Some(incident) = watch.add(self.threshold, event, Some(transfer.tx), path) {
            let count = incident.count;
            let message = format!("{client} replaced {count} first pages, the latest {path:?} of {server}");
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.fetched.fill();
        fill += self.clients.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn replaced(count: i64, name: &str) -> Vec<Event> {
        let pair = |n: i64| {
            let path = format!("/site{n}/{name}");
            ["RETR", "STOR"].map(|verb| Session::new(9).at(n).transfer(verb, &path, |_| {}))
        };
        (0..count).flat_map(pair).collect()
    }

    #[test]
    fn three_pages_fetched_and_stored_alert() {
        for name in ["index.html", "INDEX.php", "default.aspx"] {
            assert_eq!(alerts_of(&ENTRY, &replaced(3, name)).len(), 1, "{name}");
        }
    }

    #[test]
    fn fewer_other_files_and_stores_alone_do_not() {
        assert!(alerts_of(&ENTRY, &replaced(2, "index.html")).is_empty());
        assert!(alerts_of(&ENTRY, &replaced(9, "page.html")).is_empty());
        let stores: Vec<_> = (0..9).map(|n| Session::new(9).upload(1, &format!("/{n}/index.html"))).collect();
        assert!(alerts_of(&ENTRY, &stores).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events =
            (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).transfer("RETR", "/index.html", |_| {}));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
