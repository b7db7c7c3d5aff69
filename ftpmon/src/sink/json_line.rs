//! Facts of a line that its way to a reader needs.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::wall_clock;

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
    let now = || i128::from(wall_clock::now().as_nanos());
    let Some(Facts { ts, event }) = facts else { return (now(), None) };
    let at = ts.and_then(|ts| ts.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_nanosecond);
    let name = match event {
        Some(Value::String(name)) => Some(name),
        _ => None,
    };
    (at.unwrap_or_else(now), name)
}

/// The line as a JSON value: as it is, or as a string.
pub(super) fn value(line: &[u8]) -> Cow<'_, [u8]> {
    if line.first() == Some(&b'{') { Cow::Borrowed(line) } else { Cow::Owned(string(line)) }
}

/// The line as a JSON string.
pub(super) fn string(line: &[u8]) -> Vec<u8> {
    Value::from(String::from_utf8_lossy(line)).to_string().into_bytes()
}
