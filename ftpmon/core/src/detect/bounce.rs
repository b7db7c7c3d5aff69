//! Servers that are asked to connect to somebody else.

use std::net::IpAddr;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::is_done;
use super::table::{Fill, Table};
use super::watch::Watch;
use crate::event::{Confidence, DataAnnouncement, Event, EventKind, EventType, Mode, Nat};
use crate::ftp::Code;

/// Clients. Stops whoever makes up addresses.
const CLIENTS_MAX: usize = 16_384;
/// Targets of a client that are counted apart. Stops a client that names all ports of all hosts.
const TARGETS_MAX: usize = 256;
/// Targets of one client from which on it is a scan.
const SCAN: usize = 8;
/// Ports below are for services of the system (RFC 2577 section 3).
const UNPRIVILEGED: u16 = 1024;
/// FTP's own data port.
const DATA_PORT: u16 = 20;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "ftp-bounce",
        number: 6,
        title: "A server was asked to connect to a third host or a service's port",
        severity: 2,
        confidence: Confidence::Medium,
        technique: Some("T1046"),
    },
    on: true,
    about: "PORT, EPRT or LPRT names another host than the client, or a port below 1024 (RFC 2577 section 3). One client with eight targets \
            and more scans through the server: the severity is 3. `accepted` counts what the server agreed to: a server that refuses is \
            not in danger. Private addresses of clients behind NAT do not count, but those of the client's or the server's own network \
            (/24, /64) do.",
    tuning: "Transfers between two servers (FXP) look like this: allow their networks.",
    threshold: Threshold { count: 1, per_s: 86_400 },
    sees: &[Seen::All(EventType::DataChannel), Seen::Replies(is_done)],
    wants: |event| target(event).is_some() || is_agreement(event),
    start: |threshold| Box::new(Bounce { threshold, clients: Table::new(CLIENTS_MAX) }),
};

/// The endpoint that a server is asked to connect to, if it is not the client.
fn target(event: &Event) -> Option<(IpAddr, u16)> {
    let EventKind::DataChannel(channel) = &event.kind else { return None };
    let DataAnnouncement { mode, port, advertised_ip, nat, .. } = channel.data;
    let session = event.session.as_deref()?;
    let client = session.client.ip;
    let is_neighbour = |ip| are_neighbours(ip, client) || are_neighbours(ip, session.server.ip);
    let third = match nat {
        Nat::Mismatch => true,
        // A client behind NAT names its own address, which is of another network than those on this side.
        Nat::Private => advertised_ip.is_some_and(is_neighbour),
        _ => false,
    };
    let privileged = port < UNPRIVILEGED && port != DATA_PORT;
    (mode == Some(Mode::Active) && (third || privileged)).then_some((advertised_ip.unwrap_or(client), port))
}

/// Two hosts of one network, as networks usually are.
fn are_neighbours(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u32::from(one) >> 8 == u32::from(other) >> 8,
        (IpAddr::V6(one), IpAddr::V6(other)) => u128::from(one) >> 64 == u128::from(other) >> 64,
        _ => false,
    }
}

/// A server agrees to connect somewhere.
fn is_agreement(event: &Event) -> bool {
    let EventKind::Reply(reply) = &event.kind else { return false };
    let is_active = |verb: &str| matches!(verb, "PORT" | "EPRT" | "LPRT");
    reply.command.as_ref().is_some_and(|command| is_active(&command.verb))
        && reply.reply.code.is_some_and(Code::completes)
}

struct Bounce {
    threshold: Threshold,
    clients: Table<IpAddr, Client>,
}

#[derive(Default)]
struct Client {
    watch: Watch,
    targets: Vec<(IpAddr, u16)>,
    /// Requests that wait for the server's reply: the session and the command.
    asked: SmallVec<[(SmolStr, u64); 1]>,
    accepted: u64,
}

/// The numbers beside the incident's own.
fn counts(targets: &[(IpAddr, u16)], accepted: u64) -> [(&'static str, u64); 3] {
    let mut hosts: Vec<_> = targets.iter().map(|(ip, _)| *ip).collect();
    hosts.sort_unstable();
    hosts.dedup();
    [("targets", targets.len() as u64), ("hosts", hosts.len() as u64), ("accepted", accepted)]
}

impl Detector for Bounce {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(session) = event.session.as_deref() else { return };
        let ip = session.client.ip;
        match (target(event), &event.kind) {
            (Some(target), EventKind::DataChannel(channel)) => {
                let client = self.clients.entry(ip);
                if client.watch.is_over(event.ts) {
                    *client = Client::default();
                }
                let Client { watch, targets, asked, accepted } = client;
                if targets.len() < TARGETS_MAX && !targets.contains(&target) {
                    targets.push(target);
                }
                if asked.len() < TARGETS_MAX {
                    asked.push((session.id().into(), channel.tx));
                }
                let (host, port) = target;
                let example = format!("{host} {port}");
                if let Some(incident) = watch.add(self.threshold, event, Some(channel.tx), &example) {
                    let severity = ENTRY.subject.severity + u8::from(targets.len() >= SCAN);
                    let message =
                        format!("{ip} asked {} to connect to {host} port {port}", session.server.ip);
                    let counts = counts(targets, *accepted);
                    alerts.raise_at(&ENTRY.subject, severity, event, incident, &counts, message);
                }
            }
            (None, EventKind::Reply(reply)) => {
                let Some(client) = self.clients.find(&ip) else { return };
                let is_it = |(id, tx): &(SmolStr, u64)| id == session.id() && *tx == reply.tx;
                if let Some(at) = client.asked.iter().position(is_it) {
                    client.asked.remove(at);
                    client.accepted += 1;
                }
            }
            _ => {}
        }
    }

    fn fill(&self) -> Fill {
        self.clients.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Session, alerts_of};
    use super::*;

    #[test]
    fn a_third_host_and_a_services_port_alert() {
        for (target, port) in [("203.0.113.5", 4_000), ("203.0.113.5", 22), ("192.0.2.9", 22)] {
            let alerts = alerts_of(&ENTRY, &[Session::new(9).active(1, target, port)]);
            let [alert] = &alerts[..] else { panic!("{target} {port}: {alerts:?}") };
            assert_eq!(
                alert.message,
                format!("192.0.2.9 asked 192.0.2.1 to connect to {target} port {port}")
            );
            assert_eq!(alert.severity, 2);
        }
    }

    #[test]
    fn ordinary_active_mode_does_not() {
        let events = [
            Session::new(9).active(1, "192.0.2.9", 40_000),
            Session::new(9).active(2, "192.0.2.9", 20),
            Session::new(9).active(3, "10.1.2.3", 40_000),
            Session::new(9).passive(4, "203.0.113.7", 40_000),
        ];
        assert!(alerts_of(&ENTRY, &events).is_empty());
    }

    #[test]
    fn a_private_neighbour_is_a_third_host_and_a_private_address_of_another_network_is_not() {
        let alerts = |target: &str| {
            let session = Session::between("10.77.0.1", "10.78.0.2", 1);
            alerts_of(&ENTRY, &[session.active(1, target, 2_001)]).len()
        };
        assert_eq!((alerts("10.77.0.9"), alerts("10.78.0.9")), (1, 1));
        assert_eq!((alerts("10.77.0.1"), alerts("172.17.0.2")), (0, 0), "itself, and a container's");
    }

    #[test]
    fn a_scan_is_one_incident_that_grows() {
        let requests = (1..=200).flat_map(|port: u16| {
            let tx = u64::from(port);
            let asked = Session::new(9).active(tx, "203.0.113.5", port);
            [asked, Session::new(9).reply_to(tx, ("PORT", Some("…")), 200, "ok")]
        });
        let alerts = alerts_of(&ENTRY, &requests.collect::<Vec<_>>());
        let counts: Vec<_> = alerts.iter().map(|alert| alert.evidence.counts["occurrences"]).collect();
        assert_eq!(counts, [1, 2, 4, 8, 16, 32, 64, 128]);
        let last = alerts.last().unwrap();
        assert_eq!((last.severity, last.evidence.counts["targets"]), (3, 128));
        assert_eq!((last.evidence.counts["hosts"], last.evidence.counts["accepted"]), (1, 127));
    }

    #[test]
    fn what_is_kept_of_a_client_is_bounded() {
        let mut detector = Bounce { threshold: ENTRY.threshold, clients: Table::new(2) };
        for number in 0..2_000_u64 {
            let event = Session::new(9).active(number, "203.0.113.5", number as u16);
            detector.event(&event, &mut Alerts::default());
        }
        let client = detector.clients.find(&"192.0.2.9".parse().unwrap()).unwrap();
        assert_eq!((client.targets.len(), client.asked.len()), (TARGETS_MAX, TARGETS_MAX));
    }
}
