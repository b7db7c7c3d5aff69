//! The metrics in the text format of Prometheus, version 0.0.4.
//!
//! Every label has few values: reasons, tables, outputs, verbs of the RFCs. Nothing that a peer sent is a label.

use core::fmt::Write as _;

use super::board::Published;
use super::tally::{CLASSES, LATENCY_BOUNDS_US, LOGINS, Tally};
use crate::telemetry::{Kind, Sample};
use ftpmon_core::ftp::Verb;
use ftpmon_event::{EventType, FileDirection, Outcome};

/// The type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of a state.
pub(super) fn metrics(state: &Published) -> String {
    let mut text = Text::default();
    text.family("ftpmon_build_info", "gauge", "The version of ftpmon and the kernel's release.");
    text.line("", &[("version", env!("CARGO_PKG_VERSION")), ("kernel", &state.kernel)], 1);
    text.family("ftpmon_uptime_seconds", "gauge", "The time since the start.");
    text.seconds("", &[], state.uptime_ms.saturating_mul(1_000));
    text.family("ftpmon_interfaces", "gauge", "The number of watched interfaces.");
    text.line("", &[], state.interfaces.len() as u64);
    samples(&mut text, state);
    events(&mut text, &state.tally);
    text.text
}

/// The families of samples, by kind.
fn samples(text: &mut Text, state: &Published) {
    let samples = state.snapshot.samples();
    let each = |of: fn(&Sample) -> bool| samples.iter().filter(move |sample| of(sample));
    for sample in each(|sample| sample.kind == Kind::Packets) {
        let (name, what) = match &*sample.name {
            "seen" => ("ftpmon_packets_seen_total", "Packets that the kernel programs looked at."),
            _ => ("ftpmon_packets_matched_total", "Packets of FTP control and data connections."),
        };
        text.family(name, "counter", what);
        text.line("", &[], sample.value);
    }
    text.family("ftpmon_kernel_total", "counter", "The counters of the kernel programs.");
    each(|sample| sample.kind == Kind::Kernel).for_each(|sample| text.sample("counter", sample));
    text.family("ftpmon_agent_total", "counter", "The counters of the agent.");
    each(|sample| sample.kind == Kind::Agent).for_each(|sample| text.sample("counter", sample));
    text.family("ftpmon_lost_total", "counter", "Losses and omissions by reason.");
    each(|sample| sample.kind == Kind::Lost).for_each(|sample| text.sample("reason", sample));
    let is_table = |sample: &Sample| matches!(sample.kind, Kind::Table { .. });
    text.family("ftpmon_table_entries", "gauge", "The entries of each table, or bytes of each queue, now.");
    each(is_table).for_each(|sample| text.sample("table", sample));
    text.family("ftpmon_table_entries_max", "gauge", "The entries or bytes that each may have.");
    for sample in each(is_table) {
        if let Kind::Table { cap } = sample.kind {
            text.sample("table", &Sample { value: cap, ..sample.clone() });
        }
    }
    text.family("ftpmon_output_up", "gauge", "The output takes events.");
    each(|sample| sample.name == "output_up").for_each(|sample| text.own("", sample));
    let delivered = |sample: &Sample| sample.name == "output_last_delivery_s" && sample.value > 0;
    text.family(
        "ftpmon_output_last_delivery_timestamp_seconds",
        "gauge",
        "The time at which the output last took an event.",
    );
    each(delivered).for_each(|sample| text.own("", sample));
}

/// The families of counts of events.
fn events(text: &mut Text, tally: &Tally) {
    text.family("ftpmon_events_total", "counter", "Events by type.");
    for (kind, count) in EventType::ALL.iter().zip(tally.events) {
        text.line("", &[("event", kind.name())], count);
    }
    text.family(
        "ftpmon_commands_total",
        "counter",
        "Commands by verb; other verbs than those of the RFCs are one.",
    );
    let verbs = Verb::KNOWN.iter().map(|verb| verb.name().unwrap_or("other")).chain(["other"]);
    for (verb, count) in verbs.zip(&tally.commands).filter(|(_, count)| **count > 0) {
        text.line("", &[("verb", verb)], *count);
    }
    text.family("ftpmon_replies_total", "counter", "Replies by class.");
    for (class, count) in CLASSES.iter().zip(tally.replies) {
        text.line("", &[("class", class)], count);
    }
    text.family("ftpmon_logins_total", "counter", "Decided attempts to log in by outcome.");
    for (outcome, count) in LOGINS.iter().zip(tally.logins) {
        text.line("", &[("outcome", outcome)], count);
    }
    text.family("ftpmon_transfers_total", "counter", "Transfers by direction and outcome.");
    let directions = || FileDirection::ALL.map(FileDirection::name).into_iter().chain(["unknown"]);
    for (direction, outcomes) in directions().zip(tally.transfers) {
        for (outcome, count) in Outcome::ALL.into_iter().zip(outcomes) {
            text.line("", &[("direction", direction), ("outcome", outcome.name())], count);
        }
    }
    text.family(
        "ftpmon_transfer_bytes_total",
        "counter",
        "Payload bytes of reported transfers by direction.",
    );
    for (direction, bytes) in directions().zip(tally.bytes) {
        text.line("", &[("direction", direction)], bytes);
    }
    text.family("ftpmon_reply_latency_seconds", "histogram", "The time from a command to its replies.");
    let mut sum = 0_u64;
    for (bound, count) in
        LATENCY_BOUNDS_US.iter().map(|bound| seconds(*bound)).chain(["+Inf".to_owned()]).zip(tally.latency)
    {
        sum = sum.saturating_add(count);
        text.line("_bucket", &[("le", &bound)], sum);
    }
    text.seconds("_sum", &[], tally.latency_us);
    text.line("_count", &[], sum);
}

/// Microseconds as seconds.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[derive(Default)]
struct Text {
    text: String,
    family: &'static str,
}

impl Text {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: u64) {
        self.put(suffix, labels.iter().copied(), &value.to_string());
    }

    fn seconds(&mut self, suffix: &str, labels: &[(&str, &str)], us: u64) {
        self.put(suffix, labels.iter().copied(), &seconds(us));
    }

    /// A sample whose name is the value of a label.
    fn sample(&mut self, label: &'static str, sample: &Sample) {
        let own = sample.labels.iter().map(|(name, value)| (*name, value.as_str()));
        self.put("", [(label, &*sample.name)].into_iter().chain(own), &sample.value.to_string());
    }

    /// A sample with its own labels only.
    fn own(&mut self, suffix: &str, sample: &Sample) {
        let own = sample.labels.iter().map(|(name, value)| (*name, value.as_str()));
        self.put(suffix, own, &sample.value.to_string());
    }

    fn put<'a>(&mut self, suffix: &str, labels: impl Iterator<Item = (&'a str, &'a str)>, value: &str) {
        let mut separator = '{';
        let _ = write!(self.text, "{}{suffix}", self.family);
        for (name, value) in labels {
            let _ = write!(self.text, "{separator}{name}=\"{}\"", escaped(value));
            separator = ',';
        }
        let end = if separator == '{' { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }
}

/// A label's value, whatever is in it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests;
