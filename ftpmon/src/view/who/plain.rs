//! The table as text, and as JSON.

use std::collections::BTreeMap;

use ftpmon_event::time::{Rfc3339, Timestamp};
use serde::Serialize;

use crate::view::layout::{columns, cut, padded};
use crate::view::sessions::{self, CELLS, Session, State, Table};
use crate::view::terminal::{Painter, Tone};
use crate::view::units::open_sessions;

/// The heads of the columns. The last one takes the space that is left.
const HEADS: [&str; CELLS] =
    ["CLIENT", "SERVER", "USER", "STATE", "TIME", "IDLE", "UP", "DOWN", "FAILED", "COMMAND"];
/// Columns that a name or an address takes at most.
const NAME_MAX: usize = 24;

/// The sessions as a table.
pub(super) fn text(table: &Table, rows: &[&Session], width: usize, colour: bool) -> String {
    let cells: Vec<[String; CELLS]> = rows.iter().map(|row| cells(table.now, row)).collect();
    let mut widths = HEADS.map(columns);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let mut painter = Painter::new(colour);
    painter.put(Tone::Strong, &summary(table, rows));
    painter.end_line();
    if !rows.is_empty() {
        painter.put(Tone::Quiet, &cut(&line(&HEADS.map(str::to_owned), &widths), width));
        painter.end_line();
    }
    for (row, cells) in rows.iter().zip(&cells) {
        painter.put(row.state.tone(), &cut(&line(cells, &widths), width));
        painter.end_line();
    }
    painter.finish()
}

fn line(cells: &[String; CELLS], widths: &[usize; CELLS]) -> String {
    let cells: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| padded(cell, *width)).collect();
    cells.join("  ").trim_end().to_owned()
}

fn cells(now: Timestamp, row: &Session) -> [String; CELLS] {
    let mut cells = sessions::cells(row, now);
    let [_, _, user, ..] = &mut cells;
    *user = cut(user, NAME_MAX);
    cells
}

/// The number of sessions, by state, and what else there was.
fn summary(table: &Table, rows: &[&Session]) -> String {
    let mut states: BTreeMap<State, u64> = BTreeMap::new();
    rows.iter().for_each(|row| *states.entry(row.state).or_default() += 1);
    let states: Vec<String> =
        states.iter().map(|(state, count)| format!("{count} {}", state.name())).collect();
    let mut parts = vec![format!("{} of {}", rows.len(), open_sessions(table.len()))];
    if !states.is_empty() {
        parts.push(states.join(", "));
    }
    let others = [
        (table.ended, "ended"),
        (table.failed_logins, "refused logins"),
        (table.alerts, "alerts"),
        (table.left_out, "sessions left out"),
    ];
    parts.extend(
        others.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{what}: {count}")),
    );
    parts.join("; ")
}

/// A session as JSON.
#[derive(Serialize)]
struct Row<'r> {
    #[serde(flatten)]
    session: &'r Session,
    begun: String,
    duration_ms: u64,
    idle_ms: u64,
    stalled: bool,
}

/// The sessions as lines of JSON.
pub(super) fn json(table: &Table, rows: &[&Session]) -> serde_json::Result<String> {
    let mut text = String::new();
    for session in rows {
        let row = Row {
            session,
            begun: Rfc3339::of(session.begun).as_str().to_owned(),
            duration_ms: table.now.millis_since(session.begun),
            idle_ms: table.now.millis_since(session.active()),
            stalled: session.is_stalled(),
        };
        text.push_str(&serde_json::to_string(&row)?);
        text.push('\n');
    }
    Ok(text)
}
