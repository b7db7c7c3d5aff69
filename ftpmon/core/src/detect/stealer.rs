//! Uploads with the names that password stealers give their loot.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{has_word, last_part};
use super::table::{Fill, Table};
use super::watch::Watch;
use crate::event::{Confidence, Event, EventKind, EventType, FileDirection, Transfer};

/// Clients by family. Stops whoever makes up addresses.
const CLIENTS_MAX: usize = 16_384;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "stealer-upload",
        number: 9,
        title: "An upload is named as a password stealer names its loot",
        severity: 4,
        confidence: Confidence::High,
        technique: Some("T1048.003"),
    },
    on: true,
    about: "STOR or APPE of a name as AgentTesla (`PW_user-HOST_2026_01_02_03_04_05.html`) or the Snake family (`HOST - Passwords ID - …`) gives \
            it; or, with --files hash or extract, of a file that begins as the loot of these or of LaZagne does, whatever its name \
            (`file.loot`). The client's host is infected: its saved passwords are on their way to the server.",
    tuning: "Sandboxes that run malware do this on purpose: allow their addresses.",
    threshold: Threshold { count: 1, per_s: 86_400 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| upload(event).is_some_and(|transfer| family(transfer).is_some()),
    start: |threshold| Box::new(Stealer { threshold, clients: Table::new(CLIENTS_MAX) }),
};

/// The upload that an event reports.
pub(super) fn upload(event: &Event) -> Option<&Transfer> {
    match &event.kind {
        EventKind::Transfer(transfer) if transfer.transfer.direction == Some(FileDirection::Upload) => {
            Some(transfer)
        }
        _ => None,
    }
}

/// The last part of a transfer's name.
pub(super) fn file_name(transfer: &Transfer) -> &str {
    let name = transfer.transfer.path.as_deref().or(transfer.transfer.arg.as_deref()).unwrap_or_default();
    last_part(name)
}

fn family(transfer: &Transfer) -> Option<&'static str> {
    const SNAKE: &str = "Snake, 404 or VIP keylogger";
    let name = file_name(transfer);
    match transfer.file.as_ref().and_then(|file| file.loot.as_deref()) {
        Some("LaZagne") => Some("LaZagne"),
        Some("AgentTesla") => Some("AgentTesla"),
        Some("Snake") => Some(SNAKE),
        _ if is_agent_tesla(name) => Some("AgentTesla"),
        _ if is_snake(name) => Some(SNAKE),
        _ => None,
    }
}

/// `PW_user-HOST_YYYY_MM_DD_HH_MM_SS.html`, and `CO_`, `KL_`, `SC_`, `Contacts_` likewise.
fn is_agent_tesla(name: &str) -> bool {
    const KINDS: [&str; 5] = ["PW_", "KL_", "SC_", "CO_", "Contacts_"];
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let is_loot = matches!(extension, "html" | "txt" | "jpeg" | "jpg" | "png" | "zip");
    is_loot && KINDS.iter().any(|kind| stem.starts_with(kind)) && stem.contains('-') && ends_with_time(stem)
}

/// Ends with six numbers of a date and a time.
fn ends_with_time(stem: &str) -> bool {
    const WIDTHS: [usize; 6] = [2, 2, 2, 2, 2, 4];
    let mut parts = stem.rsplit('_');
    let is_number = |part: &str, width| part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
    WIDTHS.iter().all(|width| parts.next().is_some_and(|part| is_number(part, *width)))
        && parts.next().is_some()
}

fn is_snake(name: &str) -> bool {
    // What all have in common first: most names have not even that.
    if !has_word(name, " ID - ") {
        return false;
    }
    [" - Passwords ID - ", " - Clipboard Logs ID - ", " - keystroke Logs ID - ", " - Screenshot Logs ID - "]
        .iter()
        .any(|sign| name.contains(sign))
}

struct Stealer {
    threshold: Threshold,
    clients: Table<(IpAddr, &'static str), Watch>,
}

impl Detector for Stealer {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(transfer), Some(session)) = (upload(event), &event.session) else { return };
        let Some(family) = family(transfer) else { return };
        let ip = session.client.ip;
        let watch = self.clients.entry((ip, family));
        if let Some(incident) = watch.add(self.threshold, event, Some(transfer.tx), file_name(transfer)) {
            let message = format!("{ip} uploads to {} what {family} collects", session.server.ip);
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
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

    fn alerts(name: &str) -> usize {
        alerts_of(&ENTRY, &[Session::new(9).upload(1, name)]).len()
    }

    #[test]
    fn names_of_loot_alert() {
        for name in [
            "/PW_bob-DESKTOP-1A2B_2026_01_02_03_04_05.html",
            "/KL_bob-PC_2026_11_28_23_59_59.html",
            "/CO_Chrome_Default.txt_bob-PC_2026_01_02_03_04_05.txt",
            "/x/DESKTOP - Passwords ID - 1234567.txt",
            "/PC - Screenshot Logs ID - 99.png",
        ] {
            assert_eq!(alerts(name), 1, "{name}");
        }
    }

    #[test]
    fn content_of_loot_alerts_whatever_the_name() {
        for (loot, family) in [("LaZagne", "LaZagne"), ("AgentTesla", "AgentTesla"), ("Snake", "Snake, 404")]
        {
            let upload = Session::new(9).transfer("STOR", "/report.txt", |transfer| {
                transfer.file =
                    Some(crate::event::FileFacts { loot: Some(loot.into()), ..Default::default() });
            });
            let alerts = alerts_of(&ENTRY, &[upload]);
            assert!(matches!(&alerts[..], [alert] if alert.message.contains(family)), "{alerts:?}");
        }
    }

    #[test]
    fn names_that_resemble_them_do_not() {
        for name in [
            "/PW_report_2026_01_02.html",
            "/PW_bob-PC_2026_01_02_03_04.html",
            "/PW_bob-PC_2026_01_02_03_04_0x.html",
            "/backup-PC_2026_01_02_03_04_05.zip",
            "/Passwords ID.txt",
            "",
        ] {
            assert_eq!(alerts(name), 0, "{name}");
        }
    }
}
