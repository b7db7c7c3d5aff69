//! The numbers of each run.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use super::line::Line;

/// Runs that are told apart; stops a file of random names from filling memory.
const RUNS_MAX: usize = 100_000;
/// Missing ranges that are named for a run; more are counted.
const NAMED_MAX: usize = 20;

/// The runs in the files that were read.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: BTreeMap<(String, String), Run>,
    cut_lines: u64,
    left_out: u64,
}

#[derive(Debug, Default)]
struct Run {
    /// Ranges of numbers that are there, by their first; each with its last.
    there: BTreeMap<u64, u64>,
    /// Ranges that `drop` events name.
    dropped: Vec<(u64, u64)>,
    twice: u64,
    /// The number of `sensor_stop`.
    stop: Option<u64>,
}

/// The report of a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RunReport {
    pub(super) whole: bool,
    pub(super) text: String,
}

impl Runs {
    /// Adds an event.
    pub(super) fn add(&mut self, line: &Line) {
        let key = (line.sensor.clone(), line.run.clone());
        if self.runs.len() >= RUNS_MAX && !self.runs.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        if let Some(drop) = &line.drop {
            let run = drop.run.clone().unwrap_or_else(|| line.run.clone());
            let of = self.runs.entry((line.sensor.clone(), run)).or_default();
            of.dropped.push((drop.from_seq, drop.to_seq));
        }
        let run = self.runs.entry(key).or_default();
        run.add(line.seq);
        if line.event == "sensor_stop" {
            run.stop = Some(line.seq);
        }
    }

    /// A line without its end was met.
    pub(super) fn cut_line(&mut self) {
        self.cut_lines += 1;
    }

    /// A report for each run, and one for lines that belong to none.
    pub(super) fn reports(&self) -> Vec<RunReport> {
        let mut reports: Vec<_> =
            self.runs.iter().map(|((sensor, run), numbers)| numbers.report(sensor, run)).collect();
        if self.cut_lines > 0 {
            let text = format!("{} lines without an end\n", self.cut_lines);
            reports.push(RunReport { whole: true, text });
        }
        if self.left_out > 0 {
            let text = format!("{} events of more than {RUNS_MAX} runs were left out\n", self.left_out);
            reports.push(RunReport { whole: false, text });
        }
        reports
    }
}

impl Run {
    fn add(&mut self, seq: u64) {
        let before = self.there.range(..=seq).next_back().map(|(first, last)| (*first, *last));
        let mut range = (seq, seq);
        if let Some((first, last)) = before {
            if seq <= last {
                self.twice += 1;
                return;
            }
            if last + 1 == seq {
                range.0 = first;
            }
        }
        if let Some(next) = seq.checked_add(1)
            && let Some(last) = self.there.remove(&next)
        {
            range.1 = last;
        }
        self.there.insert(range.0, range.1);
    }

    /// The ranges between 0 and the last number that are not there.
    fn missing(&self) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        let mut next = 0;
        for (&first, &last) in &self.there {
            if first > next {
                missing.push((next, first - 1));
            }
            next = last.saturating_add(1);
        }
        missing
    }

    fn report(&self, sensor: &str, run: &str) -> RunReport {
        let (missing, last) = (self.missing(), self.there.last_key_value().map(|(_, last)| *last));
        let events: u64 = self.there.iter().map(|(first, last)| last - first + 1).sum();
        let ended = self.stop.is_some() && self.stop == last;
        let whole = missing.is_empty() && ended;
        let mut text = format!("sensor {sensor}, run {run}: {events} events, ");
        text.push_str(&last.map_or_else(|| "none there, ".to_owned(), |last| format!("seq 0 to {last}, ")));
        let gone: u64 = missing.iter().map(|(first, last)| last - first + 1).sum();
        text.push_str(&match (missing.is_empty(), ended) {
            (true, true) => "complete".to_owned(),
            (true, false) => "no sensor_stop at the end".to_owned(),
            (false, true) => format!("{gone} missing"),
            (false, false) => format!("{gone} missing, no sensor_stop at the end"),
        });
        if self.twice > 0 {
            let _ = write!(text, ", {} more than once", self.twice);
        }
        text.push('\n');
        for (first, last) in missing.iter().take(NAMED_MAX) {
            let told = self.dropped.iter().any(|(from, to)| from <= first && last <= to);
            let told = if told { "told by a drop event" } else { "not told" };
            let _ = writeln!(text, "  missing: seq {first} to {last}, {told}");
        }
        if missing.len() > NAMED_MAX {
            let _ = writeln!(text, "  and {} ranges more", missing.len() - NAMED_MAX);
        }
        RunReport { whole, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(lines: &[&str]) -> Vec<RunReport> {
        let mut runs = Runs::default();
        lines.iter().for_each(|line| runs.add(&serde_json::from_str(line).unwrap()));
        runs.reports()
    }

    fn line(event: &str, seq: u64) -> String {
        format!(r#"{{"event":"{event}","sensor":"a","run":"1","seq":{seq}}}"#)
    }

    #[test]
    fn a_run_is_complete_from_its_start_to_its_stop_in_any_order_and_with_repeats() {
        let lines = [
            line("command", 2),
            line("sensor_start", 0),
            line("reply", 1),
            line("sensor_stop", 3),
            line("reply", 1),
        ];
        let reports = runs(&lines.each_ref().map(String::as_str));
        assert_eq!(reports.len(), 1);
        assert!(reports[0].whole, "{}", reports[0].text);
        assert!(
            reports[0].text.contains("4 events, seq 0 to 3, complete, 1 more than once"),
            "{}",
            reports[0].text
        );
    }

    #[test]
    fn what_is_missing_is_named_with_whether_it_was_told() {
        let dropped = r#"{"event":"drop","sensor":"a","run":"1","seq":9,"drop":{"from_seq":2,"to_seq":5}}"#;
        let lines =
            [line("sensor_start", 0), line("x", 1), line("x", 6), line("x", 8), line("sensor_stop", 10)];
        let mut all: Vec<&str> = lines.iter().map(String::as_str).collect();
        all.push(dropped);
        let report = &runs(&all)[0];
        assert!(!report.whole);
        assert!(report.text.contains("5 missing\n"), "{}", report.text);
        assert!(report.text.contains("missing: seq 2 to 5, told by a drop event"), "{}", report.text);
        assert!(report.text.contains("missing: seq 7 to 7, not told"), "{}", report.text);
    }

    #[test]
    fn a_run_without_its_stop_or_its_start_is_not_whole() {
        let cut = &runs(&[&line("sensor_start", 0), &line("x", 1)])[0];
        assert!(!cut.whole && cut.text.contains("no sensor_stop"), "{}", cut.text);
        let late = &runs(&[&line("x", 1), &line("sensor_stop", 2)])[0];
        assert!(!late.whole && late.text.contains("seq 0 to 0, not told"), "{}", late.text);
    }
}
