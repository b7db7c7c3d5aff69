//! The report as one HTML file: nothing from elsewhere, for light and dark screens and for print. One script searches a table.

use ftpmon_event::time::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use smol_str::SmolStr;

use super::chart;
use super::latency::Latency;
use super::search;
use super::stalls::{Case, Matter, Stalls};
use super::tally::Tally;
use super::trail::Trail;
use crate::view::layout::shown;
use crate::view::ranking::Ranking;
use crate::view::style::{REPORT_STYLE, STYLE};
use crate::view::units::{minute, percent, second};

/// Days without events that are named.
const SILENT_DAYS: usize = 31;

/// The page of a report.
pub(super) fn html(tally: &Tally) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(search::content_policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "FTP report" }
                style { (PreEscaped(STYLE)) (PreEscaped(REPORT_STYLE)) }
            }
            body { main {
                h1 { "FTP report" }
                @match tally.period {
                    Some([first, last]) => { p { (minute(first)) " to " (minute(last)) " UTC" } }
                    None => { p { "There are no events." } }
                }
                (numbers(tally))
                h2 { "Bytes over time" }
                (chart::bytes(&tally.timeline))
                h2 { "Transfers" }
                (table("Users", "transfers", &tally.users, true))
                (table("Servers", "transfers", &tally.servers, true))
                (table("Clients", "transfers", &tally.clients, true))
                (table("Paths", "transfers", &tally.paths, true))
                (table("Types of files", "transfers", &tally.types, true))
                h2 { "Security" }
                (table("Alerts", "alerts", &tally.alerts, false))
                (table("Refused logins by client", "logins", &tally.refused_clients, false))
                (table("Refused logins by user", "logins", &tally.refused_users, false))
                (table("TLS versions", "sessions", &tally.tls_versions, false))
                (table("Greetings of servers", "sessions", &tally.greetings, false))
                h2 { "Reply times" }
                (latency(tally))
                h2 { "Stalls" }
                (counted(&tally.stalls, Matter::STALLS))
                (table("Stalls by server", "stalls", &tally.stalls.servers, false))
                (cases("The longest of each kind", tally.stalls.rows(Matter::STALLS)))
                h2 { "Short and aborted transfers" }
                (counted(&tally.stalls, Matter::EARLY))
                (cases("Those that lack the most", tally.stalls.rows(Matter::EARLY)))
                h2 { "Who did what" }
                (actions(&tally.trail))
                (search::table(&tally.trail))
                h2 { "Retention" }
                (retention(tally))
            } }
        }
    };
    markup.into_string() + "\n"
}

/// The numbers at the head.
fn numbers(tally: &Tally) -> Markup {
    let outcomes = tally.outcomes.iter().map(|(name, count)| (name.replace('_', " "), *count));
    let head = [
        ("events", tally.events),
        ("sessions", tally.sessions),
        ("sessions that turned to TLS", tally.sessions_tls),
        ("logins", tally.logins.count),
        ("logins refused or abandoned", tally.logins.failed),
        ("logins in clear text", tally.logins_clear_text),
        ("bytes uploaded", tally.transfers.bytes_up),
        ("bytes downloaded", tally.transfers.bytes_down),
        ("transfers", tally.transfers.count),
    ];
    let tail = [("events lost", tally.lost_events), ("anomalies", tally.anomalies), ("gaps", tally.gaps)];
    let named = |(name, count): (&str, u64)| (name.to_owned(), count);
    let shares = [
        ("of logins in clear text", percent(tally.logins_clear_text, tally.logins.count)),
        ("of transfers in clear text", percent(tally.transfers_clear_text, tally.transfers_connected)),
    ];
    let all =
        head.map(named).into_iter().chain(outcomes.map(|(name, count)| (format!("transfers {name}"), count)));
    html! {
        dl.numbers {
            @for (name, count) in all.chain(tail.map(named)) {
                div { dt { (name) } dd { (grouped(count)) } }
            }
            @for (name, share) in shares {
                @if let Some(share) = share { div { dt { (name) } dd { (share) "\u{202f}%" } } }
            }
        }
    }
}

/// A table of names with counts.
fn table(title: &str, counted: &str, top: &Ranking, with_bytes: bool) -> Markup {
    let rows = top.rows();
    html! {
        section {
            h3 { (title) }
            @if rows.is_empty() { p { "None." } } @else {
                table {
                    thead { tr {
                        th scope="col" { "name" }
                        th.number scope="col" { (counted) }
                        @if with_bytes {
                            th.number scope="col" { "failed" }
                            th.number scope="col" { "bytes up" }
                            th.number scope="col" { "bytes down" }
                        }
                    } }
                    tbody {
                        @for row in &rows {
                            tr {
                                td { (shown(row.name)) }
                                td.number { (grouped(row.counts.count)) }
                                @if with_bytes {
                                    td.number { (grouped(row.counts.failed)) }
                                    td.number { (grouped(row.counts.bytes_up)) }
                                    td.number { (grouped(row.counts.bytes_down)) }
                                }
                            }
                        }
                    }
                }
                @if top.len() > rows.len() { p { "The first " (rows.len()) " of " (grouped(top.len() as u64)) "." } }
                @if top.others().count > 0 { p { "Names that had no room: " (grouped(top.others().count)) " " (counted) "." } }
            }
        }
    }
}

/// The records by action.
fn actions(trail: &Trail) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Action" } th.number scope="col" { "succeeded" } th.number scope="col" { "did not" } } }
            tbody {
                @for (action, [good, bad]) in &trail.actions {
                    tr { td { (action) } td.number { (grouped(*good)) } td.number { (grouped(*bad)) } }
                }
            }
        }
    }
}

/// The time of which there are events, and what is missing of it.
fn retention(tally: &Tally) -> Markup {
    let ((with, days), (runs, sensors)) = (tally.trail.days(), tally.trail.runs());
    let silent = tally.trail.silent_days(SILENT_DAYS);
    let missing = u64::try_from(days).unwrap_or(0).saturating_sub(with as u64);
    html! {
        p { "Events of " (with) " days, of " (days) " from the first to the last; of " (runs) " runs of " (sensors) " sensors." }
        p { "Events that outputs could not keep: " (grouped(tally.lost_events)) ". ftpmon verify tells whether lines are missing from files." }
        @if !silent.is_empty() {
            p {
                "Days without events: "
                @for (number, day) in silent.iter().enumerate() {
                    @if number > 0 { ", " }
                    (day_of(*day))
                }
                @if missing > silent.len() as u64 { " and " (grouped(missing - silent.len() as u64)) " more" }
                "."
            }
        }
    }
}

/// The day of a time: `2026-01-01`.
fn day_of(seconds: i64) -> String {
    minute(Timestamp::from_parts(seconds, 0)).get(..10).unwrap_or_default().to_owned()
}

/// Reply times by verb, and the slowest pairs of a server and a verb.
fn latency(tally: &Tally) -> Markup {
    let slowest = tally.slowest.slowest();
    html! {
        (times("Verb", tally.latency.iter().map(|(verb, latency)| ((*verb).to_owned(), latency))))
        @if !slowest.is_empty() {
            section {
                h3 { "The slowest, by server and verb" }
                (times("Server", slowest.iter().map(|pair| (format!("{} {}", pair.server, pair.verb), pair.latency))))
            }
        }
    }
}

/// The counts of each.
fn counted<const N: usize>(stalls: &Stalls, matters: [Matter; N]) -> Markup {
    html! {
        dl.numbers {
            @for matter in matters {
                div { dt { (matter.name()) } dd { (grouped(stalls.count(matter))) } }
            }
        }
    }
}

/// Stalls, or transfers that ended early, a row each.
fn cases<'c>(title: &str, cases: impl Iterator<Item = &'c Case>) -> Markup {
    let mut cases = cases.peekable();
    let text = |text: &Option<SmolStr>| text.as_deref().map(shown).unwrap_or_default();
    let number = |number: Option<u64>| number.map(grouped).unwrap_or_default();
    html! {
        @if cases.peek().is_some() {
            section {
                h3 { (title) }
                table {
                    thead { tr {
                        @for head in ["time (UTC)", "what", "user", "client", "server", "command"] { th scope="col" { (head) } }
                        @for head in ["seconds", "bytes", "declared"] { th.number scope="col" { (head) } }
                        th scope="col" { "session" }
                    } }
                    tbody {
                        @for case in cases {
                            tr {
                                td { (second(case.ts)) }
                                td {
                                    @if let Some(unanswered) = case.unanswered { "at least " (unanswered) " " }
                                    (case.matter.name())
                                }
                                td { (text(&case.user)) }
                                td { (case.client) }
                                td { (case.server) }
                                td { (text(&case.verb)) " " (text(&case.path)) }
                                td.number { @if let Some(us) = case.duration_us { (seconds(us)) } }
                                td.number { (number(case.bytes())) }
                                td.number { (number(case.declared_bytes)) }
                                td { (case.session) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Seconds with one digit behind the point.
fn seconds(us: u64) -> String {
    format!("{}.{}", us / 1_000_000, us % 1_000_000 / 100_000)
}

fn times<'l>(head: &str, rows: impl Iterator<Item = (String, &'l Latency)>) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { (head) }
                @for name in ["replies", "median below", "95 % below", "longest"] { th.number scope="col" { (name) } }
            } }
            tbody {
                @for (name, latency) in rows {
                    tr {
                        td { (name) }
                        td.number { (grouped(latency.count())) }
                        @for us in [latency.percentile(50), latency.percentile(95), latency.max_us()] {
                            td.number { (us / 1_000) "." (format!("{:03}", us % 1_000)) " ms" }
                        }
                    }
                }
            }
        }
    }
}

/// A number in groups of three digits: `1 234 567`, with narrow spaces.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
    }

    #[test]
    fn a_report_of_nothing_says_so() {
        let page = html(&Tally::default());
        assert!(page.contains("There are no events.") && page.contains("No transfers."), "{page}");
    }
}
