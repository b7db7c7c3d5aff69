use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::*;
use crate::telemetry::Snapshot;

/// A strict reader of the text format 0.0.4: the value of each series.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let (mut values, mut families, mut family, mut kind) = (BTreeMap::new(), BTreeSet::new(), "", "");
    assert!(text.ends_with('\n'), "the last line ends");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(families.insert(name), "{name} comes twice");
            assert!(help.ends_with('.'), "{line}");
            family = name;
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').unwrap();
            assert_eq!(name, family, "TYPE follows HELP");
            assert!(["counter", "gauge", "histogram"].contains(&of), "{line}");
            assert_eq!(of == "counter", name.ends_with("_total"), "{line}");
            kind = of;
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let suffixes = if kind == "histogram" { &["_bucket", "_sum", "_count"][..] } else { &[""] };
        assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line} in {family}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
        labels_are_right(labels.strip_suffix('}').unwrap(), line);
        assert!(values.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{series} comes twice");
    }
    values
}

fn labels_are_right(labels: &str, line: &str) {
    let mut rest = labels;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect(line);
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
        let (mut escaped, mut end) = (false, None);
        for (at, c) in after.char_indices() {
            match c {
                _ if escaped => escaped = !matches!(c, '\\' | '"' | 'n'),
                '\\' => escaped = true,
                '"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        rest = &after[end.expect(line) + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

fn state() -> Published {
    let mut snapshot = Snapshot::default();
    snapshot.add(Kind::Packets, "seen", 9);
    snapshot.add(Kind::Packets, "matched", 5);
    snapshot.add(Kind::Kernel, "packets", 9);
    snapshot.add(Kind::Agent, "sessions", 2);
    snapshot.add(Kind::Lost, "ring_full", 3);
    for output in ["-", "unix:/tmp/a \"b\"\\c\nd"] {
        let label = || ("output", output.to_owned());
        snapshot.add_labelled(Kind::Lost, "output", label(), 7);
        snapshot.add_labelled(Kind::Table { cap: 100 }, "output_queue", label(), 4);
        snapshot.add_labelled(Kind::Gauge, "output_up", label(), 1);
    }
    Published { kernel: "6.1".to_owned(), uptime_ms: 1_500, snapshot, ..Published::default() }
}

#[test]
fn the_text_is_what_prometheus_reads() {
    let mut state = state();
    for event in &mut crate::format::sample::session() {
        state.tally.count(event);
    }
    let values = parse(&metrics(&state));
    assert_eq!(values["ftpmon_build_info{version=\"0.1.0\",kernel=\"6.1\"}"], 1.0);
    assert_eq!(values["ftpmon_uptime_seconds"], 1.5);
    assert_eq!(values["ftpmon_packets_seen_total"], 9.0);
    assert_eq!(values["ftpmon_lost_total{reason=\"ring_full\"}"], 3.0);
    assert_eq!(values["ftpmon_lost_total{reason=\"output\",output=\"-\"}"], 7.0);
    assert_eq!(values["ftpmon_table_entries_max{table=\"output_queue\",output=\"-\"}"], 100.0);
    let sum = |name: &str| -> f64 {
        values.iter().filter(|(series, _)| series.starts_with(name)).map(|(_, value)| value).sum()
    };
    let events = crate::format::sample::session();
    let of = |kind: &str| events.iter().filter(|event| event.kind.event_type().name() == kind).count() as f64;
    assert_eq!(sum("ftpmon_events_total"), events.len() as f64);
    assert_eq!(sum("ftpmon_commands_total"), of("command"));
    assert_eq!(sum("ftpmon_replies_total"), of("reply"));
    assert_eq!(sum("ftpmon_logins_total"), of("login"));
    assert_eq!(sum("ftpmon_transfers_total"), of("transfer"));
}

/// The rules and the dashboard of `deploy` ask for metrics that there are.
#[test]
fn deployed_rules_and_dashboards_ask_for_known_metrics() {
    let text = metrics(&state());
    let families: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    for file in ["prometheus/ftpmon.rules.yml", "prometheus/ftpmon.test.yml", "grafana/ftpmon.json"] {
        let asked = std::fs::read_to_string(folder.join(file)).unwrap();
        if file.ends_with(".json") {
            serde_json::from_str::<serde_json::Value>(&asked).unwrap();
        }
        let is_part = |c: char| !(c.is_ascii_lowercase() || c == '_');
        let names: Vec<&str> = asked.split(is_part).filter(|word| word.starts_with("ftpmon_")).collect();
        assert!(names.len() >= 8, "{file}: {names:?}");
        for name in names {
            let family = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(families.contains(family), "{file} asks for {name}");
        }
    }
}

#[test]
fn buckets_count_up_to_all() {
    let mut state = state();
    state.tally.latency = [1; LATENCY_BOUNDS_US.len() + 1];
    state.tally.latency_us = 2_000_500;
    let values = parse(&metrics(&state));
    assert_eq!(values["ftpmon_reply_latency_seconds_bucket{le=\"0.001\"}"], 1.0);
    assert_eq!(values["ftpmon_reply_latency_seconds_bucket{le=\"10\"}"], 12.0);
    assert_eq!(values["ftpmon_reply_latency_seconds_bucket{le=\"+Inf\"}"], 13.0);
    assert_eq!(values["ftpmon_reply_latency_seconds_count"], 13.0);
    assert_eq!(values["ftpmon_reply_latency_seconds_sum"], 2.0005);
}

#[test]
fn a_scrape_is_quick() {
    let state = state();
    let begun = Instant::now();
    (0..10).for_each(|_| drop(metrics(&state)));
    assert!(begun.elapsed().as_millis() < 500, "{:?}", begun.elapsed());
}
