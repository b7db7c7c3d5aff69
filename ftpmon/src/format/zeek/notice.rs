//! Zeek's `notice.log`, a row an alert.

use std::io::Write as _;

use super::value::Value;
use crate::format::json;
use ftpmon_event::{AlertDetail, Event, RunId};

/// Appends an alert as a row of `notice.log` in JSON.
pub(super) fn write(seq: u64, run: RunId, event: &Event, alert: &AlertDetail, out: &mut Vec<u8>) {
    let _ = write!(out, "{{\"_path\":\"notice\",\"seq\":{seq},\"run\":\"{run}\"");
    let mut field = |name: &str, value: Value<'_>| {
        let _ = write!(out, ",\"{name}\":");
        value.json(out);
    };
    field("ts", Value::Time(event.ts));
    if let Some(identity) = event.session.as_deref() {
        field("uid", Value::Text(identity.id().into()));
        field("id.orig_h", Value::Addr(identity.client.ip));
        field("id.orig_p", Value::Count(identity.client.port.into()));
        field("id.resp_h", Value::Addr(identity.server.ip));
        field("id.resp_p", Value::Count(identity.server.port.into()));
        field("proto", Value::Text("tcp".into()));
        field("src", Value::Addr(identity.client.ip));
        field("dst", Value::Addr(identity.server.ip));
        field("p", Value::Count(identity.server.port.into()));
    }
    field("note", Value::Text(format!("FTPMON::{}", alert.id).into()));
    field("msg", Value::Text(alert.message.as_str().into()));
    field("sub", Value::Text(alert.evidence.examples.join(", ").into()));
    if let Some(count) = alert.evidence.counts.get("occurrences") {
        field("n", Value::Count(*count));
    }
    if alert.suppressed > 0 {
        field("suppressed", Value::Count(alert.suppressed));
    }
    out.extend_from_slice(b",\"actions\":");
    json::value(&["Notice::ACTION_LOG"], out);
    out.extend_from_slice(b"}\n");
}
