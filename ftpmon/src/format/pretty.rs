//! One line per event for people: time, session, user, and what happened in words. Colours where standard output is a terminal
//! and
//! `NO_COLOR` is not set.

use std::fmt::Write as _;

use super::Formatter;
use ftpmon_event::text::on_one_line;
use ftpmon_event::time::Rfc3339;
use ftpmon_event::{Event, EventKind, LoginOutcome, Origin, Outcome, Transfer};

/// Columns that client and server take.
const PEERS_WIDTH: usize = 40;

/// Writes lines for people.
pub struct Pretty {
    clock: Rfc3339,
    colour: bool,
}

/// The kind of a line.
#[derive(Clone, Copy)]
enum Mood {
    Plain,
    Good,
    Bad,
    Quiet,
}

impl Mood {
    /// The colour, as SGR has it (ECMA-48 section 8.3.117).
    const fn colour(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
            Self::Quiet => "\x1b[2m",
        }
    }
}

impl Pretty {
    /// A writer; with colours only where `colour`.
    pub fn new(colour: bool) -> Self {
        Self { clock: Rfc3339::default(), colour }
    }

    /// A writer without colours; a line has nothing of where it comes from.
    pub fn plain(_origin: &Origin) -> Self {
        Self::new(false)
    }

    /// A writer for standard output as it is.
    pub fn for_stdout() -> Self {
        use std::io::IsTerminal as _;
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self::new(wanted && std::io::stdout().is_terminal())
    }
}

impl Formatter for Pretty {
    fn event(&mut self, _seq: u64, event: &Event, out: &mut Vec<u8>) {
        let (mood, what) = words(&event.kind);
        self.clock.set(event.ts);
        let time = self.clock.as_str().get(11..23).unwrap_or_default();
        let peers = event
            .session
            .as_ref()
            .map_or_else(|| "-".to_owned(), |session| format!("{} > {}", session.client, session.server));
        let user = event.user.as_deref().map_or("-", |user| user.text.as_str());
        let mut line = format!("{time} {peers:PEERS_WIDTH$} {:10} ", on_one_line(user));
        let (begin, end) = match mood {
            Mood::Plain => ("", ""),
            _ if !self.colour => ("", ""),
            mood => (mood.colour(), "\x1b[0m"),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(line, "{begin}{}{end}", on_one_line(&what));
        out.extend_from_slice(line.as_bytes());
    }
}

fn words(kind: &EventKind) -> (Mood, String) {
    match kind {
        EventKind::Command(command) => {
            let arg = command.command.arg.as_deref().unwrap_or_default();
            (Mood::Quiet, format!("> {} {arg}", command.command.verb))
        }
        EventKind::Reply(reply) => {
            let code = reply.reply.code.unwrap_or(0);
            let mood = if code >= 400 { Mood::Bad } else { Mood::Quiet };
            (mood, format!("< {code} {}", reply.reply.text))
        }
        EventKind::Login(login) => {
            let user = login.login.user.as_deref().unwrap_or("-");
            match login.login.outcome {
                LoginOutcome::Success => (Mood::Good, format!("login of {user}")),
                LoginOutcome::Failure => (Mood::Bad, format!("login of {user} refused")),
                LoginOutcome::Abandoned => (Mood::Plain, format!("login of {user} abandoned")),
            }
        }
        EventKind::Transfer(transfer) => of_transfer(transfer),
        EventKind::SessionStart(_) => (Mood::Plain, "session begins".to_owned()),
        EventKind::SessionEnd(end) => {
            let end = &end.end;
            let seconds = end.duration_ms as f64 / 1_000.0;
            (
                Mood::Plain,
                format!(
                    "session ends after {seconds:.1} s, {} commands, {} transfers",
                    end.commands, end.transfers
                ),
            )
        }
        EventKind::Alert(alert) => {
            let alert = &alert.alert;
            let more = match alert.suppressed {
                0 => String::new(),
                suppressed => format!(" (and {suppressed} more)"),
            };
            (Mood::Bad, format!("ALERT {}: {}{more}", alert.title, alert.message))
        }
        EventKind::Drop(dropped) => {
            let drop = &dropped.drop;
            (Mood::Bad, format!("{} events lost at {}: {}", drop.count, drop.output, drop.reason.name()))
        }
        EventKind::Gap(gap) => (Mood::Bad, format!("{} bytes of the dialogue were not seen", gap.gap.bytes)),
        EventKind::Anomaly(anomaly) => (Mood::Bad, format!("anomaly: {}", anomaly.anomaly.detail)),
        kind => (Mood::Quiet, kind.name().replace('_', " ")),
    }
}

fn of_transfer(transfer: &Transfer) -> (Mood, String) {
    let facts = &transfer.transfer;
    let verb = facts.verb.as_ref().map_or("data", |verb| verb.as_ref());
    let path = facts.path.as_deref().or(facts.arg.as_deref()).unwrap_or("-");
    let rate = facts.rate_bps.map_or_else(String::new, |rate| format!(", {}/s", size(rate / 8)));
    let (mood, outcome) = match facts.outcome {
        Outcome::Complete => (Mood::Good, "complete"),
        Outcome::Aborted => (Mood::Bad, "aborted"),
        Outcome::Refused => (Mood::Bad, "refused"),
        Outcome::Failed => (Mood::Bad, "failed"),
        Outcome::NoData => (Mood::Plain, "no data connection was seen"),
        Outcome::Short => (Mood::Bad, "short"),
        Outcome::Unknown => (Mood::Plain, "unknown outcome"),
    };
    (mood, format!("{verb} {path}: {outcome}, {}{rate}", size(facts.bytes)))
}

/// Bytes in the largest unit of 1,000 that leaves a digit before the point.
fn size(bytes: u64) -> String {
    let units = [(1_000_000_000_u64, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn line(colour: bool, kind: EventKind) -> String {
        let mut out = Vec::new();
        Pretty::new(colour).event(0, &sample::event(&sample::identity("s"), 0, kind), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_transfer_in_words() {
        assert_eq!(
            line(false, sample::transfer(1)),
            "22:13:20.000 192.168.1.106:57658 > 192.168.1.109:21   joe        RETR /pub/a.txt: complete, 77 B, 77 B/s\n"
        );
        assert!(
            line(true, sample::transfer(1))
                .ends_with("\x1b[32mRETR /pub/a.txt: complete, 77 B, 77 B/s\x1b[0m\n")
        );
    }

    #[test]
    fn what_a_peer_says_stays_on_its_line_and_moves_no_cursor() {
        let text = line(false, sample::reply(1, 550, "No\n\x1b[2Jsuch\u{202e}file", None));
        assert_eq!((text.lines().count(), text.contains('\x1b')), (1, false));
        assert!(text.ends_with("< 550 No  [2Jsuch file\n"), "{text}");
    }

    #[test]
    fn an_alert_says_how_many_had_none_of_their_own() {
        let line = |suppressed| {
            let alert = ftpmon_event::AlertDetail { suppressed, ..sample::alert() };
            line(false, EventKind::Alert(Box::new(ftpmon_event::Alert { alert })))
        };
        assert!(line(2).ends_with(" ALERT FTP bounce: x (and 2 more)\n"), "{}", line(2));
        assert!(line(0).ends_with(" ALERT FTP bounce: x\n"), "{}", line(0));
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(
            [0, 999, 1_500, 2_000_000, 3_100_000_000].map(size),
            ["0 B", "999 B", "1.5 kB", "2.0 MB", "3.1 GB"]
        );
    }
}
