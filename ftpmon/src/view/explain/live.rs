//! Ladders as sessions go on: each event's rows at once, those of all sessions below one another.

use std::collections::HashMap;

use ftpmon_event::time::Timestamp;
use ftpmon_event::{DataConnection, Event, EventKind, SessionIdentity, Transfer};
use smol_str::SmolStr;

use super::connections::client_opens;
use super::dialogue::{self, Part};
use super::handshake;
use super::ladder::Row;
use super::plain::Page;
use super::step::Lane;
use super::transfer;
use super::words::{Say, say};
use crate::bounded::BoundedMap;
use crate::view::language::Language;
use crate::view::layout::shown;
use crate::view::terminal::{self, ColorChoice, Painter, Tone};

/// Sessions whose times are remembered. Stops a stream of sessions without ends from filling memory; of one that gave way times begin
/// anew.
const SESSIONS_MAX: usize = 16_384;

/// The times that the rows of a session depend on.
#[derive(Clone, Copy)]
struct Progress {
    begin: Timestamp,
    previous: Timestamp,
    /// Data connections so far.
    connections: usize,
}

/// Writes events as rows of ladders.
pub struct LiveLadder {
    language: Language,
    width: usize,
    colour: bool,
    sessions: BoundedMap<SmolStr, Progress>,
    /// The session of the last rows.
    latest: Option<SmolStr>,
}

impl LiveLadder {
    /// In a language, with so many columns.
    pub fn new(language: Language, width: usize, colour: bool) -> Self {
        Self { language, width, colour, sessions: BoundedMap::new(SESSIONS_MAX), latest: None }
    }

    /// For standard output as it is, in the language of the environment.
    pub fn for_stdout() -> Self {
        let language = Language::of_environment(|name| std::env::var(name).ok());
        Self::new(language, terminal::width(None), ColorChoice::Auto.on_stdout())
    }

    /// For a file, in the language of the environment.
    pub fn plain() -> Self {
        let language = Language::of_environment(|name| std::env::var(name).ok());
        Self::new(language, terminal::WIDTH_DEFAULT, false)
    }

    /// The rows of an event; none of an event that no ladder has.
    pub fn text(&mut self, event: &Event) -> String {
        let Some(session) = event.session.as_deref() else { return String::new() };
        let mut progress = self.sessions.get(session.id()).copied().unwrap_or(Progress {
            begin: beginning(event),
            previous: beginning(event),
            connections: 0,
        });
        let rows = self.rows(event, session, &mut progress);
        if rows.is_empty() {
            return String::new();
        }
        let mut painter = Painter::new(self.colour);
        if self.latest.as_deref() != Some(session.id()) {
            self.latest = Some(session.id().into());
            heading(event, session, &mut painter);
        }
        let mut page = Page::new(painter, self.width, [progress.begin, progress.previous]);
        rows.iter().for_each(|row| page.row(row));
        progress.previous = page.previous();
        self.sessions.insert(session.id().into(), progress);
        page.finish().finish()
    }

    fn rows(&self, event: &Event, session: &SessionIdentity, progress: &mut Progress) -> Vec<Row> {
        let mut rows = Vec::new();
        match &event.kind {
            EventKind::SessionStart(start) => {
                if let Some(handshake) = &start.handshake {
                    rows.extend(handshake::rows_of_times(handshake, Lane::Control, true, self.language));
                }
                if start.midstream {
                    rows.push(Row::statement(event.ts, Tone::Odd, say(self.language, Say::Midstream)));
                }
            }
            EventKind::Transfer(told) => rows.extend(self.connection(told, session, progress)),
            EventKind::SessionEnd(told) => {
                let end = &told.end;
                let account =
                    Say::Account(end.commands, end.replies, end.transfers, end.bytes_up, end.bytes_down);
                let notes = vec![say(self.language, account)];
                let label = say(self.language, Say::End(end.reason));
                rows.push(Row { notes, ..Row::statement(event.ts, Tone::Strong, label) });
            }
            _ => {}
        }
        match dialogue::part(event, None, &HashMap::new(), self.language) {
            Part::Row(row) => rows.push(row),
            Part::Notes { at, notes, .. } => {
                let mut notes = notes.into_iter();
                if let Some(label) = notes.next() {
                    rows.push(Row { notes: notes.collect(), ..Row::statement(at, Tone::Quiet, label) });
                }
            }
            Part::None => {}
        }
        rows
    }

    /// The handshake of a transfer's data connection.
    fn connection(&self, told: &Transfer, session: &SessionIdentity, progress: &mut Progress) -> Vec<Row> {
        let connected = |data: &&DataConnection| data.initiator.is_some() && data.listener.is_some();
        let Some(data) = told.data.as_ref().filter(connected) else { return Vec::new() };
        progress.connections += 1;
        let Some(handshake) = &data.handshake else { return Vec::new() };
        let lane = Lane::Data(progress.connections - 1);
        let mut rows = handshake::rows_of_times(handshake, lane, client_opens(data, session), self.language);
        if let Some(first) = rows.first_mut() {
            first.notes.extend(transfer::opening(progress.connections, data, session, self.language));
        }
        rows
    }
}

/// The first time of a session that an event tells of.
fn beginning(event: &Event) -> Timestamp {
    match &event.kind {
        EventKind::SessionStart(start) => start.handshake.map_or(event.ts, |handshake| handshake.syn),
        _ => event.ts,
    }
}

/// The line above rows of another session than the last ones.
fn heading(event: &Event, session: &SessionIdentity, painter: &mut Painter) {
    let user = event.user.as_deref().map(|user| format!("  {}", shown(&user.text))).unwrap_or_default();
    let text = format!("── {}  {} → {}{user}", session.id(), session.client, session.server);
    painter.put(Tone::Strong, &text);
    painter.end_line();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    #[test]
    fn sessions_below_one_another_keep_their_times() {
        let mut ladder = LiveLadder::new(Language::En, 80, false);
        let (a, b) = (sample::identity("000000000000000a"), sample::identity("000000000000000b"));
        let first = ladder.text(&sample::event(&a, 0, sample::command(1, "USER", Some("joe"))));
        assert!(
            first.starts_with("── 000000000000000a  192.168.1.106:57658 → 192.168.1.109:21  joe\n"),
            "{first}"
        );
        assert!(first.contains("── USER joe ──") && first.contains("   0.000000"), "{first}");
        let again = ladder.text(&sample::event(&a, 250, sample::reply(1, 331, "word\x1b[2J", None)));
        assert!(again.starts_with("   0.250000") && again.contains("331 word\\x1b[2J"), "{again}");
        let other = ladder.text(&sample::event(&b, 1_000, sample::command(1, "NOOP", None)));
        assert!(other.starts_with("── 000000000000000b") && other.contains("   0.000000"), "{other}");
        let back = ladder.text(&sample::event(&a, 2_000, sample::transfer(2)));
        assert!(back.starts_with("── 000000000000000a") && back.contains("   2.000000"), "{back}");
        let end = ladder.text(&sample::event(&a, 3_000, sample::session_end()));
        assert!(end.contains("   3.000000") && !end.contains("──"), "{end}");
    }
}
