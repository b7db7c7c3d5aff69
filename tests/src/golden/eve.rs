//! Suricata's EVE: one JSON object a line, with the header that every record has, and a body named like its type.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::numbered::Numbered;

/// The record types that ftpmon writes.
const TYPES: [&str; 4] = ["ftp", "ftp_data", "fileinfo", "alert"];

pub(super) fn normalized(output: &str) -> Result<String> {
    let mut out = String::new();
    let mut flows = Numbered::new("f");
    let mut last_seq = None;
    for line in output.lines() {
        let mut record: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let seq = take(&mut record, "seq").and_then(|seq| seq.as_u64());
        let run = take(&mut record, "run");
        ensure!(seq.is_some(), "no seq: {line}");
        ensure!(seq >= last_seq, "seq goes back: {line}");
        ensure!(run.is_some_and(|run| run.is_string()), "no run: {line}");
        last_seq = seq;
        if record.get("event_type").is_some_and(|kind| kind == "stats") {
            ensure!(
                record.pointer("/stats/ftpmon/seen").is_some_and(Value::is_u64),
                "stats without counters: {line}"
            );
            continue;
        }
        check(&record).with_context(|| line.to_owned())?;
        for field in ["flow_id", "parent_id"] {
            if let Some(id) = record.get_mut(field) {
                *id = flows.name(&id.to_string()).into();
            }
        }
        out.push_str(&format!("{record}\n"));
    }
    Ok(out)
}

/// Takes a field out that differs from run to run.
fn take(record: &mut Value, field: &str) -> Option<Value> {
    record.as_object_mut()?.remove(field)
}

/// The rules of Suricata's EVE schema for these records.
fn check(record: &Value) -> Result<()> {
    let text = |field: &str| {
        record.get(field).and_then(Value::as_str).with_context(|| format!("{field} is no text"))
    };
    let port = |field: &str| {
        let port = record.get(field).and_then(Value::as_u64);
        port.filter(|port| *port <= 65_535).with_context(|| format!("{field} is no port"))
    };
    check_timestamp(text("timestamp")?)?;
    for field in ["src_ip", "dest_ip"] {
        text(field)?.parse::<IpAddr>().with_context(|| format!("{field} is no address"))?;
    }
    port("src_port")?;
    port("dest_port")?;
    ensure!(text("proto")? == "TCP", "proto");
    let version = record.get("ip_v").and_then(Value::as_u64);
    ensure!(version == Some(if text("src_ip")?.contains(':') { 6 } else { 4 }), "ip_v {version:?}");
    let flow = record.get("flow_id").and_then(Value::as_u64).context("flow_id is no number")?;
    let kind = text("event_type")?;
    ensure!(TYPES.contains(&kind), "event_type {kind}");
    for other in TYPES {
        let body = record.get(other);
        let of_file = other == "ftp_data" && kind == "fileinfo";
        ensure!(body.is_some() == (other == kind || of_file), "{kind} with the body of {other}");
        ensure!(body.is_none_or(Value::is_object), "{other} is no object");
    }
    // A data connection is a flow of its own, below that of its session.
    let parent = record.get("parent_id").and_then(Value::as_u64);
    ensure!(parent.is_some() == matches!(kind, "ftp_data" | "fileinfo"), "parent_id of {kind}");
    ensure!(parent != Some(flow), "a flow is its own parent");
    match kind {
        "ftp" => check_ftp(record),
        "fileinfo" => {
            ensure!(text("app_proto")? == "ftp-data", "app_proto");
            let file = |field: &str| record.pointer(&format!("/fileinfo/{field}"));
            ensure!(file("size").is_some_and(Value::is_u64), "no size");
            ensure!(file("gaps").is_some_and(Value::is_boolean), "no gaps");
            ensure!(file("stored").is_some_and(Value::is_boolean), "no stored");
            let state = file("state").and_then(Value::as_str);
            ensure!(matches!(state, Some("CLOSED" | "TRUNCATED" | "ERROR" | "UNKNOWN")), "state {state:?}");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A transaction: as many reply codes as a reply has lines at most, each of three digits.
fn check_ftp(record: &Value) -> Result<()> {
    let list = |field: &str| -> Result<Vec<&str>> {
        let items = record.pointer(&format!("/ftp/{field}")).and_then(Value::as_array);
        let texts = items.into_iter().flatten().map(|item| item.as_str().context("no text in a list"));
        texts.collect()
    };
    let received = !list("reply")?.is_empty() || !list("completion_code")?.is_empty();
    for code in list("completion_code")? {
        ensure!(code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()), "code {code}");
    }
    let told = record.pointer("/ftp/reply_received").and_then(Value::as_str);
    ensure!(told == Some(if received { "yes" } else { "no" }), "reply_received {told:?}");
    Ok(())
}

/// `2026-01-01T00:00:00.004000+0000`.
fn check_timestamp(text: &str) -> Result<()> {
    let pattern = "dddd-dd-ddTdd:dd:dd.dddddd+0000";
    let fits =
        |(wanted, found): (u8, u8)| if wanted == b'd' { found.is_ascii_digit() } else { wanted == found };
    ensure!(text.len() == pattern.len() && pattern.bytes().zip(text.bytes()).all(fits), "timestamp {text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::normalized;

    const RECORD: &str = r#"{"timestamp":"2026-01-01T00:00:00.004000+0000","seq":3,"run":"ab","flow_id":7,"event_type":"ftp","src_ip":"192.0.2.1","src_port":4,"dest_ip":"192.0.2.2","dest_port":21,"proto":"TCP","ip_v":4,"ftp":{"completion_code":["220"],"reply":["x"],"reply_received":"yes"}}"#;

    #[test]
    fn flows_become_numbers() {
        assert!(normalized(RECORD).unwrap().contains(r#""flow_id":"f1""#));
    }

    #[test]
    fn records_that_the_schema_does_not_allow_are_refused() {
        for (good, bad) in [
            ("+0000", "Z"),
            ("192.0.2.1", "host"),
            (r#""yes""#, r#""no""#),
            (r#"["220"]"#, r#"["22"]"#),
            (r#""event_type":"ftp""#, r#""event_type":"ftp_data""#),
        ] {
            assert!(normalized(&RECORD.replace(good, bad)).is_err(), "{bad}");
        }
    }
}
