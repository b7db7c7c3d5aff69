//! The ladder as one HTML file: no script, nothing from elsewhere, for light and dark screens and for print.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::ladder::{Arrow, Ladder, Row, seconds};
use super::step::Lane;
use crate::view::Language;
use crate::view::style::{CONTENT_POLICY, STYLE};

/// The page of a ladder.
pub(super) fn html(ladder: &Ladder, language: Language) -> String {
    let title = ladder.heading.first().map_or("", String::as_str);
    let has_data = !ladder.data.is_empty();
    let markup = html! {
        (DOCTYPE)
        html lang=(language.name()) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(CONTENT_POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    @for line in ladder.heading.iter().skip(1) { p { (line) } }
                    div class=(if has_data { "ladder beside" } else { "ladder" }) {
                        (ends(ladder))
                        @for row in &ladder.rows { (markup_of(row, ladder)) }
                    }
                    @for line in &ladder.footing { p.footing { (line) } }
                }
            }
        }
    };
    markup.into_string() + "\n"
}

fn ends(ladder: &Ladder) -> Markup {
    html! {
        div.row.ends {
            div.when {}
            div.cell {
                div.pair {
                    @for end in [&ladder.client, &ladder.server] { span { @for line in end { (line) " " } } }
                }
                @for (number, [client, server]) in ladder.data.iter().enumerate() {
                    div.pair.data { span { "D" (number + 1) " " (client) } span { (server) } }
                }
            }
        }
    }
}

fn markup_of(row: &Row, ladder: &Ladder) -> Markup {
    let direction = match row.arrow {
        Arrow::ToServer => "to-server",
        Arrow::ToClient => "to-client",
        Arrow::None => "statement",
    };
    let (lane, prefix) = match row.lane {
        Lane::Control => ("control", None),
        Lane::Data(number) => ("beside-it", Some(number + 1)),
    };
    html! {
        div.row tabindex="0" {
            div.when {
                (seconds(ladder.begin(), row.at))
                @if let Some(frame) = row.frame { br; "#" (frame) }
            }
            div class={ "cell " (lane) } {
                div class={ "message " (direction) " " (row.tone.name()) } {
                    @if let Some(number) = prefix { "D" (number) " " }
                    (row.label)
                }
                @if !row.notes.is_empty() {
                    ul { @for note in &row.notes { li { (note) } } }
                }
            }
        }
    }
}
