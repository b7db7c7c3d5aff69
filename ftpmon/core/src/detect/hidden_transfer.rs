//! Losses that fall on the commands of transfers.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Threshold};
use super::facts::{hosts, session};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType, GapCause};
use smol_str::SmolStr;

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
    types: &[EventType::Gap, EventType::Transfer, EventType::SessionEnd],
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
        EventKind::Gap(gap) if gap.gap.cause == GapCause::Acknowledged => Some(Step::Gap),
        EventKind::Transfer(transfer) if transfer.tx == 0 => Some(Step::Nameless),
        EventKind::SessionEnd(_) => Some(Step::Over),
        _ => None,
    }
}

struct HiddenTransfer {
    threshold: Threshold,
    /// Sessions with a gap since their latest transfer.
    gaps: Table<SmolStr, ()>,
    clients: Table<IpAddr, Watch>,
}

impl Detector for HiddenTransfer {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(step), Some(session)) = (step(event), session(event)) else { return };
        let id = SmolStr::new(session.id());
        if matches!(step, Step::Gap) {
            self.gaps.entry(id);
            return;
        }
        if self.gaps.remove(&id).is_none() || matches!(step, Step::Over) {
            return;
        }
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
        assert!(alerts_of(&ENTRY, &hidden(9, GapCause::RingFull, 0)).is_empty(), "the sensor's own");
        assert!(alerts_of(&ENTRY, &hidden(9, GapCause::Acknowledged, 5)).is_empty(), "with their commands");
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).gap(GapCause::Acknowledged));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
