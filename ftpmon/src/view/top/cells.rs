//! The columns of the tables, and the texts of their rows.

use ftpmon_event::FileDirection;
use ftpmon_event::time::Timestamp;

use super::grid::{Column, number, text};
use super::happened::{Happened, What};
use super::tab::Tab;
use crate::view::layout::shown;
use crate::view::ranking::Counts;
use crate::view::sessions::{self, CELLS, Running, Session};
use crate::view::terminal::Tone;
use crate::view::units::{age, percent, rate, second, size};

/// The texts of a row, all of them safe to show, and its colour.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub(super) texts: Vec<String>,
    pub(super) tone: Tone,
}

const SESSIONS: [Column; CELLS] = [
    text("CLIENT", 21, 0),
    text("SERVER", 21, 108),
    text("USER", 10, 0),
    text("STATE", 14, 0),
    number("TIME", 6, 0),
    number("IDLE", 6, 0),
    number("UP", 7, 96),
    number("DOWN", 7, 0),
    number("FAILED", 6, 120),
    text("COMMAND", 0, 0),
];

const TRANSFERS: [Column; 10] = [
    text("STATE", 11, 0),
    text("USER", 10, 0),
    text("CLIENT", 15, 0),
    text("SERVER", 21, 110),
    number("TIME", 6, 0),
    number("BYTES", 7, 0),
    number("OF", 7, 92),
    number("DONE", 5, 0),
    number("RATE", 9, 0),
    text("PATH", 0, 0),
];

const NAMES: [Column; 6] = [
    number("TRANSFERS", 9, 0),
    number("FAILED", 7, 0),
    number("UP", 8, 0),
    number("DOWN", 8, 0),
    number("REFUSED", 7, 0),
    text("NAME", 0, 0),
];

const LOGINS: [Column; 6] = [
    text("TIME", 19, 0),
    text("CLIENT", 21, 0),
    text("SERVER", 21, 100),
    number("CODE", 4, 0),
    text("TLS", 3, 0),
    text("USER", 0, 0),
];

const ALERTS: [Column; 5] = [
    text("TIME", 19, 0),
    number("LEVEL", 5, 0),
    text("DETECTOR", 20, 0),
    text("CLIENT", 21, 110),
    text("WHAT", 0, 0),
];

/// The columns of a table.
pub(super) const fn columns(tab: Tab) -> &'static [Column] {
    match tab {
        Tab::Sessions => &SESSIONS,
        Tab::Transfers => &TRANSFERS,
        Tab::Users | Tab::Paths | Tab::Servers | Tab::Clients => &NAMES,
        Tab::Logins => &LOGINS,
        Tab::Alerts => &ALERTS,
    }
}

/// A session in the table of sessions.
pub(super) fn session(row: &Session, now: Timestamp) -> Cells {
    Cells { texts: sessions::cells(row, now).into(), tone: tone(row) }
}

/// A session in the table of transfers.
pub(super) fn running(row: &Session, now: Timestamp) -> Cells {
    let transfer = row.running.as_ref();
    let unknown = || "?".to_owned();
    let mean = if transfer.is_some_and(Running::is_mean) { "~" } else { "" };
    let rate =
        transfer.and_then(Running::rate_bps).map_or_else(unknown, |bps| format!("{mean}{}", rate(bps)));
    let bytes = transfer.and_then(|transfer| transfer.bytes(now));
    let done = transfer.and_then(|transfer| transfer.percent(now));
    let texts = vec![
        if row.is_stalled() { "stalled".to_owned() } else { row.state.name().to_owned() },
        name(row.user.as_deref()),
        row.client.ip.to_string(),
        row.server.to_string(),
        transfer.map_or_else(String::new, |transfer| age(now, transfer.since)),
        bytes.map_or_else(unknown, |bytes| format!("{mean}{}", size(bytes))),
        transfer.and_then(|transfer| transfer.declared).map_or_else(unknown, size),
        done.map_or_else(unknown, |percent| format!("{mean}{percent}%")),
        rate,
        name(row.path.as_deref()),
    ];
    Cells { texts, tone: tone(row) }
}

/// A name with its counts, and its refused logins.
pub(super) fn named(row: &str, counts: Counts, refused: Option<u64>) -> Cells {
    let texts = vec![
        counts.count.to_string(),
        counts.failed.to_string(),
        size(counts.bytes_up),
        size(counts.bytes_down),
        refused.map_or_else(|| "-".to_owned(), |refused| refused.to_string()),
        shown(row),
    ];
    let tone = if refused.unwrap_or(0) > 0 { Tone::Odd } else { Tone::Plain };
    Cells { texts, tone }
}

/// Something that happened, in its table.
pub(super) fn happened(row: &Happened) -> Cells {
    let client = row.client.map(|end| end.to_string()).unwrap_or_default();
    let server = row.server.map(|end| end.to_string()).unwrap_or_default();
    let user = name(row.user.as_deref());
    match &row.what {
        What::Transfer { direction, path, bytes, declared, rate_bps, duration_us, outcome } => {
            let took = duration_us
                .map(|us| Timestamp::from_nanos(i64::try_from(us.saturating_mul(1_000)).unwrap_or(0)));
            let done = declared.and_then(|size| percent(*bytes, size));
            let texts = vec![
                format!("{} {}", arrow(*direction), outcome.name().replace('_', " ")),
                user,
                row.client.map(|end| end.ip.to_string()).unwrap_or_default(),
                server,
                took.map(|took| age(took, Timestamp::from_nanos(0))).unwrap_or_default(),
                size(*bytes),
                declared.map(size).unwrap_or_default(),
                done.map(|percent| format!("{percent}%")).unwrap_or_default(),
                rate_bps.map(rate).unwrap_or_default(),
                name(path.as_deref()),
            ];
            let is_good = *outcome == ftpmon_event::Outcome::Complete;
            Cells { texts, tone: if is_good { Tone::Quiet } else { Tone::Bad } }
        }
        What::Login { code, encrypted } => {
            let code = code.map(|code| code.to_string()).unwrap_or_default();
            let tls = if *encrypted { "yes" } else { "no" };
            let texts = vec![second(row.at), client, server, code, tls.to_owned(), user];
            Cells { texts, tone: Tone::Bad }
        }
        What::Alert { id, severity, message } => {
            let texts = vec![second(row.at), severity.to_string(), shown(id), client, shown(message)];
            let tone = if *severity >= 3 { Tone::Bad } else { Tone::Odd };
            Cells { texts, tone }
        }
    }
}

/// Which way a file went, as seen from the client.
const fn arrow(direction: Option<FileDirection>) -> char {
    match direction {
        Some(FileDirection::Download) => '↓',
        Some(FileDirection::Upload) => '↑',
        Some(FileDirection::Listing) => '≡',
        None => '?',
    }
}

/// A text of a peer, where there is one.
fn name(text: Option<&str>) -> String {
    text.map(shown).unwrap_or_default()
}

fn tone(row: &Session) -> Tone {
    if row.is_stalled() { Tone::Bad } else { row.state.tone() }
}
