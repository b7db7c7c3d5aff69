//! FTP on ports that are not for it.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{hosts, session};
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event, EventType};
use smol_str::format_smolstr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "ftp-on-odd-port",
        number: 35,
        title: "FTP on a port that is not for it",
        severity: 2,
        confidence: Confidence::Medium,
        technique: Some("T1571"),
    },
    on: false,
    about: "A session with a server on another port than 21, 990 and 2121: bots and stolen hosts serve files there. Once a \
            server and port. Off unless asked for, since where only some ports are watched the operator chose them; `ftpmon \
            read` finds FTP on any port.",
    tuning: "Allow the servers that are known.",
    threshold: Threshold { count: 1, per_s: 604800 },
    sees: &[Seen::All(EventType::SessionStart)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

const KNOWN: [u16; 3] = [21, 990, 2121];

fn see(event: &Event) -> Option<Sighting<(IpAddr, u16)>> {
    let server = session(event)?.server;
    (!KNOWN.contains(&server.port)).then(|| Sighting {
        key: (server.ip, server.port),
        tx: None,
        example: format_smolstr!("{} {}", server.ip, server.port),
    })
}

fn message(event: &Event, _: &Incident) -> String {
    let (client, server) = hosts(event);
    let port = session(event).map(|session| session.server.port).unwrap_or_default();
    format!("{server} serves FTP on port {port} to {client}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    #[test]
    fn other_ports_alert_and_usual_ones_do_not() {
        assert!(alerts_of(&ENTRY, &[Session::new(9).start()]).is_empty());
        for (port, count) in [(990, 0), (2121, 0), (31_337, 1), (20, 1)] {
            let event = Session::new(9).with_port(port).start();
            assert_eq!(alerts_of(&ENTRY, &[event]).len(), count, "{port}");
        }
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events =
            (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(1).with_port(10_000 + n as u16).start());
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
