//! The screen on a terminal.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::cells::columns;
use super::grid;
use super::head;
use super::screen::{Detail, Screen};
use super::state::State;
use super::tab::Tab;
use crate::view::layout::{cut, padded, shown};
use crate::view::terminal::Tone;

/// Rows above the table, and below it.
const ABOVE: u16 = 5;
const BELOW: u16 = 1;

const HELP: [&str; 13] = [
    "1-8, Tab        sessions, transfers, users, paths, servers, clients, refused logins, alerts",
    "up down j k     move; PgUp PgDn g G: by pages, to the ends",
    "Enter           explain the session of the row as a ladder; Esc or q comes back",
    "s               sort by the next column that has an order; r reverses",
    "/               filter: words between spaces, all of which have to match:",
    "                user:TEXT client:TEXT server:TEXT state:TEXT path:TEXT, or a text that any has",
    "Esc             no filter",
    "f, space        freeze; again: go on. Events are taken meanwhile",
    "q               end",
    "",
    "Bytes, rate and progress of transfers that run are counted by a running agent; events tell of",
    "them when a transfer has ended. Until then there is a ? in their place.",
    "Stalled is a transfer that moved nothing for 10 seconds, idle a session silent for 5 minutes.",
];

/// The look of a picture, beside state and screen.
pub(super) struct Look<'l> {
    /// Whether there are colours.
    pub(super) colour: bool,
    /// A word about the source: `ended`, `×10`.
    pub(super) note: &'l str,
}

/// Draws the whole picture.
pub(super) fn draw(frame: &mut Frame<'_>, screen: &mut Screen, live: &State, look: &Look<'_>) {
    let area = frame.area();
    let width = usize::from(area.width);
    screen.height = usize::from(area.height.saturating_sub(ABOVE + BELOW));
    if screen.detail.is_some() {
        screen.height = usize::from(area.height.saturating_sub(2));
    }
    screen.move_to(screen.cursor);
    let state = screen.shown(live);
    let mut page = Page { frame, area, row: 0, colour: look.colour };
    let marks = [if screen.is_frozen() { "frozen" } else { "" }, look.note];
    let marks: Vec<&str> = marks.into_iter().filter(|mark| !mark.is_empty()).collect();
    page.line(Tone::Strong, &cut(&format!("{}  {}", head::title(state), marks.join("  ")), width), false);
    if let Some(detail) = &screen.detail {
        return ladder(&mut page, detail, screen.height, width);
    }
    for line in head::totals(&screen.summary, state) {
        page.line(Tone::Plain, &cut(&line, width), false);
    }
    tabs(&mut page, screen.tab);
    if screen.is_helping {
        HELP.iter().for_each(|line| page.line(Tone::Plain, &cut(line, width), false));
        return;
    }
    let table = columns(screen.tab);
    page.line(Tone::Quiet, &grid::heads(table, width), false);
    for (number, entry) in screen.entries.iter().enumerate().skip(screen.top).take(screen.height) {
        let is_chosen = number == screen.cursor;
        match entry.cells(state) {
            Some(cells) => page.line(cells.tone, &grid::line(table, &cells.texts, width), is_chosen),
            None => page.line(Tone::Quiet, "(ended)", is_chosen),
        }
    }
    if screen.entries.is_empty() {
        let nothing = if screen.filter_text.is_empty() { "Nothing yet." } else { "Nothing that matches." };
        page.line(Tone::Quiet, nothing, false);
    }
    page.row = area.height.saturating_sub(BELOW);
    page.line(Tone::Quiet, &cut(&foot(screen), width), false);
}

fn tabs(page: &mut Page<'_, '_>, chosen: Tab) {
    let mut spans = Vec::new();
    for (number, tab) in Tab::ALL.into_iter().enumerate() {
        let style = if tab == chosen { Modifier::REVERSED } else { Modifier::empty() };
        spans.push(Span::styled(format!("{} {}", number + 1, tab.name()), Style::new().add_modifier(style)));
        spans.push(Span::raw(" "));
    }
    page.put(Line::from(spans));
}

fn foot(screen: &Screen) -> String {
    let order = match screen.tab {
        Tab::Sessions | Tab::Transfers => screen.order.name(),
        Tab::Users | Tab::Paths | Tab::Servers | Tab::Clients => screen.by.name(),
        Tab::Logins | Tab::Alerts => "newest",
    };
    let reversed = if screen.is_reversed { " reversed" } else { "" };
    let filter = shown(&screen.filter_text);
    let row = if screen.entries.is_empty() { 0 } else { screen.cursor + 1 };
    match (screen.is_writing, screen.is_wrong) {
        (true, false) => format!("/{filter}_"),
        (true, true) => format!("/{filter}_  a text is missing behind the colon"),
        (false, _) => {
            let filter = if filter.is_empty() { "/ filter".to_owned() } else { format!("/{filter}") };
            let count = screen.entries.len();
            format!(
                "{row} of {count}  s sort: {order}{reversed}  {filter}  f freeze  Enter explain  ? help  q end"
            )
        }
    }
}

/// The ladder of a session, from its first line that is shown on.
fn ladder(page: &mut Page<'_, '_>, detail: &Detail, height: usize, width: usize) {
    for line in detail.lines.iter().skip(detail.top).take(height) {
        let spans = line.iter().map(|(tone, piece)| Span::styled(piece.clone(), style(*tone, page.colour)));
        page.put(Line::from(spans.collect::<Vec<_>>()));
    }
    page.row = page.area.height.saturating_sub(BELOW);
    let last = (detail.top + height).min(detail.lines.len());
    let text =
        format!("lines {} to {last} of {}  up down PgUp PgDn  Esc back", detail.top + 1, detail.lines.len());
    page.line(Tone::Quiet, &cut(&text, width), false);
}

struct Page<'p, 'f> {
    frame: &'p mut Frame<'f>,
    area: Rect,
    row: u16,
    colour: bool,
}

impl Page<'_, '_> {
    /// Puts a line below the last one, while there is room.
    fn put(&mut self, line: Line<'_>) {
        if self.row < self.area.height {
            let place = Rect { y: self.area.y + self.row, height: 1, ..self.area };
            self.frame.render_widget(line, place);
            self.row += 1;
        }
    }

    fn line(&mut self, tone: Tone, text: &str, is_chosen: bool) {
        let mut style = style(tone, self.colour);
        let mut text = text.to_owned();
        if is_chosen {
            style = Style::new().add_modifier(Modifier::REVERSED);
            text = padded(&text, usize::from(self.area.width));
        }
        self.put(Line::from(Span::styled(text, style)));
    }
}

fn style(tone: Tone, colour: bool) -> Style {
    let coloured = |color| if colour { Style::new().fg(color) } else { Style::new() };
    match tone {
        Tone::Plain => Style::new(),
        Tone::Quiet => Style::new().add_modifier(Modifier::DIM),
        Tone::Strong => Style::new().add_modifier(Modifier::BOLD),
        Tone::Handshake => coloured(Color::Magenta),
        Tone::Command => coloured(Color::Cyan),
        Tone::Good => coloured(Color::Green),
        Tone::Data => coloured(Color::Blue),
        Tone::Odd => coloured(Color::Yellow),
        Tone::Bad => coloured(Color::Red),
    }
}
