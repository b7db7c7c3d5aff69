//! wu-ftpd's xferlog: a line a transfer, and one a file that was deleted. Times are UTC.

use std::fmt::Write as _;

use super::Formatter;
use ftpmon_event::text::is_disruptive;
use ftpmon_event::time::{Rfc3339, Timestamp};
use ftpmon_event::{Event, EventKind, FileDirection, Origin, Outcome, RepresentationType, Transfer};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_SECONDS: i64 = 86_400;
/// The reply to a DELE that deleted (RFC 959 section 5.4).
const DELETED: u16 = 250;

/// Writes xferlog.
pub struct Xferlog;

/// The facts of a line.
struct Line<'a> {
    seconds: u64,
    bytes: u64,
    path: &'a str,
    ascii: bool,
    /// `o`, `i` or `d`.
    direction: char,
    complete: bool,
}

impl Xferlog {
    /// A writer; a line has nothing of where it comes from.
    pub const fn new(_origin: &Origin) -> Self {
        Self
    }
}

impl Formatter for Xferlog {
    fn event(&mut self, _seq: u64, event: &Event, out: &mut Vec<u8>) {
        let line = match &event.kind {
            EventKind::Transfer(transfer) => of_transfer(transfer),
            EventKind::Reply(reply) if reply.reply.code == Some(DELETED) => {
                let path = reply.command.as_ref().filter(|command| command.verb == "DELE");
                path.and_then(|command| command.arg.as_deref()).map(|path| Line {
                    seconds: 0,
                    bytes: 0,
                    path,
                    ascii: false,
                    direction: 'd',
                    complete: true,
                })
            }
            _ => None,
        };
        if let Some(line) = line {
            write(event, &line, out);
        }
    }
}

/// A transfer of a file. One that the server refused moved nothing, and xferlog has no line for it.
fn of_transfer(transfer: &Transfer) -> Option<Line<'_>> {
    let facts = &transfer.transfer;
    let direction = match facts.direction? {
        FileDirection::Download => 'o',
        FileDirection::Upload => 'i',
        FileDirection::Listing => return None,
    };
    if facts.outcome == Outcome::Refused {
        return None;
    }
    let duration = transfer.data.as_ref().and_then(|data| data.duration_us).unwrap_or(0);
    Some(Line {
        seconds: duration.div_ceil(1_000_000),
        bytes: facts.bytes,
        path: facts.path.as_deref().or(facts.arg.as_deref()).unwrap_or("-"),
        ascii: facts.representation == Some(RepresentationType::Ascii),
        direction,
        complete: facts.outcome == Outcome::Complete,
    })
}

fn write(event: &Event, line: &Line<'_>, out: &mut Vec<u8>) {
    let user = event.user.as_deref().map_or("-", |user| user.text.as_str());
    let anonymous = ["anonymous", "ftp"].iter().any(|name| user.eq_ignore_ascii_case(name));
    let host = event.session.as_ref().map_or_else(|| "-".to_owned(), |session| session.client.ip.to_string());
    let mut text = date(event.ts);
    // Writing to a text cannot fail.
    let _ = writeln!(
        text,
        " {} {host} {} {} {} _ {} {} {} ftp 0 * {}",
        line.seconds,
        line.bytes,
        word(line.path),
        if line.ascii { 'a' } else { 'b' },
        line.direction,
        if anonymous { 'a' } else { 'r' },
        word(user),
        if line.complete { 'c' } else { 'i' },
    );
    out.extend_from_slice(text.as_bytes());
}

/// Fields are separated by spaces: one in a name is an underscore, as wu-ftpd writes it.
fn word(text: &str) -> String {
    let replaced = |c: char| if c.is_whitespace() || is_disruptive(c) { '_' } else { c };
    if text.is_empty() { "_".to_owned() } else { text.chars().map(replaced).collect() }
}

/// `Sat Nov 28 08:33:31 2026`.
fn date(at: Timestamp) -> String {
    let rfc3339 = Rfc3339::of(at);
    let part = |from: usize, to: usize| rfc3339.as_str().get(from..to).unwrap_or_default();
    let day =
        DAYS.get(at.seconds().div_euclid(DAY_SECONDS).rem_euclid(7) as usize).copied().unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?)).copied();
    let (month, number) = (month.unwrap_or_default(), part(8, 10).trim_start_matches('0'));
    format!("{day} {month} {number:>2} {} {}", part(11, 19), part(0, 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn lines(events: &[Event]) -> String {
        let mut out = Vec::new();
        let mut xferlog = Xferlog;
        events.iter().for_each(|event| xferlog.event(0, event, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_session_has_a_line_a_file() {
        let session = sample::identity("s");
        let mut events = sample::session();
        let deleted = sample::reply(8, 250, "Gone.", Some(("DELE", Some("old file"))));
        events.push(sample::event(&session, 0, deleted));
        assert_eq!(
            lines(&events),
            "Tue Nov 14 22:13:20 2023 2 192.168.1.106 77 /pub/a.txt b _ o r joe ftp 0 * c\n\
             Tue Nov 14 22:13:20 2023 0 192.168.1.106 0 old_file b _ d r joe ftp 0 * c\n"
        );
    }

    #[test]
    fn every_line_has_eighteen_words_whatever_a_peer_says() {
        let EventKind::Transfer(mut transfer) = sample::transfer(1) else { panic!() };
        transfer.transfer.path = Some("/a b\tc\u{202e}\nd".into());
        transfer.transfer.outcome = Outcome::Aborted;
        let event = sample::event(&sample::identity("s"), 0, EventKind::Transfer(transfer));
        let line = lines(&[event]);
        assert_eq!((line.lines().count(), line.split_whitespace().count()), (1, 18));
        assert!(line.contains(" /a_b_c__d ") && line.ends_with(" i\n"), "{line}");
    }

    #[test]
    fn refusals_and_listings_have_no_line() {
        let EventKind::Transfer(transfer) = sample::transfer(1) else { panic!() };
        let (mut refused, mut listing) = (transfer.clone(), transfer);
        refused.transfer.outcome = Outcome::Refused;
        listing.transfer.direction = Some(FileDirection::Listing);
        let session = sample::identity("s");
        let events = [refused, listing].map(|one| sample::event(&session, 0, EventKind::Transfer(one)));
        assert_eq!(lines(&events), "");
    }

    #[test]
    fn days_of_one_digit_are_padded() {
        assert_eq!(date(Timestamp::from_parts(0, 0)), "Thu Jan  1 00:00:00 1970");
        assert_eq!(date(Timestamp::from_parts(1_764_318_811, 0)), "Fri Nov 28 08:33:31 2025");
    }
}
