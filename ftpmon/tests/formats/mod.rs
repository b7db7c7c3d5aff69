//! The alerts of a detector in every format that has alerts, by the names and scales of each.

use std::path::Path;
use std::process::Command;

use ftpmon_core::detect::Entry;
use ftpmon_tests::detections::Case;
use libtest_mimic::Failed;
use serde_json::{Value, json};

/// The first number of ftpmon's signatures in EVE.
const FIRST_SIGNATURE: u32 = 9_210_000;

/// The facts that an alert tells in every format.
struct Told {
    severity: u64,
    message: String,
    technique: Option<String>,
    suppressed: u64,
    client: String,
}

fn lines(entry: &Entry, case: &Case, capture: &Path, format: &str) -> Result<Vec<String>, Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_ftpmon"))
        .args(["read", "--format", format, "--events", "alert", "--detect", &format!("none,{}", entry.id())])
        .args(&case.options)
        .arg(capture)
        .output()?;
    if !output.status.success() {
        return Err(format!("{format}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The same alerts in every format.
pub(crate) fn check(entry: &Entry, case: &Case, scratch: &Path) -> Result<(), Failed> {
    let capture = scratch.join(format!("{}-formats.pcap", entry.id()));
    std::fs::write(&capture, case.capture().map_err(|error| format!("{error:#}"))?)?;
    let mut alerts = Vec::new();
    for line in lines(entry, case, &capture, "json")? {
        let event: Value = serde_json::from_str(&line)?;
        alerts.push(Told {
            severity: event.pointer("/alert/severity").and_then(Value::as_u64).unwrap_or_default(),
            message: text(&event, "/alert/message"),
            technique: event.pointer("/alert/technique").and_then(Value::as_str).map(str::to_owned),
            suppressed: event.pointer("/alert/suppressed").and_then(Value::as_u64).unwrap_or_default(),
            client: text(&event, "/client/ip"),
        });
    }
    for (format, compare) in [
        ("eve", eve as Compare),
        ("zeek-json", zeek),
        ("ecs", ecs),
        ("ocsf", ocsf),
        ("cef", cef),
        ("leef", leef),
        ("otel", otel),
    ] {
        let found = lines(entry, case, &capture, format)?;
        if found.len() != alerts.len() || alerts.is_empty() {
            return Err(format!("{format}: {} alerts of {}", found.len(), alerts.len()).into());
        }
        for (line, told) in found.iter().zip(&alerts) {
            if !compare(entry, told, line) {
                return Err(format!("{format}: {line}\ndoes not say: {}", told.message).into());
            }
        }
    }
    Ok(std::fs::remove_file(capture)?)
}

type Compare = fn(&Entry, &Told, &str) -> bool;

/// The number that is left out where it is none.
fn suppressed(told: &Told) -> Option<Value> {
    (told.suppressed > 0).then(|| json!(told.suppressed))
}

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}

fn eve(entry: &Entry, told: &Told, line: &str) -> bool {
    let record = object(line);
    let alert = record.get("alert").cloned().unwrap_or_default();
    // 1 is the gravest.
    let severity = match told.severity {
        4.. => 1,
        3 => 2,
        _ => 3,
    };
    record.get("event_type") == Some(&json!("alert"))
        && text(&record, "/src_ip") == told.client
        && alert.get("signature_id") == Some(&json!(FIRST_SIGNATURE + entry.subject.number))
        && alert.get("severity") == Some(&json!(severity))
        && text(&alert, "/metadata/message/0") == told.message
        && text(&alert, "/metadata/mitre_technique_id/0") == told.technique.as_deref().unwrap_or_default()
        && alert.pointer("/metadata/suppressed/0")
            == suppressed(told).map(|count| json!(count.to_string())).as_ref()
}

fn zeek(entry: &Entry, told: &Told, line: &str) -> bool {
    let row = object(line);
    text(&row, "/note") == format!("FTPMON::{}", entry.id())
        && text(&row, "/msg") == told.message
        && text(&row, "/src") == told.client
        && row.get("suppressed") == suppressed(told).as_ref()
}

fn ecs(entry: &Entry, told: &Told, line: &str) -> bool {
    let document = object(line);
    text(&document, "/event/kind") == "alert"
        && text(&document, "/rule/id") == entry.id()
        && text(&document, "/message") == told.message
        && document.pointer("/event/severity") == Some(&json!(told.severity))
        && text(&document, "/threat/technique/id/0") == told.technique.as_deref().unwrap_or_default()
        && text(&document, "/source/ip") == told.client
        && document.pointer("/ftpmon/alert/suppressed") == suppressed(told).as_ref()
}

/// A detection finding, whose severities have one more.
fn ocsf(entry: &Entry, told: &Told, line: &str) -> bool {
    let finding = object(line);
    finding.get("class_uid") == Some(&json!(2004))
        && text(&finding, "/finding_info/uid") == entry.id()
        && text(&finding, "/finding_info/desc") == told.message
        && finding.get("severity_id") == Some(&json!(told.severity + 1))
        && text(&finding, "/src_endpoint/ip") == told.client
        && finding.get("count") == Some(&json!(told.suppressed + 1))
}

/// 0 to 10, and backslashes before what separates.
fn cef(entry: &Entry, told: &Told, line: &str) -> bool {
    let fields: Vec<&str> = line.split('|').collect();
    let severity = (told.severity * 5).div_ceil(2).min(10).to_string();
    fields.first() == Some(&"CEF:0")
        && fields.get(4) == Some(&entry.id())
        && fields.get(6) == Some(&severity.as_str())
        && line.contains(&format!("src={} ", told.client))
        && line.contains(&format!("cnt={} ", told.suppressed + 1))
        && line.contains(&format!("msg={}", told.message.replace('\\', "\\\\").replace('=', "\\=")))
}

fn leef(entry: &Entry, told: &Told, line: &str) -> bool {
    let severity = (told.severity * 5).div_ceil(2).min(10);
    line.starts_with("LEEF:2.0|")
        && line.contains(&format!("|{}|", entry.id()))
        && line.contains(&format!("\tsev={severity}\t"))
        && line.contains(&format!("\tsrc={}\t", told.client))
        && line.contains(&format!("\tsuppressed={}\t", told.suppressed))
}

fn otel(entry: &Entry, told: &Told, line: &str) -> bool {
    let record = object(line);
    let body = record.get("body").map(Value::to_string).unwrap_or_default();
    body.contains(&json!({ "key": "id", "value": { "stringValue": entry.id() } }).to_string())
        && body.contains(&json!({ "stringValue": told.message }).to_string())
}
