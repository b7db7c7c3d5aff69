//! ArcSight's Common Event Format, version 0: a line a transfer, a login and an alert.

use std::fmt::{Display, Write as _};

use super::Formatter;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::text::is_disruptive;
use ftpmon_event::{Event, EventKind, FileDirection, Login, LoginOutcome, Origin, Outcome, Transfer};

/// Writes CEF.
pub struct Cef {
    origin: Origin,
}

impl Cef {
    /// A writer of the events of `origin`.
    pub fn new(origin: &Origin) -> Self {
        Self { origin: origin.clone() }
    }
}

impl Formatter for Cef {
    fn event(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        let mut line = match &event.kind {
            EventKind::Transfer(transfer) => of_transfer(event, transfer),
            EventKind::Login(login) => of_login(event, login),
            EventKind::Alert(alert) => {
                let alert = &alert.alert;
                let severity = alert.severity.saturating_mul(5).div_ceil(2).min(10);
                let mut line = Line::new(&alert.id, &alert.title, severity);
                line.common(event);
                line.add("msg", &alert.message);
                line.add("cnt", alert.suppressed.saturating_add(1));
                line
            }
            _ => return,
        };
        line.add("externalId", format_args!("{}-{seq}", self.origin.run));
        line.add("dvchost", &self.origin.sensor);
        out.extend_from_slice(line.0.as_bytes());
        out.push(b'\n');
    }
}

fn of_transfer(event: &Event, transfer: &Transfer) -> Line {
    let facts = &transfer.transfer;
    let verb = facts.verb.as_ref().map_or("", |verb| verb.as_ref());
    let severity = if facts.outcome == Outcome::Complete { 3 } else { 5 };
    let mut line = Line::new("transfer", "FTP transfer", severity);
    line.common(event);
    line.add("act", verb);
    let outcome = if facts.outcome == Outcome::Complete { "success" } else { "failure" };
    line.add("outcome", outcome);
    let path = facts.path.as_deref().or(facts.arg.as_deref());
    if let Some(path) = path {
        line.add("fname", path.rsplit(['/', '\\']).next().unwrap_or(path));
        line.add("filePath", path);
    }
    line.add("fsize", facts.bytes);
    match facts.direction {
        Some(FileDirection::Upload) => line.add("in", facts.bytes),
        Some(FileDirection::Download | FileDirection::Listing) => line.add("out", facts.bytes),
        None => {}
    }
    if let Some(hash) = transfer.file.as_ref().and_then(|file| file.sha256.as_deref()) {
        line.add("fileHash", hash);
    }
    line.code(facts.code);
    line
}

fn of_login(event: &Event, login: &Login) -> Line {
    let attempt = &login.login;
    let (outcome, reason, severity) = match attempt.outcome {
        LoginOutcome::Success => ("success", "logged in", 3),
        LoginOutcome::Failure => ("failure", "refused", 6),
        LoginOutcome::Abandoned => ("failure", "the session ended before a decision", 4),
    };
    let mut line = Line::new("login", "FTP login", severity);
    line.common(event);
    if event.user.is_none()
        && let Some(user) = &attempt.user
    {
        line.add("suser", user);
    }
    line.add("outcome", outcome);
    line.add("reason", reason);
    line.code(attempt.code);
    line
}

/// A line without its line feed.
struct Line(String);

impl Line {
    fn new(id: &str, name: &str, severity: u8) -> Self {
        let (id, name) = (header(id), header(name));
        Self(format!("CEF:0|ftpmon|ftpmon|{}|{id}|{name}|{severity}|", env!("CARGO_PKG_VERSION")))
    }

    fn common(&mut self, event: &Event) {
        self.add("rt", event.ts.millis());
        if let Some(session) = &event.session {
            let Endpoint { ip, port } = session.client;
            self.add("src", ip);
            self.add("spt", port);
            let Endpoint { ip, port } = session.server;
            self.add("dst", ip);
            self.add("dpt", port);
            self.add("cs2Label", "session");
            self.add("cs2", session.id());
        }
        self.add("proto", "TCP");
        self.add("app", "FTP");
        if let Some(user) = event.user.as_deref() {
            self.add("suser", &user.text);
        }
    }

    fn code(&mut self, code: Option<u16>) {
        if let Some(code) = code {
            self.add("cs1Label", "replyCode");
            self.add("cs1", code);
        }
    }

    fn add(&mut self, name: &str, value: impl Display) {
        let value = value.to_string();
        if value.is_empty() {
            return;
        }
        let space = if self.0.ends_with('|') { "" } else { " " };
        // Writing to a text cannot fail.
        let _ = write!(self.0, "{space}{name}={}", extension(&value));
    }
}

/// A value of the header: `|` and `\` are escaped, and there is no other line.
fn header(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '|' | '\\' => text.extend(['\\', c]),
            c if is_disruptive(c) => text.push(' '),
            c => text.push(c),
        }
    }
    text
}

/// A value of the extension: `=` and `\` are escaped, line feeds are `\n`.
fn extension(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '=' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            c if is_disruptive(c) => text.push(' '),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn line(kind: EventKind) -> String {
        let mut out = Vec::new();
        Cef::new(&sample::origin("sensor")).event(
            9,
            &sample::event(&sample::identity("0123456789abcdef"), 0, kind),
            &mut out,
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_transfer() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            line(sample::transfer(5)),
            format!(
                "CEF:0|ftpmon|ftpmon|{version}|transfer|FTP transfer|3|rt=1700000000000 src=192.168.1.106 spt=57658 \
                 dst=192.168.1.109 dpt=21 cs2Label=session cs2=0123456789abcdef proto=TCP app=FTP suser=joe act=RETR \
                 outcome=success fname=a.txt filePath=/pub/a.txt fsize=77 out=77 fileHash={} cs1Label=replyCode cs1=226 \
                 externalId=000000000000feed-9 dvchost=sensor\n",
                "ab".repeat(32)
            )
        );
    }

    #[test]
    fn what_a_peer_says_adds_no_field_and_no_line() {
        let EventKind::Transfer(mut transfer) = sample::transfer(1) else { panic!() };
        transfer.transfer.path = Some("/a=b|c\\d\ne\r\u{1b}[2J suser=root".into());
        let line = line(EventKind::Transfer(transfer));
        assert!(line.contains(r"filePath=/a\=b|c\\d\ne\r [2J suser\=root fsize"), "{line}");
        assert_eq!(line.lines().count(), 1);
        assert_eq!(header("a|b\\c\nd"), r"a\|b\\c d");
    }

    #[test]
    fn only_transfers_logins_and_alerts_have_a_line() {
        let alert = EventKind::Alert(Box::new(ftpmon_event::Alert { alert: sample::alert() }));
        assert!(line(alert).contains("|bounce|FTP bounce|8|rt="));
        assert_eq!(line(sample::command(1, "NOOP", None)), "");
    }
}
