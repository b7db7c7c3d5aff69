//! Servers that turn sessions away.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{has_word, hosts, unasked};
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event};
use smol_str::format_smolstr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "server-refuses",
        number: 39,
        title: "A server turns sessions away",
        severity: 1,
        confidence: Confidence::Medium,
        technique: Some("T1499"),
    },
    on: true,
    about: "The greeting of a server is a refusal (421, 4yz, 5yz), or it ends sessions with 421 because of its load, as \
            often as the threshold says: too many connections, or none is allowed.",
    tuning: "Clients that open many connections at once meet the limit of a server: lower theirs.",
    threshold: Threshold { count: 20, per_s: 300 },
    sees: &[Seen::Replies(|code| code >= 400)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

fn see(event: &Event) -> Option<Sighting<IpAddr>> {
    let (reply, code) = unasked(event)?;
    if code < 400 || is_timeout(&reply.reply.text) {
        return None;
    }
    Some(Sighting { key: hosts(event).1, tx: None, example: format_smolstr!("{code} {}", reply.reply.text) })
}

/// 421 is also what a server says to a client that is silent; `server-times-out` has that.
pub(super) fn is_timeout(text: &str) -> bool {
    ["timeout", "timed out", "time-out", "inactiv", "idle", "no transfer"]
        .iter()
        .any(|word| has_word(text, word))
}

fn message(event: &Event, incident: &Incident) -> String {
    let (_, server) = hosts(event);
    format!("{server} turned {} sessions away", incident.count)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    fn refused(count: u32, code: u16, text: &str) -> Vec<Event> {
        (0..count).map(|n| Session::of_source(n).unasked(code, text)).collect()
    }

    #[test]
    fn twenty_refusals_alert() {
        assert_eq!(alerts_of(&ENTRY, &refused(20, 421, "Too many connections")).len(), 1);
        assert_eq!(alerts_of(&ENTRY, &refused(20, 530, "No anonymous access")).len(), 1);
        assert!(alerts_of(&ENTRY, &refused(19, 421, "Too many connections")).is_empty());
        assert!(alerts_of(&ENTRY, &refused(99, 220, "ready")).is_empty());
        assert!(alerts_of(&ENTRY, &refused(99, 421, "Timeout.")).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::with_server(n).unasked(421, "no"));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
