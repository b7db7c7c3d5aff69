//! Passive ports that clients cannot reach.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{hosts, transfer};
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event, EventType, Mode, Nat, Outcome};
use smol_str::{SmolStr, format_smolstr};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "passive-behind-nat",
        number: 41,
        title: "A server announces passive ports at an address that clients cannot reach",
        severity: 1,
        confidence: Confidence::Medium,
        technique: None,
    },
    on: true,
    about: "227 names a private address, or another one than the server has for its clients, and the transfer that was to \
            use it has no connection, as often as the threshold says: the server is behind NAT and does not know its \
            address.",
    tuning: "Set the external address of the server (pasv_address, MasqueradeAddress, ForcePassiveIP).",
    threshold: Threshold { count: 3, per_s: 3600 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

fn see(event: &Event) -> Option<Sighting<IpAddr>> {
    let transfer = transfer(event)?;
    let announced = &transfer.data.as_ref().filter(|data| data.initiator.is_none())?.announced;
    let elsewhere = announced.mode == Some(Mode::Passive) && !matches!(announced.nat, Nat::None);
    let failed = matches!(transfer.transfer.outcome, Outcome::NoData | Outcome::Failed | Outcome::Aborted);
    let (_, server) = hosts(event);
    let said = announced.advertised_ip.unwrap_or(announced.ip);
    (elsewhere && failed).then(|| Sighting {
        key: server,
        tx: Some(transfer.tx),
        example: format_smolstr!("{said}"),
    })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (_, server) = hosts(event);
    let said = incident.examples.last().map(SmolStr::as_str).unwrap_or_default();
    let count = incident.count;
    format!("{server} says that its data ports are at {said}, and {count} transfers had no connection")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn failed(count: i64, nat: Nat, outcome: Outcome) -> Vec<Event> {
        let transfer = |n: i64| {
            let mut event = Session::new(9).at(n).data_connection("LIST", false);
            if let crate::event::EventKind::Transfer(transfer) = &mut event.kind {
                transfer.transfer.outcome = outcome;
                if let Some(data) = &mut transfer.data {
                    data.announced.nat = nat;
                }
            }
            event
        };
        (0..count).map(transfer).collect()
    }

    #[test]
    fn three_transfers_that_nobody_reached_alert() {
        assert_eq!(alerts_of(&ENTRY, &failed(3, Nat::Private, Outcome::Failed)).len(), 1);
        assert!(alerts_of(&ENTRY, &failed(2, Nat::Private, Outcome::Failed)).is_empty());
        assert!(alerts_of(&ENTRY, &failed(9, Nat::None, Outcome::Failed)).is_empty());
        assert!(alerts_of(&ENTRY, &failed(9, Nat::Private, Outcome::Complete)).is_empty());
    }
}
