//! Sessions that a server ends because they are silent.

use super::server_refuses::is_timeout;
use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::hosts;
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event, EventKind};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "server-times-out",
        number: 40,
        title: "Sessions time out in numbers",
        severity: 1,
        confidence: Confidence::Medium,
        technique: Some("T1499"),
    },
    on: true,
    about: "A server ends sessions with 421 because nothing came, as many of one client as the threshold says: somebody \
            holds connections open to use them up, or clients hang.",
    tuning: "Clients that keep sessions in reserve look like this: lower their number.",
    threshold: Threshold { count: 20, per_s: 600 },
    sees: &[Seen::Replies(|code| code == 421)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

fn see(event: &Event) -> Option<Sighting<(IpAddr, IpAddr)>> {
    let EventKind::Reply(reply) = &event.kind else { return None };
    let is_it = reply.reply.code == Some(421) && is_timeout(&reply.reply.text);
    is_it.then(|| Sighting { key: hosts(event), tx: None, example: reply.reply.text.clone() })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    format!("{server} ended {} sessions of {client} that were silent", incident.count)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    fn ended(count: i64, text: &str) -> Vec<Event> {
        (0..count).map(|n| Session::new(9).at(n).unasked(421, text)).collect()
    }

    #[test]
    fn twenty_timeouts_alert() {
        assert_eq!(alerts_of(&ENTRY, &ended(20, "Timeout.")).len(), 1);
        assert_eq!(alerts_of(&ENTRY, &ended(20, "No transfer timeout (600 seconds): closing")).len(), 1);
        assert!(alerts_of(&ENTRY, &ended(19, "Timeout.")).is_empty());
        assert!(alerts_of(&ENTRY, &ended(99, "Too many users")).is_empty());
        let clients = (0..99).map(|n| Session::of_source(n).unasked(421, "Timeout."));
        assert!(alerts_of(&ENTRY, &clients.collect::<Vec<_>>()).is_empty(), "one a client");
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).unasked(421, "Timeout."));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
