//! TLS that does not protect.

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
        id: "weak-tls",
        number: 23,
        title: "A session uses a version or a cipher of TLS that does not protect",
        severity: 2,
        confidence: Confidence::High,
        technique: Some("T1557"),
    },
    on: true,
    about: "The server chose SSL 3.0, TLS 1.0 or 1.1 (RFC 8996), or a cipher suite without encryption, without \
            authentication, or with RC4, DES, 3DES, RC2 or an export key, for the control connection or for a data \
            connection. Once a server.",
    tuning: "Old devices know no better: allow their servers, or keep them off networks that matter.",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::All(EventType::Tls), Seen::All(EventType::Transfer)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

const OLD: [&str; 4] = ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"];
const WEAK: [&str; 8] = ["_NULL_", "_anon_", "_EXPORT", "_RC4_", "_RC2_", "_DES_", "_DES40_", "_3DES_"];

fn see(event: &Event) -> Option<Sighting<(IpAddr, SmolStr)>> {
    let (version, cipher) = match &event.kind {
        EventKind::Tls(tls) => (&tls.tls.version, &tls.tls.cipher),
        EventKind::Transfer(transfer) => {
            let data = transfer.data.as_ref().filter(|data| data.tls)?;
            (&data.tls_facts.version, &data.tls_facts.cipher)
        }
        _ => return None,
    };
    let old = version.as_ref().filter(|version| OLD.contains(&version.as_str()));
    let weak = cipher.as_ref().filter(|cipher| WEAK.iter().any(|word| cipher.contains(word)));
    let found = weak.or(old)?.clone();
    Some(Sighting { key: (hosts(event).1, found.clone()), tx: None, example: found })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    let found = incident.examples.last().map(SmolStr::as_str).unwrap_or_default();
    format!("{server} uses {found} with {client}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    fn alerts(version: &str, cipher: &str) -> usize {
        let event = Session::new(9).tls(|tls| {
            (tls.version, tls.cipher) = (Some(version.into()), Some(cipher.into()));
        });
        alerts_of(&ENTRY, &[event]).len()
    }

    #[test]
    fn old_versions_and_weak_ciphers_alert() {
        for version in OLD {
            assert_eq!(alerts(version, "TLS_RSA_WITH_AES_128_CBC_SHA"), 1, "{version}");
        }
        for cipher in [
            "TLS_RSA_WITH_NULL_SHA256",
            "TLS_DH_anon_WITH_AES_128_CBC_SHA",
            "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
            "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
            "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
        ] {
            assert_eq!(alerts("TLSv1.2", cipher), 1, "{cipher}");
        }
    }

    #[test]
    fn others_do_not() {
        assert_eq!(alerts("TLSv1.3", "TLS_AES_128_GCM_SHA256"), 0);
        assert_eq!(alerts("TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"), 0);
        let unseen = Session::new(9).tls(|tls| (tls.version, tls.cipher) = (None, None));
        assert!(alerts_of(&ENTRY, &[unseen]).is_empty());
    }

    #[test]
    fn a_server_is_one_incident() {
        let old = |n| Session::of_source(n).tls(|tls| tls.version = Some("TLSv1.0".into()));
        assert_eq!(alerts_of(&ENTRY, &(0..100).map(old).collect::<Vec<_>>()).len(), 7, "at doublings");
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32)
            .map(|n| Session::with_server(n).tls(|tls| tls.version = Some("TLSv1.0".into())));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
