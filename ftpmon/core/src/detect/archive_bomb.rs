//! Archives that say they hold far more than they are large.

use std::net::IpAddr;

use smol_str::{SmolStr, format_smolstr};

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{hosts, path, transfer};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventType};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "archive-bomb",
        number: 51,
        title: "An archive says that it holds far more than it is large",
        severity: 2,
        confidence: Confidence::Medium,
        technique: Some("T1499.004"),
    },
    on: true,
    about: "A transferred ZIP or gzip file says in its headers that it holds as many times its size as the threshold's count says, and a \
            gibibyte at least: who unpacks it, a scanner for viruses among them, fills memory or disk. It needs --files hash (or extract), \
            which tells `file.unpacked`.",
    tuning: "Images of disks and dumps with long runs of zeros look like this: raise the count. The threshold is COUNT times the size; its time is \
             the pause after which an alert comes anew.",
    threshold: Threshold { count: 200, per_s: 86400 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| large(event).is_some(),
    start: |threshold| Box::new(ArchiveBomb { threshold, pairs: Table::new(KEYS_MAX) }),
};

/// Less is no bomb, bytes.
const UNPACKED_MIN: u64 = 1 << 30;

/// The size of an archive, and that of what it holds.
fn large(event: &Event) -> Option<(u64, u64)> {
    let file = transfer(event)?.file.as_ref()?;
    Some((file.size, file.unpacked.filter(|unpacked| *unpacked >= UNPACKED_MIN)?))
}

struct ArchiveBomb {
    threshold: Threshold,
    pairs: Table<(IpAddr, IpAddr), Watch>,
}

impl Detector for ArchiveBomb {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some((size, unpacked)), Some(transfer)) = (large(event), transfer(event)) else { return };
        if unpacked < size.saturating_mul(self.threshold.count.into()) {
            return;
        }
        let (client, server) = hosts(event);
        let watch = self.pairs.entry((client, server));
        let example: SmolStr = format_smolstr!("{}: {size} bytes, {unpacked} within", path(transfer));
        let first = Threshold { count: 1, ..self.threshold };
        if let Some(incident) = watch.add(first, event, Some(transfer.tx), &example) {
            let message = format!("{client} with {server}: {example}");
            let counts = [("bytes", size), ("unpacked_bytes", unpacked)];
            alerts.raise(&ENTRY.subject, event, incident, &counts, message);
        }
    }

    fn fill(&self) -> Fill {
        self.pairs.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::event::FileFacts;

    fn archive(session: Session, size: u64, unpacked: Option<u64>) -> Event {
        session.transfer("STOR", "/a.zip", |transfer| {
            transfer.file = Some(FileFacts { size, unpacked, ..FileFacts::default() });
        })
    }

    #[test]
    fn two_hundred_times_its_size_and_a_gibibyte_alert() {
        let alerts = |size, unpacked| alerts_of(&ENTRY, &[archive(Session::new(9), size, unpacked)]).len();
        assert_eq!(alerts(UNPACKED_MIN / 200, Some(UNPACKED_MIN)), 1);
        assert_eq!(alerts(UNPACKED_MIN / 200 + 1, Some(UNPACKED_MIN)), 0, "a little larger");
        assert_eq!(alerts(1_000, Some(UNPACKED_MIN - 1)), 0, "a little less within");
        assert_eq!(alerts(1_000, None), 0, "it does not say");
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| archive(Session::of_source(n), 10, Some(UNPACKED_MIN)));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
