//! TLS of another protocol at an FTP server.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::hosts;
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event, EventKind, EventType};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "tls-cross-protocol",
        number: 24,
        title: "A client speaks to an FTP server over TLS as to a server of another protocol",
        severity: 3,
        confidence: Confidence::High,
        technique: Some("T1557"),
    },
    on: true,
    about: "The ClientHello on a control or data connection offers protocols of others and not FTP (ALPN `h2`, `http/1.1`, \
            `smtp`, `imap` …): somebody leads the connection of a browser or mail program to the FTP server, whose \
            certificate is valid for both (ALPACA).",
    tuning: "A scanner that speaks HTTP to every port does this too: allow it.",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::All(EventType::Tls), Seen::All(EventType::Transfer)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

/// The protocols that an FTP client offers (IANA's ALPN protocol ids).
const FTP: [&str; 2] = ["ftp", "ftp-data"];

fn see(event: &Event) -> Option<Sighting<(IpAddr, IpAddr)>> {
    let offered = match &event.kind {
        EventKind::Tls(tls) => &tls.tls.alpn,
        EventKind::Transfer(transfer) => &transfer.data.as_ref()?.tls_facts.alpn,
        _ => return None,
    };
    if offered.iter().any(|name| FTP.contains(&name.as_str())) {
        return None;
    }
    // Values that mean nothing (RFC 8701) are two bytes, and no name.
    let other = offered.iter().find(|name| name.len() != 2 || name.as_str() == "h2")?;
    Some(Sighting { key: hosts(event), tx: None, example: other.clone() })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    let offered = incident.examples.last().map(SmolStr::as_str).unwrap_or_default();
    format!("{client} offers {offered:?} to the FTP server {server}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    fn alerts(offered: &[&str]) -> usize {
        let event = Session::new(9).tls(|tls| tls.alpn = offered.iter().map(|&name| name.into()).collect());
        alerts_of(&ENTRY, &[event]).len()
    }

    #[test]
    fn protocols_of_others_alert() {
        for offered in [&["h2", "http/1.1"][..], &["smtp"], &["http/1.1"], &["imap"], &["\u{1a}\u{1a}", "h2"]]
        {
            assert_eq!(alerts(offered), 1, "{offered:?}");
        }
    }

    #[test]
    fn ftp_nothing_and_ftp_among_others_do_not() {
        for offered in [&["ftp"][..], &[], &["ftp", "http/1.1"], &["ftp-data"], &["\u{1a}\u{1a}"]] {
            assert_eq!(alerts(offered), 0, "{offered:?}");
        }
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events =
            (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).tls(|tls| tls.alpn = vec!["h2".into()]));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
