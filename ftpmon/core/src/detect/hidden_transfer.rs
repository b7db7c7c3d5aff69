//! Losses that fall on the commands of transfers.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{hosts, session};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Direction, Event, EventKind, EventType, Gap, GapCause, GapDetail};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "transfer-in-gap",
        number: 37,
        title: "Commands of transfers fall into gaps",
        severity: 2,
        confidence: Confidence::Low,
        technique: None,
    },
    on: false,
    about: "Bytes of the client were acknowledged and never seen (`gap`, `acknowledged`), and a transfer without a command \
            follows in the same session, as often as the threshold says: somebody hides the names of files from the monitor. \
            Losses of the sensor itself do not count. Off unless asked for, since captures that lose packets see this.",
    tuning: "Look at the counters of the sensor and of the switch first.",
    threshold: Threshold { count: 3, per_s: 3600 },
    sees: &[Seen::All(EventType::Gap), Seen::All(EventType::Transfer), Seen::All(EventType::SessionEnd)],
    wants: |event| step(event).is_some(),
    start: |threshold| {
        Box::new(HiddenTransfer { threshold, gaps: Table::new(KEYS_MAX), clients: Table::new(KEYS_MAX) })
    },
};

enum Step {
    Gap,
    /// A transfer whose command was not seen.
    Nameless,
    Over,
}

fn step(event: &Event) -> Option<Step> {
    match &event.kind {
        EventKind::Gap(Gap {
            gap: GapDetail { cause: GapCause::Acknowledged, direction: Direction::Command, .. },
        }) => Some(Step::Gap),
        EventKind::Transfer(transfer) if transfer.tx == 0 => Some(Step::Nameless),
        EventKind::SessionEnd(_) => Some(Step::Over),
        _ => None,
    }
}

struct HiddenTransfer {
    threshold: Threshold,
    /// Gaps of each session that no transfer was counted for: transfers without a command come when the gaps are long told.
    gaps: Table<u128, u32>,
    clients: Table<IpAddr, Watch>,
}

impl Detector for HiddenTransfer {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(step), Some(session)) = (step(event), session(event)) else { return };
        let id = session.number();
        if matches!(step, Step::Gap) {
            let gaps = self.gaps.entry(id);
            *gaps = gaps.saturating_add(1);
            return;
        }
        if matches!(step, Step::Over) {
            self.gaps.remove(&id);
            return;
        }
        let Some(gaps) = self.gaps.find(&id).filter(|gaps| **gaps > 0) else { return };
        *gaps -= 1;
        let (client, server) = hosts(event);
        let watch = self.clients.entry(client);
        if let Some(incident) = watch.add(self.threshold, event, None, "") {
            let count = incident.count;
            let message = format!("{client} with {server}: {count} transfers whose commands were not seen");
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.gaps.fill();
        fill += self.clients.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn hidden(count: i64, cause: GapCause, tx: u64) -> Vec<Event> {
        let pair = |n: i64| {
            let session = || Session::new(9).at(n);
            [session().gap(cause), session().transfer("RETR", "/x", |transfer| transfer.tx = tx)]
        };
        (0..count).flat_map(pair).collect()
    }

    #[test]
    fn three_hidden_transfers_alert() {
        assert_eq!(alerts_of(&ENTRY, &hidden(3, GapCause::Acknowledged, 0)).len(), 1);
        assert!(alerts_of(&ENTRY, &hidden(2, GapCause::Acknowledged, 0)).is_empty());
        let (gaps, transfers): (Vec<_>, Vec<_>) = hidden(3, GapCause::Acknowledged, 0)
            .into_iter()
            .partition(|event| matches!(event.kind, EventKind::Gap(_)));
        let late = [gaps.clone(), transfers.clone()].concat();
        assert_eq!(alerts_of(&ENTRY, &late).len(), 1, "the transfers come behind all the gaps");
        let fewer = [&gaps[..2], &transfers].concat();
        assert!(alerts_of(&ENTRY, &fewer).is_empty(), "a transfer for each gap");
        assert!(alerts_of(&ENTRY, &hidden(9, GapCause::RingFull, 0)).is_empty(), "the sensor's own");
        assert!(alerts_of(&ENTRY, &hidden(9, GapCause::Acknowledged, 5)).is_empty(), "with their commands");
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).gap(GapCause::Acknowledged));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
