//! The ladder as text.

use ftpmon_event::time::Timestamp;

use super::ladder::{Arrow, Ladder, Row, seconds_within};
use super::step::Lane;
use crate::view::layout::{columns, cut, padded, wrapped};
use crate::view::terminal::{Painter, Tone};

/// Columns of the time since the first row.
const TIME: usize = 11;
/// Columns of the time since the row before; left out where there are fewer columns than [`WIDE`].
const STEP: usize = 12;
/// Columns of the frame's number.
const FRAME: usize = 8;
/// Columns from which on there is room for the time since the row before.
const WIDE: usize = 100;
/// Columns between the two ends at least.
const GAP: usize = 2;
/// Columns that an arrow has at least beside its label.
const SHAFT: usize = 8;

/// The ladder in so many columns.
pub(super) fn painted(ladder: &Ladder, width: usize, colour: bool) -> Painter {
    let mut page = Page::new(Painter::new(colour), width, [ladder.begin(); 2]);
    for (number, line) in ladder.heading.iter().enumerate() {
        let tone = if number == 0 { Tone::Strong } else { Tone::Plain };
        wrapped(line, width).iter().for_each(|line| page.line(tone, line));
    }
    page.painter.end_line();
    for (client, server) in ladder.client.iter().zip(&ladder.server) {
        page.ends(client, server);
    }
    for (number, [client, server]) in ladder.data.iter().enumerate() {
        page.ends(&format!("D{} {client}", number + 1), server);
    }
    for row in &ladder.rows {
        page.row(row);
    }
    page.painter.end_line();
    for line in &ladder.footing {
        wrapped(line, width).iter().for_each(|line| page.line(Tone::Plain, line));
    }
    page.finish()
}

/// Rows as text.
pub(super) struct Page {
    painter: Painter,
    begin: Timestamp,
    previous: Timestamp,
    is_wide: bool,
    /// Columns before the client's lifeline.
    margin: usize,
    /// Columns between the lifelines.
    inner: usize,
}

impl Page {
    /// Rows in so many columns below what a painter has. The times are those of the first row and of the one before the next.
    pub(super) fn new(painter: Painter, width: usize, [begin, previous]: [Timestamp; 2]) -> Self {
        let is_wide = width >= WIDE;
        let margin = TIME + FRAME + if is_wide { STEP } else { 0 } + 1;
        Self { painter, begin, previous, is_wide, margin, inner: width.saturating_sub(margin + 2) }
    }

    /// The time of the last row.
    pub(super) const fn previous(&self) -> Timestamp {
        self.previous
    }

    /// All lines.
    pub(super) fn finish(self) -> Painter {
        self.painter
    }

    fn line(&mut self, tone: Tone, text: &str) {
        self.painter.put(tone, text);
        self.painter.end_line();
    }

    /// A text over each lifeline: on one line, or that of the server below that of the client.
    fn ends(&mut self, client: &str, server: &str) {
        let (room, margin) = (self.inner + 2, " ".repeat(self.margin));
        let rest = room.saturating_sub(columns(server));
        if columns(client) + GAP <= rest {
            self.line(Tone::Strong, &format!("{margin}{}{server}", padded(client, rest)));
            return;
        }
        for (text, indent) in [(client, 0), (server, rest)] {
            for line in wrapped(text, room) {
                self.line(Tone::Strong, &format!("{margin}{}{line}", " ".repeat(indent)));
            }
        }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, row: &Row) {
        let inset = match row.lane {
            Lane::Control => String::new(),
            Lane::Data(number) => format!(" D{} ", number + 1),
        };
        let room = self.inner.saturating_sub(columns(&inset) + if inset.is_empty() { 0 } else { 1 });
        let mut labels = Vec::new();
        let is_data = !inset.is_empty();
        let shaft = match row.arrow {
            Arrow::None => {
                labels = wrapped(&row.label, room.saturating_sub(4));
                None
            }
            direction if columns(&row.label) + SHAFT <= room => {
                Some(arrow(direction, &row.label, room, is_data))
            }
            direction => {
                labels = wrapped(&row.label, room.saturating_sub(2));
                Some(arrow(direction, "", room, is_data))
            }
        };
        let mut is_first = true;
        let tail = if is_data { " " } else { "" };
        for (number, label) in labels.iter().enumerate() {
            let mark = if row.arrow == Arrow::None && number == 0 { " • " } else { "   " };
            let mark = if row.arrow == Arrow::None { mark } else { " " };
            self.margin_of(row, core::mem::take(&mut is_first));
            self.between(row.tone, &format!("{inset}{mark}{label}"));
        }
        if let Some(shaft) = shaft {
            self.margin_of(row, is_first);
            self.between(row.tone, &format!("{inset}{shaft}{tail}"));
        }
        let indent = if is_data { 7 } else { 4 };
        for note in &row.notes {
            for (number, line) in wrapped(note, self.inner.saturating_sub(indent + 2)).iter().enumerate() {
                let mark = if number == 0 { "· " } else { "  " };
                self.margin_of(row, false);
                self.between(Tone::Quiet, &format!("{}{mark}{line}", " ".repeat(indent - 2)));
            }
        }
    }

    /// Time and frame, or the space that they take.
    fn margin_of(&mut self, row: &Row, is_first: bool) {
        let mut text = String::new();
        if is_first {
            text.push_str(&format!("{:>TIME$}", seconds_within(self.begin, row.at, TIME - 1)));
            if self.is_wide {
                text.push_str(&format!(
                    "{:>STEP$}",
                    format!("+{}", seconds_within(self.previous, row.at, STEP - 2))
                ));
            }
            let frame = row.frame.map(|frame| format!("#{frame}")).unwrap_or_default();
            text.push_str(&format!("{frame:>FRAME$} "));
            self.previous = row.at;
        }
        self.painter.put(Tone::Quiet, &padded(&text, self.margin));
    }

    /// A text between the lifelines.
    fn between(&mut self, tone: Tone, text: &str) {
        self.painter.put(Tone::Quiet, "│");
        self.painter.put(tone, &padded(&cut(text, self.inner), self.inner));
        self.painter.put(Tone::Quiet, "│");
        self.painter.end_line();
    }
}

/// An arrow of so many columns, with its label near the end that it begins at. Those of data connections have two lines.
fn arrow(direction: Arrow, label: &str, columns_of_it: usize, is_data: bool) -> String {
    let line = if is_data { "═" } else { "─" };
    let label = if label.is_empty() { String::new() } else { format!(" {label} ") };
    let rest = columns_of_it.saturating_sub(columns(&label) + 3);
    match direction {
        Arrow::ToClient => format!("◀{}{label}{line}{line}", line.repeat(rest)),
        _ => format!("{line}{line}{label}{}▶", line.repeat(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_fill_their_columns() {
        for is_data in [false, true] {
            for direction in [Arrow::ToServer, Arrow::ToClient] {
                assert_eq!(columns(&arrow(direction, "331 请输入密码", 40, is_data)), 40);
            }
        }
        assert_eq!(arrow(Arrow::ToServer, "PASV", 12, false), "── PASV ───▶");
        assert_eq!(arrow(Arrow::ToClient, "227", 12, true), "◀════ 227 ══");
    }
}
