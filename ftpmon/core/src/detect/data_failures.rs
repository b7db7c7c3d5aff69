//! Data connections that cannot be opened.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{answer, code, hosts};
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event};
use smol_str::format_smolstr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "data-connection-failures",
        number: 42,
        title: "Data connections fail in numbers",
        severity: 1,
        confidence: Confidence::Medium,
        technique: None,
    },
    on: true,
    about: "A server replies 425 (it cannot open the data connection) or 426 (it was cut) to transfers, as often as the \
            threshold says: a firewall is in the way, or its ports are used up.",
    tuning: "Compare the range of passive ports with what the firewall lets through.",
    threshold: Threshold { count: 20, per_s: 300 },
    sees: &[Seen::Replies(|code| matches!(code, 425 | 426))],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

fn see(event: &Event) -> Option<Sighting<IpAddr>> {
    let code = code(event).filter(|code| matches!(code, 425 | 426))?;
    let (reply, verb, _) = answer(event)?;
    Some(Sighting {
        key: hosts(event).1,
        tx: Some(reply.tx),
        example: format_smolstr!("{verb}: {code} {}", reply.reply.text),
    })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (_, server) = hosts(event);
    format!("{} transfers of {server} failed for want of a data connection", incident.count)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    fn failed(count: i64, code: u16) -> Vec<Event> {
        (0..count).map(|_| Session::new(9).reply(("RETR", Some("x")), code, "no")).collect()
    }

    #[test]
    fn twenty_failures_alert() {
        assert_eq!(alerts_of(&ENTRY, &failed(20, 425)).len(), 1);
        assert_eq!(alerts_of(&ENTRY, &failed(20, 426)).len(), 1);
        assert!(alerts_of(&ENTRY, &failed(19, 425)).is_empty());
        assert!(alerts_of(&ENTRY, &failed(99, 550)).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events =
            (0..2 * KEYS_MAX as u32).map(|n| Session::with_server(n).reply(("RETR", Some("x")), 425, "no"));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
