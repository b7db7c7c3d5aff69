//! Facts of a line that its way to a reader needs.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

/// The facts of a line that the formats agree on.
#[derive(Deserialize)]
struct Facts<'a> {
    #[serde(borrow, alias = "@timestamp", alias = "timestamp", default)]
    ts: Option<Cow<'a, str>>,
    #[serde(default)]
    event: Option<Value>,
}

/// Time of the event, nanoseconds since 1970, and its type where the line names it. A line that is no JSON has the time
/// of now.
pub(super) fn time_and_type(line: &[u8]) -> (i128, Option<String>) {
    let facts: Option<Facts<'_>> = serde_json::from_slice(line).ok();
    let now =
        || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_nanos() as i128);
    let Some(Facts { ts, event }) = facts else { return (now(), None) };
    let at = ts.and_then(|ts| ts.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_nanosecond);
    let name = match event {
        Some(Value::String(name)) => Some(name),
        _ => None,
    };
    (at.unwrap_or_else(now), name)
}

/// The names of a line's event, where its format is JSON and has them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Of no other line: the run, and the number in it.
    pub(super) line: Option<String>,
    /// The session.
    pub(super) session: Option<String>,
}

/// The same, in the formats `json` and `ecs`: in others several lines may have the number of one event.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    run: Option<Cow<'a, str>>,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(borrow, default)]
    session: Option<Cow<'a, str>>,
    #[serde(default)]
    event: Option<Value>,
    #[serde(borrow, default)]
    ftpmon: Option<Own<'a>>,
}

/// ftpmon's own part of an ECS document.
#[derive(Deserialize)]
struct Own<'a> {
    #[serde(borrow, default)]
    session: Option<Cow<'a, str>>,
}

impl Names {
    /// Those of a line.
    pub(super) fn of(line: &[u8]) -> Self {
        let Ok(named) = serde_json::from_slice::<Named<'_>>(line) else { return Self::default() };
        let Named { run, seq, session, event, ftpmon } = named;
        match event {
            Some(Value::String(_)) => Self {
                line: run.zip(seq).map(|(run, seq)| format!("{run}-{seq}")),
                session: session.map(Cow::into_owned),
            },
            Some(Value::Object(event)) => Self {
                line: event.get("id").and_then(Value::as_str).map(str::to_owned),
                session: ftpmon.and_then(|own| own.session).map(Cow::into_owned),
            },
            _ => Self::default(),
        }
    }
}

/// The line as a JSON value: as it is, or as a string.
pub(super) fn value(line: &[u8]) -> Cow<'_, [u8]> {
    if line.first() == Some(&b'{') { Cow::Borrowed(line) } else { Cow::Owned(string(line)) }
}

/// The line as a JSON string.
pub(super) fn string(line: &[u8]) -> Vec<u8> {
    Value::from(String::from_utf8_lossy(line)).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, sample};
    use ftpmon_event::{Origin, RunId};

    #[test]
    fn a_line_that_belongs_to_one_event_has_its_names() {
        let origin = Origin { run: RunId(0xfeed), sensor: "s".to_owned() };
        for format in [Format::Json, Format::Ecs] {
            let mut formatter = format.formatter(&origin);
            for event in sample::session() {
                let mut line = Vec::new();
                formatter.event(7, &event, &mut line);
                let names = Names::of(&line);
                assert_eq!(names.line.as_deref(), Some("000000000000feed-7"), "{format:?}");
                assert_eq!(names.session.as_deref(), Some("0123456789abcdef"), "{format:?}");
            }
        }
        for line in [&b"no json"[..], b"{\"event_type\":\"ftp\",\"run\":\"feed\",\"seq\":7}", b"[1]"] {
            assert_eq!(Names::of(line), Names::default());
        }
    }
}
