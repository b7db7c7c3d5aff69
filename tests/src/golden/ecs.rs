//! The Elastic Common Schema. The sensor's name and the sequence are taken out, and so are the sensor's own events but
//! for what was lost.

use std::collections::HashSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::numbered::Numbered;

/// The values that ECS 8 allows in `event.kind`.
const KINDS: [&str; 7] = ["alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error"];
/// The values that it allows in `event.category`, as far as ftpmon writes it.
const CATEGORIES: [&str; 6] =
    ["authentication", "file", "intrusion_detection", "network", "process", "session"];
/// The values that it allows in `event.type`.
const TYPES: [&str; 18] = [
    "access",
    "admin",
    "allowed",
    "change",
    "connection",
    "creation",
    "deletion",
    "denied",
    "device",
    "end",
    "error",
    "group",
    "indicator",
    "info",
    "installation",
    "protocol",
    "start",
    "user",
];

pub(super) fn normalized(output: &str) -> Result<String> {
    let mut out = String::new();
    let mut sessions = Numbered::new("s");
    let mut ids = HashSet::new();
    for (number, line) in output.lines().enumerate() {
        let mut record: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        check(&record).with_context(|| line.to_owned())?;
        let sequence = record.pointer("/event/sequence").and_then(Value::as_u64);
        let id = record.pointer("/event/id").and_then(Value::as_str).unwrap_or_default();
        ensure!(ids.insert(id.to_owned()), "event.id occurs twice: {line}");
        ensure!(sequence == Some(number as u64), "event.sequence does not count up by one: {line}");
        match record.pointer("/event/dataset").and_then(Value::as_str) {
            Some("ftpmon.sensor_start" | "ftpmon.sensor_stop") => continue,
            Some("ftpmon.stats") => {
                let lost = record.pointer("/ftpmon/lost").cloned().unwrap_or_default();
                if lost.as_object().is_some_and(|lost| !lost.is_empty()) {
                    out.push_str(&format!("{}\n", json!({ "ftpmon": { "lost": lost } })));
                }
                continue;
            }
            _ => {}
        }
        if let Some(Value::Object(event)) = record.get_mut("event") {
            event.remove("sequence");
            event.remove("id");
        }
        if let Some(Value::Object(own)) = record.get_mut("ftpmon") {
            own.remove("run");
            if let Some(Value::String(session)) = own.get_mut("session") {
                *session = sessions.name(session);
            }
        }
        if let Some(Value::Object(observer)) = record.get_mut("observer") {
            observer.remove("name");
            observer.remove("version");
        }
        out.push_str(&format!("{record}\n"));
    }
    Ok(out)
}

/// The rules of ECS for the fields that every record has.
fn check(record: &Value) -> Result<()> {
    let text = |pointer: &str| {
        record.pointer(pointer).and_then(Value::as_str).with_context(|| format!("{pointer} is no text"))
    };
    ensure!(text("/@timestamp")?.ends_with('Z'), "@timestamp");
    ensure!(text("/ecs/version")?.starts_with("8."), "ecs.version");
    ensure!(KINDS.contains(&text("/event/kind")?), "event.kind");
    text("/event/dataset")?;
    ensure!(text("/event/module")? == "ftpmon", "event.module");
    ensure!(text("/observer/product")? == "ftpmon", "observer.product");
    for (pointer, allowed) in [("/event/category", &CATEGORIES[..]), ("/event/type", &TYPES[..])] {
        let list = record.pointer(pointer).and_then(Value::as_array).with_context(|| pointer.to_owned())?;
        let is_allowed = |item: &Value| item.as_str().is_some_and(|item| allowed.contains(&item));
        ensure!(!list.is_empty() && list.iter().all(is_allowed), "{pointer}");
    }
    let outcome = record.pointer("/event/outcome").and_then(Value::as_str);
    ensure!(matches!(outcome, None | Some("success" | "failure" | "unknown")), "event.outcome {outcome:?}");
    for end in ["source", "destination"] {
        let port = record.pointer(&format!("/{end}/port"));
        ensure!(port.is_none_or(|port| port.as_u64().is_some_and(|port| port <= 65_535)), "{end}.port");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::normalized;

    const RECORD: &str = r#"{"@timestamp":"2026-01-01T00:00:00Z","ecs":{"version":"8.17.0"},"event":{"kind":"event","category":["network"],"type":["info"],"module":"ftpmon","dataset":"ftpmon.reply","sequence":0,"id":"ab-0"},"ftpmon":{"run":"ab","session":"abc"},"observer":{"name":"here","product":"ftpmon"}}"#;

    #[test]
    fn what_changes_from_run_to_run_is_taken_out() {
        let found = normalized(RECORD).unwrap();
        assert!(
            found.contains(r#""session":"s1""#) && !found.contains("here") && !found.contains("sequence")
        );
    }

    #[test]
    fn values_that_ecs_does_not_know_are_refused() {
        for (good, bad) in [("\"info\"", "\"chat\""), ("\"network\"", "\"ftp\""), (":0,", ":1,")] {
            assert!(normalized(&RECORD.replace(good, bad)).is_err(), "{bad}");
        }
    }
}
