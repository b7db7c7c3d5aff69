//! Server software by greeting, with known flaws.

use core::hash::BuildHasher as _;
use std::net::IpAddr;

use hashbrown::DefaultHashBuilder;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{code, has_word, hosts};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind};
use crate::ftp::Code;
use crate::time::Timestamp;
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "exposure",
        number: 26,
        title: "A server tells its software and version",
        severity: 1,
        confidence: Confidence::Medium,
        technique: Some("T1592.002"),
    },
    on: false,
    about: "The greeting, or the reply to SYST or CSID, names software and version. Once a server and text, as an inventory: \
            the message has the known flaws of the version from a table that names sources and a date (known_flaws.tsv). \
            Distributions mend flaws without a new version: the greeting is a hint. The severity is 2 where there are flaws.",
    tuning: "Off unless asked for. Ask the administrator for the patch level before you act.",
    threshold: Threshold { count: 1, per_s: 604800 },
    sees: &[Seen::Replies(|code| matches!(code, 200 | 211..=220))],
    wants: |event| greeting(event).is_some(),
    start: |threshold| {
        let (servers, latest) = (Table::new(KEYS_MAX), Table::new(KEYS_MAX));
        let (known, hasher) = (parsed(KNOWN_FLAWS), DefaultHashBuilder::default());
        Box::new(Exposure { threshold, known, servers, latest, hasher })
    },
};

/// Flaws by software and version. Columns: a name as greetings have it, the first and the last version concerned, the flaw, and its
/// source.
const KNOWN_FLAWS: &str = include_str!("known_flaws.tsv");
/// Names of software in greetings.
const NAMED: [&str; 14] = [
    "vsftpd",
    "proftpd",
    "pure-ftpd",
    "filezilla",
    "serv-u",
    "ws_ftp",
    "titan",
    "crushftp",
    "wing ftp",
    "wu-",
    "microsoft ftp",
    "pyftpdlib",
    "sftpgo",
    "glftpd",
];

/// The text of a greeting or of a reply that names the software.
fn greeting(event: &Event) -> Option<&str> {
    let EventKind::Reply(reply) = &event.kind else { return None };
    let code = reply.reply.code.unwrap_or_default();
    let named = match &reply.command {
        None => reply.tx == 0 && code == 220,
        Some(command) => matches!(command.verb.as_str(), "SYST" | "CSID") && Code::completes(code),
    };
    named.then_some(reply.reply.text.as_str())
}

/// A known flaw.
#[derive(Clone, Copy)]
struct Flaw {
    software: &'static str,
    from: &'static str,
    to: &'static str,
    name: &'static str,
}

fn parsed(table: &'static str) -> Vec<Flaw> {
    let flaw = |line: &'static str| {
        let mut columns = line.split('\t');
        let (software, from, to) = (columns.next()?, columns.next()?, columns.next()?);
        Some(Flaw { software, from, to, name: columns.next()? })
    };
    table.lines().filter(|line| !line.starts_with('#')).filter_map(flaw).collect()
}

/// The version behind the name of a software in a text, which is given in small letters too: digits, dots and what is stuck to them (`1.3.5rc3`, `15.4.2.126`).
fn version<'t>(text: &'t str, lower: &str, software: &str) -> Option<&'t str> {
    let at = lower.find(&software.to_ascii_lowercase())?;
    let rest = text.get(at + software.len()..)?;
    let start = rest.find(|c: char| c.is_ascii_digit()).filter(|start| *start <= 16)?;
    let version = rest.get(start..)?;
    let end = version.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(version.len());
    version.get(..end).map(|version| version.trim_end_matches('.'))
}

/// Numbers and letters of a version, in the order that versions have.
fn ordered(version: &str) -> Vec<(u64, &str)> {
    let part = |part: &'_ str| part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
    let number = |text: &str| text.get(..part(text)).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    version.split('.').map(|text| (number(text), text.get(part(text)..).unwrap_or_default())).collect()
}

fn is_between(version: &str, flaw: &Flaw) -> bool {
    let version = ordered(version);
    ordered(flaw.from) <= version && version <= ordered(flaw.to)
}

struct Exposure {
    threshold: Threshold,
    known: Vec<Flaw>,
    servers: Table<(IpAddr, SmolStr), Watch>,
    /// The latest greeting of a server, and its latest other text.
    latest: Table<(IpAddr, bool), Said>,
    hasher: DefaultHashBuilder,
}

/// A text that was looked at.
#[derive(Default)]
struct Said {
    /// Its hash.
    text: u64,
    at: Timestamp,
}

/// The flaws of what a text names.
fn flaws_of(text: &str, known: &[Flaw]) -> Vec<&'static str> {
    let lower = text.to_ascii_lowercase();
    let concerns =
        |flaw: &&Flaw| version(text, &lower, flaw.software).is_some_and(|version| is_between(version, flaw));
    known.iter().filter(concerns).map(|flaw| flaw.name).collect()
}

impl Detector for Exposure {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(text) = greeting(event) else { return };
        let (_, server) = hosts(event);
        // Most texts are those of the session before, and say nothing new.
        let (said, is_greeting) = (self.hasher.hash_one(text), code(event) == Some(220));
        let latest = self.latest.entry((server, is_greeting));
        let is_new = latest.text != said
            || event.ts.nanos_since(latest.at) >= u64::from(self.threshold.per_s) * 500_000_000;
        if !is_new {
            return;
        }
        *latest = Said { text: said, at: event.ts };
        if !NAMED.iter().any(|name| has_word(text, name)) {
            return;
        }
        let first: SmolStr = text.lines().next().unwrap_or_default().chars().take(64).collect();
        let watch = self.servers.entry((server, first.clone()));
        let told = watch.add(self.threshold, event, None, &first).filter(|incident| incident.count == 1);
        if let Some(incident) = told {
            let flaws = flaws_of(text, &self.known);
            let severity = ENTRY.subject.severity + u8::from(!flaws.is_empty());
            let known =
                if flaws.is_empty() { String::new() } else { format!("; known: {}", flaws.join(", ")) };
            let counts = [("flaws", flaws.len() as u64)];
            let message = format!("{server} says {first:?}{known}");
            alerts.raise_at(&ENTRY.subject, severity, event, incident, &counts, message);
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.servers.fill();
        fill += self.latest.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn told(greetings: &[&str]) -> Vec<(u8, String)> {
        let events: Vec<_> = greetings.iter().map(|text| Session::new(9).unasked(220, text)).collect();
        alerts_of(&ENTRY, &events)
            .into_iter()
            .map(|alert| (alert.severity, alert.message.to_string()))
            .collect()
    }

    #[test]
    fn a_server_is_told_once_with_its_flaws() {
        let alerts = told(&["(vsFTPd 2.3.4)", "(vsFTPd 2.3.4)"]);
        let [(severity, message)] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(*severity, 2);
        assert!(message.contains("CVE-2011-2523"), "{message}");
        let alerts = told(&["ProFTPD 1.3.5 Server (Debian) [192.0.2.1]"]);
        assert!(alerts[0].1.contains("CVE-2015-3306"), "{alerts:?}");
    }

    #[test]
    fn versions_without_known_flaws_are_told_and_other_texts_are_not() {
        let expected = (1, "192.0.2.1 says \"pyftpdlib 2.0.1 ready.\"".to_owned());
        assert_eq!(told(&["pyftpdlib 2.0.1 ready."]), [expected]);
        assert!(told(&["ready", "Welcome to our FTP service"]).is_empty());
        assert!(!told(&["(vsFTPd 2.3.5)"])[0].1.contains("CVE-2011-2523"));
    }

    #[test]
    fn versions_have_an_order() {
        let flaw = Flaw { software: "x", from: "1.3.3c", to: "1.3.5", name: "f" };
        for (version, inside) in [
            ("1.3.3c", true),
            ("1.3.3", false),
            ("1.3.4a", true),
            ("1.3.5", true),
            ("1.3.5a", false),
            ("1.3.10", false),
        ] {
            assert_eq!(is_between(version, &flaw), inside, "{version}");
        }
        assert_eq!(
            version("220 Serv-U FTP Server v15.1 ready", "220 serv-u ftp server v15.1 ready", "Serv-U"),
            Some("15.1")
        );
        assert_eq!(version("ProFTPD Server", "proftpd server", "ProFTPD"), None);
    }

    #[test]
    fn the_table_of_flaws_is_complete() {
        let rows: Vec<_> = KNOWN_FLAWS.lines().filter(|line| !line.starts_with('#')).collect();
        let flaws = parsed(KNOWN_FLAWS);
        assert!(flaws.len() == rows.len() && rows.len() > 10);
        let date = KNOWN_FLAWS.split_once("Checked on ").map(|(_, rest)| &rest[..10]);
        assert!(
            date.is_some_and(|date| date.starts_with("20") && date.matches('-').count() == 2),
            "{date:?}"
        );
        for (flaw, row) in flaws.iter().zip(rows) {
            let columns: Vec<_> = row.split('\t').collect();
            let [.., name, source] = columns[..] else { panic!("{row}") };
            let number = name.split(' ').next().unwrap();
            assert!(columns.len() == 5 && number.starts_with("CVE-"), "{row}");
            assert_eq!(source, format!("https://www.cve.org/CVERecord?id={number}"));
            assert!(ordered(flaw.from) <= ordered(flaw.to), "{row}");
            // A greeting of the last version tells the flaw.
            let greeting = format!(
                "220 {}{} ready",
                flaw.software,
                if flaw.software.ends_with(['v', '-']) { "" } else { " " }
            )
            .replace(" ready", &format!("{} ready", flaw.to));
            assert!(flaws_of(&greeting, &flaws).contains(&flaw.name), "{greeting}");
        }
    }

    #[test]
    fn texts_that_come_in_turn_are_told_once_each() {
        let texts = ["(vsFTPd 3.0.3)", "ProFTPD 1.3.5 Server ready", "hello"];
        let said = |n: i64| Session::new(9).at(n * 60).unasked(220, texts[n as usize % texts.len()]);
        assert_eq!(alerts_of(&ENTRY, &(0..90).map(said).collect::<Vec<_>>()).len(), 2);
        let weeks = |n: i64| Session::new(9).at(n * 8 * 86_400).unasked(220, texts[0]);
        assert_eq!(alerts_of(&ENTRY, &(0..3).map(weeks).collect::<Vec<_>>()).len(), 3);
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::with_server(n).unasked(220, "(vsFTPd 3.0.3)"));
        assert_eq!(fill_after(&ENTRY, events).used, 2 * KEYS_MAX as u64);
    }
}
