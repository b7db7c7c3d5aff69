//! IBM's Log Event Extended Format, version 2: a line a transfer, a login and an alert.

use std::fmt::{Display, Write as _};

use super::Formatter;
use ftpmon_event::text::on_one_line;
use ftpmon_event::{Event, EventKind, FileDirection, Login, LoginOutcome, Origin, Outcome, Transfer};

/// Writes LEEF. Attributes are separated by tabs, which no value has: the format has no escapes, and what would end a value is a space.
pub struct Leef {
    origin: Origin,
}

impl Leef {
    /// A writer of the events of `origin`.
    pub fn new(origin: &Origin) -> Self {
        Self { origin: origin.clone() }
    }
}

impl Formatter for Leef {
    fn event(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        let mut line = match &event.kind {
            EventKind::Transfer(transfer) => of_transfer(event, transfer),
            EventKind::Login(login) => of_login(event, login),
            EventKind::Alert(alert) => {
                let alert = &alert.alert;
                let severity = alert.severity.saturating_mul(5).div_ceil(2).clamp(1, 10);
                let mut line = Line::new(&alert.id, "Alert", severity, event);
                line.add("policy", &alert.title);
                line.add("msg", &alert.message);
                line.add("suppressed", alert.suppressed);
                line
            }
            _ => return,
        };
        line.add("sensor", &self.origin.sensor);
        line.add("eventKey", format_args!("{}-{seq}", self.origin.run));
        out.extend_from_slice(line.0.as_bytes());
        out.push(b'\n');
    }
}

fn of_transfer(event: &Event, transfer: &Transfer) -> Line {
    let facts = &transfer.transfer;
    let complete = facts.outcome == Outcome::Complete;
    let category = match facts.direction {
        Some(FileDirection::Upload) => "Upload",
        Some(FileDirection::Download) => "Download",
        Some(FileDirection::Listing) => "Listing",
        None => "Transfer",
    };
    let mut line = Line::new("transfer", category, if complete { 2 } else { 4 }, event);
    line.add("action", facts.verb.as_ref().map_or("", |verb| verb.as_ref()));
    line.add("outcome", if complete { "success" } else { "failure" });
    line.add("resource", facts.path.as_deref().or(facts.arg.as_deref()).unwrap_or_default());
    if let Some(data) = &transfer.data {
        line.add("srcBytes", data.bytes_from_client);
        line.add("dstBytes", data.bytes_from_server);
    }
    if let Some(hash) = transfer.file.as_ref().and_then(|file| file.sha256.as_deref()) {
        line.add("sha256", hash);
    }
    line.code(facts.code);
    line
}

fn of_login(event: &Event, login: &Login) -> Line {
    let attempt = &login.login;
    let (category, severity) = match attempt.outcome {
        LoginOutcome::Success => ("Success", 2),
        LoginOutcome::Failure => ("Failed", 5),
        LoginOutcome::Abandoned => ("Abandoned", 3),
    };
    let mut line = Line::new("login", category, severity, event);
    if let (None, Some(user)) = (&event.user, &attempt.user) {
        line.add("usrName", user);
    }
    line.code(attempt.code);
    line
}

/// A line without its line feed.
struct Line(String);

impl Line {
    fn new(id: &str, category: &str, severity: u8, event: &Event) -> Self {
        let id = on_one_line(id).replace('|', " ");
        let mut line =
            Self(format!("LEEF:2.0|ftpmon|ftpmon|{}|{id}|x09|cat={category}", env!("CARGO_PKG_VERSION")));
        line.add("devTime", event.ts.millis());
        line.add("sev", severity);
        line.add("proto", "TCP");
        if let Some(session) = &event.session {
            line.add("src", session.client.ip);
            line.add("srcPort", session.client.port);
            line.add("dst", session.server.ip);
            line.add("dstPort", session.server.port);
            line.add("session", session.id());
        }
        if let Some(user) = event.user.as_deref() {
            line.add("usrName", &user.text);
        }
        line
    }

    fn code(&mut self, code: Option<u16>) {
        if let Some(code) = code {
            self.add("replyCode", code);
        }
    }

    fn add(&mut self, name: &str, value: impl Display) {
        let value = on_one_line(&value.to_string());
        if !value.is_empty() {
            // Writing to a text cannot fail.
            let _ = write!(self.0, "\t{name}={value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn line(kind: EventKind) -> String {
        let mut out = Vec::new();
        Leef::new(&sample::origin("s")).event(7, &sample::event(&sample::identity("s"), 0, kind), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_transfer_has_the_predefined_attributes() {
        let line = line(sample::transfer(1));
        let (head, attributes) = line.trim_end().split_once("|x09|").unwrap();
        assert_eq!(head, concat!("LEEF:2.0|ftpmon|ftpmon|", env!("CARGO_PKG_VERSION"), "|transfer"));
        let attributes: Vec<_> = attributes.split('\t').collect();
        for wanted in [
            "cat=Download",
            "devTime=1700000000000",
            "src=192.168.1.106",
            "srcPort=57658",
            "dst=192.168.1.109",
            "dstPort=21",
            "usrName=joe",
            "resource=/pub/a.txt",
            "dstBytes=77",
            "replyCode=226",
            "eventKey=000000000000feed-7",
        ] {
            assert!(attributes.contains(&wanted), "{wanted}: {line}");
        }
    }

    #[test]
    fn what_a_peer_says_adds_no_attribute_and_no_line() {
        let EventKind::Transfer(mut transfer) = sample::transfer(1) else { panic!() };
        transfer.transfer.path = Some("/a\tusrName=root\nb\r\u{1b}[2J".into());
        let line = line(EventKind::Transfer(transfer));
        assert_eq!((line.lines().count(), line.matches("\tusrName=").count()), (1, 1), "{line}");
        assert_eq!(self::line(sample::command(1, "NOOP", None)), "");
    }
}
