//! Lines for AWStats: a line a file that was transferred or refused. Times are UTC.
//!
//! `LogType=F`, `LogSeparator="\t"`, `LogFormat="%time1 %host %logname %method %url %code %bytesd"`.

use std::fmt::Write as _;

use super::Formatter;
use ftpmon_event::text::is_disruptive;
use ftpmon_event::time::{Rfc3339, Timestamp};
use ftpmon_event::{Event, EventKind, FileDirection, Origin};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Writes lines for AWStats.
pub struct Awstats;

impl Awstats {
    /// A writer; a line has nothing of where it comes from.
    pub const fn new(_origin: &Origin) -> Self {
        Self
    }
}

impl Formatter for Awstats {
    fn event(&mut self, _seq: u64, event: &Event, out: &mut Vec<u8>) {
        let EventKind::Transfer(transfer) = &event.kind else { return };
        let facts = &transfer.transfer;
        if !matches!(facts.direction, Some(FileDirection::Download | FileDirection::Upload)) {
            return;
        }
        let host =
            event.session.as_ref().map_or_else(|| "-".to_owned(), |session| session.client.ip.to_string());
        let user = event.user.as_deref().map_or("-", |user| user.text.as_str());
        let path = facts.path.as_deref().or(facts.arg.as_deref()).unwrap_or("-");
        let verb = facts.verb.as_ref().map_or("-", |verb| verb.as_ref());
        let code = facts.code.map_or_else(|| "-".to_owned(), |code| code.to_string());
        let mut line = String::new();
        // Writing to a text cannot fail.
        let _ = writeln!(
            line,
            "[{} +0000]\t{host}\t{}\t{}\t{}\t{code}\t{}",
            date(event.ts),
            word(user),
            word(verb),
            word(path),
            facts.bytes
        );
        out.extend_from_slice(line.as_bytes());
    }
}

/// A value without white space: AWStats separates its own files by spaces.
fn word(text: &str) -> String {
    let replaced = |c: char| if c.is_whitespace() || is_disruptive(c) { '_' } else { c };
    if text.is_empty() { "-".to_owned() } else { text.chars().map(replaced).collect() }
}

/// `28/Nov/2026:08:33:31`.
fn date(at: Timestamp) -> String {
    let rfc3339 = Rfc3339::of(at);
    let part = |from: usize, to: usize| rfc3339.as_str().get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?)).copied();
    format!("{}/{}/{}:{}", part(8, 10), month.unwrap_or_default(), part(0, 4), part(11, 19))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn lines(events: &[Event]) -> String {
        let mut out = Vec::new();
        events.iter().for_each(|event| Awstats.event(0, event, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_file_is_a_line_of_seven_fields() {
        let line = lines(&sample::session());
        assert_eq!(line, "[14/Nov/2023:22:13:20 +0000]\t192.168.1.106\tjoe\tRETR\t/pub/a.txt\t226\t77\n");
    }

    #[test]
    fn what_a_peer_says_adds_no_field_and_no_line() {
        let EventKind::Transfer(mut transfer) = sample::transfer(1) else { panic!() };
        transfer.transfer.path = Some("/a b\tc\nd\u{85}".into());
        let event = sample::event(&sample::identity("s"), 0, EventKind::Transfer(transfer.clone()));
        let line = lines(&[event]);
        assert_eq!((line.lines().count(), line.split('\t').count()), (1, 7), "{line}");
        assert!(line.contains("\t/a_b_c_d_\t"), "{line}");
        transfer.transfer.direction = Some(FileDirection::Listing);
        assert_eq!(lines(&[sample::event(&sample::identity("s"), 0, EventKind::Transfer(transfer))]), "");
    }
}
