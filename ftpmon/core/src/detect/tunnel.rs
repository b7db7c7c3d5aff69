//! Data that travels in names and commands alone.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::hosts;
use super::incident::Incident;
use super::watching::{Sighting, Watching};
use crate::event::{Command, Confidence, Event, EventKind, EventType};
use smol_str::format_smolstr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "command-tunnel",
        number: 34,
        title: "Data travels in names and commands",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1048"),
    },
    on: true,
    about: "A client sends as many commands with an argument that looks encoded as the threshold says: 40 characters and \
            more of Base64 or hexadecimal digits without a word in them, in CWD, MKD, SIZE, SITE, LIST and their like. So \
            data leaves past monitors that look at transfers only.",
    tuning: "Stores that name files by a hash and are walked by FTP look like this: allow them.",
    threshold: Threshold { count: 50, per_s: 600 },
    sees: &[Seen::All(EventType::Command)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

/// Characters of a part of an argument that may carry data.
const ENCODED_MIN: usize = 40;
/// The content of these is data of another kind, or a secret.
const OTHERS: [&str; 8] = ["PASS", "ACCT", "ADAT", "USER", "AUTH", "PBSZ", "RETR", "STOR"];

fn see(event: &Event) -> Option<Sighting<(IpAddr, IpAddr)>> {
    let EventKind::Command(Command { tx, command }) = &event.kind else { return None };
    let arg = command.arg.as_deref().filter(|arg| arg.len() >= ENCODED_MIN)?;
    if OTHERS.contains(&command.verb.as_str()) || !has_encoded(arg) {
        return None;
    }
    Some(Sighting { key: hosts(event), tx: Some(*tx), example: format_smolstr!("{} {arg}", command.verb) })
}

/// A run of the alphabet's characters in it is long, and has digits and letters mixed as no words are.
fn has_encoded(arg: &str) -> bool {
    long_runs(arg.as_bytes()).any(is_encoded)
}

/// The characters of Base64, also of its form for file names (RFC 4648), and of hexadecimal digits.
const fn is_of_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'_' | b'=')
}

/// The runs of at least [`ENCODED_MIN`] such characters. Each window is searched from its end, so that short runs are passed over.
fn long_runs(arg: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = arg;
    core::iter::from_fn(move || {
        loop {
            let window = rest.get(..ENCODED_MIN)?;
            if let Some(border) = window.iter().rposition(|byte| !is_of_alphabet(*byte)) {
                rest = rest.get(border + 1..)?;
                continue;
            }
            let end = rest.iter().position(|byte| !is_of_alphabet(*byte)).unwrap_or(rest.len());
            let (run, behind) = rest.split_at_checked(end)?;
            rest = behind;
            return Some(run);
        }
    })
}

/// Characters of a run that are looked at.
const JUDGED_MAX: usize = 256;

fn is_encoded(run: &[u8]) -> bool {
    let run = run.get(..JUDGED_MAX).unwrap_or(run);
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        _ => 3,
    };
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    let turn = |pair: &&[u8]| matches!(pair, [a, b] if class(*a) != class(*b));
    run.windows(2).filter(turn).count() * 4 >= run.len() && digits * 16 >= run.len()
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    format!("{client} sent {server} {} commands whose arguments look encoded", incident.count)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::watching::KEYS_MAX;
    use super::*;

    const BASE64: &str = "aGVsbG8gd29ybGQsIHRoaXMgaXMgZGF0YSB0aGF0IGxlYXZlcw==";
    const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn sent(count: i64, seconds: i64, verb: &str, arg: &str) -> Vec<Event> {
        (0..count).map(|n| Session::new(9).at(n * seconds).command(verb, Some(arg))).collect()
    }

    #[test]
    fn fifty_encoded_arguments_alert() {
        for (verb, arg) in [("CWD", BASE64), ("SIZE", HEX), ("XYZZY", BASE64)] {
            assert_eq!(alerts_of(&ENTRY, &sent(50, 0, verb, arg)).len(), 1, "{verb}");
        }
        for arg in [
            format!("/a/{HEX}/b"),
            format!("x {HEX}"),
            format!("{HEX},é"),
            format!("{}/{BASE64}", "a".repeat(50)),
        ] {
            assert_eq!(alerts_of(&ENTRY, &sent(50, 0, "MKD", &arg)).len(), 1, "{arg}");
        }
    }

    #[test]
    fn few_slow_and_readable_ones_do_not() {
        assert!(alerts_of(&ENTRY, &sent(49, 0, "CWD", BASE64)).is_empty());
        assert!(alerts_of(&ENTRY, &sent(500, 13, "CWD", BASE64)).is_empty());
        assert!(alerts_of(&ENTRY, &sent(500, 0, "PASS", BASE64)).is_empty());
        for arg in [
            "/srv/projects/internationalization/documentation/2026/quarterly-report-final.txt",
            "AVeryLongDirectoryNameThatSomebodyWroteInLowerCaseLetters",
            "internationalization-documentation-quarterly-report",
        ] {
            assert!(alerts_of(&ENTRY, &sent(500, 0, "CWD", arg)).is_empty(), "{arg}");
        }
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).command("CWD", Some(HEX)));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
