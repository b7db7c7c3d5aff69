//! The ladder as a drawing: SVG 1.1 without scripts, for light and dark backgrounds and for print.

use maud::{Markup, PreEscaped, html};

use super::ladder::{Arrow, Ladder, Row, seconds_within};
use super::step::Lane;
use crate::view::layout::{columns, cut, wrapped};
use crate::view::style::STYLE;

/// Width of a character, in hundredths of a pixel: that of a monospaced font of 12 pixels.
const CHARACTER: usize = 720;
/// Height of a line.
const LINE: usize = 16;
/// The space above a row.
const GAP: usize = 10;
/// The upper end of the lifelines.
const TOP: usize = 110;
/// The space at the left, for time and frame.
const MARGIN: usize = 150;
/// The distance of the two lifelines of a connection.
const SPAN: usize = 480;
/// The distance of the control connection's lifelines and those of the data connections.
const BETWEEN: usize = 60;

/// The drawing of a ladder.
pub(super) fn svg(ladder: &Ladder) -> String {
    let has_data = !ladder.data.is_empty();
    let width = MARGIN + SPAN + if has_data { BETWEEN + SPAN } else { 0 } + 30;
    let mut y = TOP;
    let mut rows = Vec::new();
    for row in &ladder.rows {
        let (markup, height) = draw(row, ladder, y);
        rows.push(markup);
        y += height;
    }
    let end = y + LINE;
    let height = end + LINE * (ladder.footing.len() + 2);
    let heading = ladder.heading.join(" · ");
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height)
            viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(heading) {
            style { (PreEscaped(STYLE)) }
            rect.page width="100%" height="100%" {}
            (text(20, 28, "strong", &heading))
            (ends(MARGIN, &ladder.client, &ladder.server))
            (lifelines(MARGIN, end))
            @if has_data {
                @for (number, [client, server]) in ladder.data.iter().enumerate().take(3) {
                    (text(MARGIN + SPAN + BETWEEN, 60 + number * LINE, "data",
                        &format!("D{} {client} ⇄ {server}", number + 1)))
                }
                (lifelines(MARGIN + SPAN + BETWEEN, end))
            }
            @for row in rows { (row) }
            @for (number, line) in ladder.footing.iter().enumerate() {
                (text(20, end + LINE * (number + 2), "plain", line))
            }
        }
    };
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", markup.into_string())
}

fn ends(left: usize, client: &[String; 2], server: &[String; 2]) -> Markup {
    html! {
        @for (number, (client, server)) in client.iter().zip(server).enumerate() {
            (text(left, 60 + number * LINE, "strong", client))
            (text((left + SPAN).saturating_sub(pixels(server)), 60 + number * LINE, "strong", server))
        }
    }
}

fn lifelines(left: usize, end: usize) -> Markup {
    html! {
        @for x in [left, left + SPAN] {
            line.life x1=(x) y1=(TOP - 20) x2=(x) y2=(end) {}
        }
    }
}

/// A row that begins at `y`, and its height.
fn draw(row: &Row, ladder: &Ladder, y: usize) -> (Markup, usize) {
    let left = match row.lane {
        Lane::Control => MARGIN,
        Lane::Data(_) => MARGIN + SPAN + BETWEEN,
    };
    let tone = row.tone.name();
    let room = (SPAN - 24) * 100 / CHARACTER;
    let prefix = match row.lane {
        Lane::Data(number) => format!("D{} ", number + 1),
        Lane::Control => String::new(),
    };
    let labels = wrapped(&format!("{prefix}{}", row.label), room);
    let notes: Vec<String> = row.notes.iter().flat_map(|note| wrapped(&format!("· {note}"), room)).collect();
    let arrow_at = y + GAP + LINE * labels.len() + 4;
    let has_arrow = row.arrow != Arrow::None;
    let notes_at = if has_arrow { arrow_at + 4 } else { arrow_at - 6 };
    let markup = html! {
        (text(12, y + GAP + LINE, "quiet", &seconds_within(ladder.begin(), row.at, 10)))
        @if let Some(frame) = row.frame { (text(92, y + GAP + LINE, "quiet", &format!("#{frame}"))) }
        @for (number, label) in labels.iter().enumerate() {
            @let at = y + GAP + LINE * (number + 1);
            @let x = match row.arrow {
                Arrow::ToClient => (left + SPAN - 12).saturating_sub(pixels(label)),
                Arrow::ToServer | Arrow::None => left + 12,
            };
            (text(x, at, tone, label))
        }
        @if has_arrow { (arrow(row, left, arrow_at)) }
        @for (number, note) in notes.iter().enumerate() {
            (text(left + 12, notes_at + LINE * (number + 1) - 2, "quiet", note))
        }
    };
    (markup, notes_at + LINE * notes.len() - y)
}

fn arrow(row: &Row, left: usize, y: usize) -> Markup {
    let right = left + SPAN;
    let (tip, back) = if row.arrow == Arrow::ToServer { (right, right - 9) } else { (left, left + 9) };
    let points = format!("{tip},{y} {back},{} {back},{}", y - 5, y + 5);
    html! {
        line class={ "arrow " (row.tone.name()) } x1=(left) y1=(y) x2=(right) y2=(y) {}
        polygon class={ "tip " (row.tone.name()) } points=(points) {}
    }
}

fn text(x: usize, y: usize, class: &str, content: &str) -> Markup {
    html! { text class=(class) x=(x) y=(y) { (cut(content, 160)) } }
}

fn pixels(text: &str) -> usize {
    (columns(text) * CHARACTER).div_ceil(100)
}
