//! Transfers that end before their end.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{hosts, path, transfer};
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event, EventType, Outcome};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "short-transfers",
        number: 43,
        title: "Transfers end short of their size",
        severity: 1,
        confidence: Confidence::Medium,
        technique: None,
    },
    on: true,
    about: "Transfers of one server end with fewer bytes than the dialogue declared (`short`), as many as the threshold \
            says: its disk, its process or something on the way cuts them.",
    tuning: "A sensor that starts within transfers does not see this: `short` is told only of whole ones.",
    threshold: Threshold { count: 10, per_s: 3600 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

fn see(event: &Event) -> Option<Sighting<IpAddr>> {
    let transfer = transfer(event)?;
    (transfer.transfer.outcome == Outcome::Short).then(|| Sighting {
        key: hosts(event).1,
        tx: Some(transfer.tx),
        example: path(transfer).into(),
    })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (_, server) = hosts(event);
    format!("{} transfers of {server} ended short of their size", incident.count)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn transfers(count: i64, outcome: Outcome) -> Vec<Event> {
        let transfer = |n| Session::new(9).at(n).transfer("RETR", "/x", |it| it.transfer.outcome = outcome);
        (0..count).map(transfer).collect()
    }

    #[test]
    fn ten_short_ones_alert() {
        assert_eq!(alerts_of(&ENTRY, &transfers(10, Outcome::Short)).len(), 1);
        assert!(alerts_of(&ENTRY, &transfers(9, Outcome::Short)).is_empty());
        assert!(alerts_of(&ENTRY, &transfers(99, Outcome::Complete)).is_empty());
        assert!(alerts_of(&ENTRY, &transfers(99, Outcome::Aborted)).is_empty());
    }
}
