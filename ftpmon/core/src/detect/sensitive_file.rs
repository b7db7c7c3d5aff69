//! Files that open an account or a host.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{hosts, path, transfer};
use super::incident::Incident;
use super::stealer::file_name;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event, EventType, FileDirection};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "sensitive-file",
        number: 50,
        title: "A file was transferred that opens accounts or hosts",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1552.001"),
    },
    on: true,
    about: "A transfer of a file whose content lets somebody in (`authorized_keys`, `.rhosts`, `shadow`, `.htpasswd`, \
            `id_rsa`, `wp-config.php`, `.env` …): fetched, it gives secrets away; stored, it opens a door. Transfers that \
            are refused count.",
    tuning: "Backups of whole home directories and web sites contain such files: allow them.",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

/// Names of files, in lower case.
const NAMES: [&str; 22] = [
    "authorized_keys",
    "authorized_keys2",
    ".rhosts",
    ".shosts",
    "hosts.equiv",
    ".forward",
    "shadow",
    "master.passwd",
    ".htpasswd",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".netrc",
    "wp-config.php",
    ".env",
    ".git-credentials",
    ".pgpass",
    "ntds.dit",
    "web.config",
    "file_id.diz",
    "sam.bak",
];

fn see(event: &Event) -> Option<Sighting<(IpAddr, IpAddr)>> {
    let transfer = transfer(event)?;
    transfer.transfer.direction.filter(|direction| *direction != FileDirection::Listing)?;
    let (name, path) = (file_name(transfer), path(transfer));
    let is_named = NAMES.iter().any(|known| name.eq_ignore_ascii_case(known));
    (is_named || path.ends_with("/etc/passwd")).then(|| Sighting {
        key: hosts(event),
        tx: Some(transfer.tx),
        example: path.into(),
    })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    let path = incident.examples.last().map(SmolStr::as_str).unwrap_or_default();
    let stores = transfer(event).is_some_and(|it| it.transfer.direction == Some(FileDirection::Upload));
    let (what, whom) = if stores { ("stored", "on") } else { ("fetched", "from") };
    format!("{client} {what} {path:?} {whom} {server}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    fn alerts(verb: &str, path: &str) -> usize {
        alerts_of(&ENTRY, &[Session::new(9).transfer(verb, path, |_| {})]).len()
    }

    #[test]
    fn files_that_let_somebody_in_alert() {
        for path in [
            "/home/bob/.ssh/authorized_keys",
            "/.rhosts",
            "/etc/shadow",
            "/etc/passwd",
            "/www/.ENV",
            "/wp-config.php",
        ] {
            assert_eq!((alerts("RETR", path), alerts("STOR", path)), (1, 1), "{path}");
        }
    }

    #[test]
    fn others_do_not() {
        for path in ["/doc/shadow.txt", "/passwd", "/env", "/a/hosts", "/keys", ""] {
            assert_eq!(alerts("RETR", path), 0, "{path}");
        }
        assert_eq!(alerts("LIST", "/etc/shadow"), 0);
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).upload(1, "/.rhosts"));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
