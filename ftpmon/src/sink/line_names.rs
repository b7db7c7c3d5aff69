//! The names that a line's event has: what brokers tell equal lines apart by, and which lines belong together.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

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
