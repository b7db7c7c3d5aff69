//! Data ports that a client asks for and never uses.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{hosts, session};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType, Mode};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "pasv-exhaustion",
        number: 13,
        title: "A client asks for data ports that it does not use",
        severity: 2,
        confidence: Confidence::Medium,
        technique: Some("T1499"),
    },
    on: true,
    about: "A client asks a server for one passive data port after the other (PASV, EPSV, LPSV), and uses none of them: a \
            server has a range of ports, and each that waits is taken from others. Counted is an announcement that another \
            one supersedes, without a transfer between.",
    tuning: "A client that tries EPSV and then PASV counts once a transfer: raise the count for many of them behind one \
            proxy.",
    threshold: Threshold { count: 50, per_s: 60 },
    sees: &[
        Seen::All(EventType::DataChannel),
        Seen::All(EventType::Transfer),
        Seen::All(EventType::SessionEnd),
    ],
    wants: |event| step(event).is_some(),
    start: |threshold| {
        Box::new(UnusedPassive { threshold, open: Table::new(KEYS_MAX), clients: Table::new(KEYS_MAX) })
    },
};

#[derive(Clone, Copy)]
enum Step {
    /// The server announced a port, for this command.
    Announced(u64),
    /// A transfer, or the end of the session: what was announced is of no interest any more.
    Over,
}

fn step(event: &Event) -> Option<Step> {
    match &event.kind {
        EventKind::DataChannel(channel) if channel.data.mode == Some(Mode::Passive) => {
            Some(Step::Announced(channel.tx))
        }
        EventKind::Transfer(_) | EventKind::SessionEnd(_) => Some(Step::Over),
        _ => None,
    }
}

struct UnusedPassive {
    threshold: Threshold,
    /// Sessions with a port that waits. Stops whoever opens many.
    open: Table<u128, ()>,
    clients: Table<(IpAddr, IpAddr), Watch>,
}

impl Detector for UnusedPassive {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(step), Some(session)) = (step(event), session(event)) else { return };
        let id = session.number();
        let Step::Announced(tx) = step else {
            self.open.remove(&id);
            return;
        };
        if self.open.find(&id).is_none() {
            self.open.entry(id);
            return;
        }
        let (client, server) = hosts(event);
        let watch = self.clients.entry((client, server));
        if let Some(incident) = watch.add(self.threshold, event, Some(tx), "") {
            let message = format!("{client} left {} data ports of {server} unused", incident.count);
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.open.fill();
        fill += self.clients.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn asked(count: u64, second: i64, used: bool) -> Vec<Event> {
        let asked = |tx: u64| {
            let session = || Session::new(9).at(second * tx as i64);
            let port = session().passive(tx, "192.0.2.1", 50_000);
            let then = if used { session().upload(tx, "/x") } else { session().command("NOOP", None) };
            [port, then]
        };
        (1..=count).flat_map(asked).collect()
    }

    #[test]
    fn ports_that_nobody_uses_alert() {
        let alerts = alerts_of(&ENTRY, &asked(51, 0, false));
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "192.0.2.9 left 50 data ports of 192.0.2.1 unused");
    }

    #[test]
    fn few_slow_or_used_ports_do_not() {
        assert!(alerts_of(&ENTRY, &asked(50, 0, false)).is_empty());
        assert!(alerts_of(&ENTRY, &asked(500, 2, false)).is_empty());
        assert!(alerts_of(&ENTRY, &asked(500, 0, true)).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).passive(1, "192.0.2.1", 50_000));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
