//! All tables as rows of CSV, one form for all: which table, a name, counts, times.

use std::fmt::Write as _;

use ftpmon_event::time::Rfc3339;
use smol_str::SmolStr;

use super::csv::quoted;
use super::latency::Latency;
use super::stalls::{Case, Matter};
use super::tally::Tally;
use crate::view::ranking::{Counts, Ranking};
use crate::view::units::minute;

/// The names of the columns.
const HEAD: &str = "table,name,count,failed,bytes_up,bytes_down,median_us,p95_us,max_us\r\n";

/// The rows.
pub(super) fn csv(tally: &Tally) -> String {
    let mut rows = Rows(HEAD.to_owned());
    rows.counts("transfers", "all", tally.transfers);
    rows.counts("logins", "all", tally.logins);
    let numbers = [
        ("sessions", tally.sessions),
        ("sessions_tls", tally.sessions_tls),
        ("logins_clear_text", tally.logins_clear_text),
        ("transfers_clear_text", tally.transfers_clear_text),
        ("transfers_connected", tally.transfers_connected),
        ("lost_events", tally.lost_events),
        ("anomalies", tally.anomalies),
        ("gaps", tally.gaps),
    ];
    numbers.into_iter().for_each(|(name, count)| rows.count(name, "all", count));
    tally.outcomes.iter().for_each(|(outcome, count)| rows.count("outcomes", outcome, *count));
    tally.timeline.steps().for_each(|(from, counts)| rows.counts("timeline", &minute(from), counts));
    let rankings: [(&str, &Ranking); 11] = [
        ("users", &tally.users),
        ("servers", &tally.servers),
        ("clients", &tally.clients),
        ("paths", &tally.paths),
        ("types", &tally.types),
        ("refused_clients", &tally.refused_clients),
        ("refused_users", &tally.refused_users),
        ("alerts", &tally.alerts),
        ("tls_versions", &tally.tls_versions),
        ("greetings", &tally.greetings),
        ("stalled_servers", &tally.stalls.servers),
    ];
    for (table, ranking) in rankings {
        ranking.all().iter().for_each(|row| rows.counts(table, row.name, row.counts));
        if ranking.others().count > 0 {
            rows.counts(table, "(further names)", ranking.others());
        }
    }
    for (action, [good, bad]) in &tally.trail.actions {
        rows.counts("actions", action, Counts { count: good + bad, failed: *bad, ..Counts::default() });
    }
    tally.latency.iter().for_each(|(verb, latency)| rows.times("latency", verb, latency));
    for pair in tally.slowest.slowest() {
        rows.times("slowest", &format!("{} {}", pair.server, pair.verb), pair.latency);
    }
    for matter in Matter::all() {
        rows.count("stalls", matter.name(), tally.stalls.count(matter));
    }
    tally.stalls.rows(Matter::STALLS).for_each(|case| rows.case("longest_stalls", case));
    tally.stalls.rows(Matter::EARLY).for_each(|case| rows.case("ended_early", case));
    rows.0
}

struct Rows(String);

// Writing to a text cannot fail.
impl Rows {
    fn counts(&mut self, table: &str, name: &str, counts: Counts) {
        let Counts { count, failed, bytes_up, bytes_down } = counts;
        let _ = write!(self.0, "{table},{},{count},{failed},{bytes_up},{bytes_down},,,\r\n", quoted(name));
    }

    fn count(&mut self, table: &str, name: &str, count: u64) {
        let _ = write!(self.0, "{table},{},{count},,,,,,\r\n", quoted(name));
    }

    /// A row of its own: when, what, which session, and of what.
    fn case(&mut self, table: &str, case: &Case) {
        let text = |text: &Option<SmolStr>| text.as_deref().unwrap_or("-").to_owned();
        let of = [&case.user, &case.verb, &case.path].map(text).join(" ");
        let (at, what) = (Rfc3339::of(case.ts), case.matter.name());
        let name = format!("{} {what} {} {} {} {of}", at.as_str(), case.session, case.client, case.server);
        let count = case.unanswered.unwrap_or(1);
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let [up, down, us] = [case.bytes_up, case.bytes_down, case.duration_us].map(number);
        let _ = write!(self.0, "{table},{},{count},,{up},{down},,,{us}\r\n", quoted(&name));
    }

    fn times(&mut self, table: &str, name: &str, latency: &Latency) {
        let (count, max) = (latency.count(), latency.max_us());
        let [median, p95] = [50, 95].map(|hundredths| latency.percentile(hundredths));
        let _ = write!(self.0, "{table},{},{count},,,,{median},{p95},{max}\r\n", quoted(name));
    }
}
