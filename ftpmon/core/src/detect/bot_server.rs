//! Servers that bots open on stolen hosts.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{has_word, hosts, unasked};
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event};
use crate::text::has_pair;
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "bot-server",
        number: 49,
        title: "A server greets as those do that bots open",
        severity: 4,
        confidence: Confidence::High,
        technique: Some("T1105"),
    },
    on: true,
    about: "The greeting is one of the FTP servers that worms and bots open on stolen hosts to spread from there (`Reptile \
            welcomes you`, `StnyFtpd`, `NzmxFtpd`, `Bot Server (Win32)`). The host is infected.",
    tuning: "Honeypots greet like this on purpose: allow their addresses (server:).",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::Replies(|code| code == 220)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

const GREETINGS: [&str; 4] = ["reptile welcomes you", "bot server (win32)", "stnyftpd", "nzmxftpd"];

fn see(event: &Event) -> Option<Sighting<IpAddr>> {
    let (reply, _) = unasked(event).filter(|(_, code)| *code == 220)?;
    // Letters of each that stand together in few other greetings.
    let rare = |a: u8, b: u8| {
        let (a, b) = (a | 0x20, b | 0x20);
        ((a == b'e') & (b == b'p'))
            | ((a == b'(') & (b == b'w'))
            | ((a == b'n') & (b == b'y'))
            | ((a == b'z') & (b == b'm'))
    };
    if !has_pair(reply.reply.text.as_bytes(), rare) {
        return None;
    }
    GREETINGS.iter().any(|known| has_word(&reply.reply.text, known)).then(|| Sighting {
        key: hosts(event).1,
        tx: None,
        example: reply.reply.text.clone(),
    })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    let text = incident.examples.last().map(SmolStr::as_str).unwrap_or_default();
    format!("{server} greets {client} as a bot does: {text:?}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    fn alerts(code: u16, text: &str) -> usize {
        alerts_of(&ENTRY, &[Session::new(9).unasked(code, text)]).len()
    }

    #[test]
    fn greetings_of_bots_alert() {
        for text in ["Reptile welcomes you..", "StnyFtpd 0wns j0", "NzmxFtpd 0wns j0", "Bot Server (Win32)"] {
            assert_eq!(alerts(220, text), 1, "{text}");
        }
        for (code, text) in [(220, "ready"), (221, "StnyFtpd"), (220, "(vsFTPd 3.0.3)")] {
            assert_eq!(alerts(code, text), 0, "{text}");
        }
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::with_server(n).unasked(220, "StnyFtpd"));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
