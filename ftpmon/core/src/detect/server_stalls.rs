//! Servers that stop to answer.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::hosts;
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, EndReason, Event, EventKind, EventType};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "server-stalls",
        number: 38,
        title: "A server stops to answer",
        severity: 1,
        confidence: Confidence::Medium,
        technique: None,
    },
    on: true,
    about: "Sessions with one server end, or are idle, while two commands or more have no reply, as many as the threshold \
            says: it hangs, or is overloaded. Sessions with gaps and sessions of which one direction was not seen say \
            nothing.",
    tuning: "A sensor that sees half of the packets sees this too: look at the gaps.",
    threshold: Threshold { count: 10, per_s: 600 },
    sees: &[Seen::All(EventType::SessionEnd)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

fn see(event: &Event) -> Option<Sighting<IpAddr>> {
    let EventKind::SessionEnd(end) = &event.kind else { return None };
    let end = &end.end;
    let waits = end.replies > 0 && end.commands > end.replies + 1 && end.gaps == 0;
    let counts = matches!(end.reason, EndReason::Fin | EndReason::Rst | EndReason::Idle);
    let (_, server) = hosts(event);
    (waits && counts).then(|| Sighting { key: server, tx: None, example: end.reason.as_str().into() })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (_, server) = hosts(event);
    format!("{server} left commands of {} sessions without a reply", incident.count)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    fn ended(count: u32, commands: u64, replies: u64, gaps: u64) -> Vec<Event> {
        let ended = |n: u32| {
            Session::of_source(n).at(n.into()).end(|end| {
                (end.commands, end.replies, end.gaps) = (commands, replies, gaps);
            })
        };
        (0..count).map(ended).collect()
    }

    #[test]
    fn ten_sessions_that_wait_alert() {
        assert_eq!(alerts_of(&ENTRY, &ended(10, 5, 3, 0)).len(), 1);
        assert!(alerts_of(&ENTRY, &ended(9, 5, 3, 0)).is_empty());
        assert!(alerts_of(&ENTRY, &ended(99, 5, 6, 0)).is_empty(), "all answered, and the greeting");
        assert!(alerts_of(&ENTRY, &ended(99, 5, 5, 0)).is_empty(), "QUIT has none");
        assert!(alerts_of(&ENTRY, &ended(99, 5, 3, 1)).is_empty(), "losses");
        assert!(alerts_of(&ENTRY, &ended(99, 5, 0, 0)).is_empty(), "one direction");
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::with_server(n).end(|end| end.commands = 9));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
