//! Log records of OpenTelemetry in the JSON of OTLP: a record an event, with the event's own part as its body.

use serde_json::{Value, json};

use super::Formatter;
use super::json::value;
use ftpmon_event::{Event, EventKind, LocalProcess, LoginOutcome, Origin, Transfer};

/// Severity numbers of the log data model.
const INFO: (u8, &str) = (9, "INFO");
const WARN: (u8, &str) = (13, "WARN");
const ERROR: (u8, &str) = (17, "ERROR");
const FATAL: (u8, &str) = (21, "FATAL");

/// Writes log records of OpenTelemetry.
pub struct Otel {
    origin: Origin,
}

impl Otel {
    /// A writer of the events of `origin`.
    pub fn new(origin: &Origin) -> Self {
        Self { origin: origin.clone() }
    }
}

impl Formatter for Otel {
    fn event(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        let (number, text) = severity(&event.kind);
        let nanos = event.ts.as_nanos().max(0).to_string();
        let own = serde_json::to_value(&event.kind).unwrap_or_default();
        let record = json!({
            "timeUnixNano": nanos,
            "observedTimeUnixNano": nanos,
            "severityNumber": number,
            "severityText": text,
            "eventName": format!("ftp.{}", event.kind.name()),
            "body": any(&own),
            "attributes": attributes(&self.origin, seq, event).0,
        });
        value(&record, out);
        out.push(b'\n');
    }
}

fn severity(kind: &EventKind) -> (u8, &'static str) {
    match kind {
        EventKind::Login(login) if login.login.outcome == LoginOutcome::Failure => WARN,
        EventKind::Anomaly(_) | EventKind::Gap(_) => WARN,
        EventKind::Drop(_) => ERROR,
        EventKind::Alert(alert) => match alert.alert.severity {
            4.. => FATAL,
            3 => ERROR,
            2 => WARN,
            _ => INFO,
        },
        _ => INFO,
    }
}

/// Attributes by the names of the semantic conventions.
#[derive(Default)]
struct Attributes(Vec<Value>);

impl Attributes {
    fn text(&mut self, key: &str, value: impl ToString) {
        self.0.push(json!({"key": key, "value": {"stringValue": value.to_string()}}));
    }

    fn number(&mut self, key: &str, value: impl Into<u64>) {
        self.0.push(json!({"key": key, "value": {"intValue": value.into().to_string()}}));
    }
}

fn attributes(origin: &Origin, seq: u64, event: &Event) -> Attributes {
    let mut all = Attributes::default();
    all.text("host.name", &origin.sensor);
    all.text("ftpmon.run", origin.run);
    all.number("ftpmon.seq", seq);
    if let Some(session) = event.session.as_deref() {
        all.text("network.protocol.name", "ftp");
        all.text("network.transport", "tcp");
        all.text("network.type", if session.client.ip.is_ipv4() { "ipv4" } else { "ipv6" });
        all.text("client.address", session.client.ip);
        all.number("client.port", session.client.port);
        all.text("server.address", session.server.ip);
        all.number("server.port", session.server.port);
        all.text("session.id", session.id());
        all.text("ftpmon.community_id", session.community_id());
        if let Some(iface) = &session.iface {
            all.text("network.interface.name", iface);
        }
    }
    if let Some(user) = event.user.as_deref() {
        all.text("user.name", &user.text);
    }
    if let EventKind::Transfer(transfer) = &event.kind {
        of_transfer(transfer, &mut all);
    }
    all
}

fn of_transfer(transfer: &Transfer, all: &mut Attributes) {
    if let Some(path) = transfer.transfer.path.as_deref() {
        all.text("file.path", path);
        all.text("file.name", path.rsplit(['/', '\\']).next().unwrap_or(path));
    }
    all.number("file.size", transfer.transfer.bytes);
    if let Some(process) = transfer.server_process.as_deref().or(transfer.client_process.as_deref()) {
        of_process(process, all);
    }
}

fn of_process(process: &LocalProcess, all: &mut Attributes) {
    all.number("process.pid", process.pid);
    let texts = [
        ("process.executable.name", process.name.as_deref()),
        ("process.executable.path", process.exe.as_deref()),
        ("process.user.name", process.user.as_deref()),
        ("container.id", process.container.as_deref()),
    ];
    texts
        .into_iter()
        .filter_map(|(key, text)| Some((key, text?)))
        .for_each(|(key, text)| all.text(key, text));
}

/// A value as OTLP's `AnyValue`. Integers are strings: JSON's numbers hold no 64 bits.
fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::Number(number) if number.is_f64() => json!({"doubleValue": number}),
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(values) => {
            json!({"arrayValue": {"values": values.iter().map(any).collect::<Vec<_>>()}})
        }
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| json!({"key": key, "value": any(value)});
            json!({"kvlistValue": {"values": fields.iter().map(field).collect::<Vec<_>>()}})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn record(kind: EventKind) -> Value {
        let mut out = Vec::new();
        Otel::new(&sample::origin("s")).event(7, &sample::event(&sample::identity("s"), 0, kind), &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    /// The value of an attribute, as its type and text.
    fn attribute(record: &Value, key: &str) -> Option<Value> {
        let attributes = record["attributes"].as_array().unwrap();
        Some(attributes.iter().find(|attribute| attribute["key"] == key)?["value"].clone())
    }

    #[test]
    fn a_transfer_has_the_conventions_names() {
        let record = record(sample::transfer(1));
        assert_eq!(record["eventName"], "ftp.transfer");
        assert_eq!(record["timeUnixNano"], "1700000000000000000");
        for (key, value) in [
            ("client.address", json!({"stringValue": "192.168.1.106"})),
            ("server.port", json!({"intValue": "21"})),
            ("user.name", json!({"stringValue": "joe"})),
            ("file.name", json!({"stringValue": "a.txt"})),
            ("file.size", json!({"intValue": "77"})),
            ("ftpmon.seq", json!({"intValue": "7"})),
        ] {
            assert_eq!(attribute(&record, key), Some(value), "{key}");
        }
        let body = record["body"]["kvlistValue"]["values"].as_array().unwrap();
        assert!(body.iter().any(|field| field["key"] == "transfer"), "the event's own part is whole");
    }

    #[test]
    fn an_alert_says_how_many_had_none_of_their_own() {
        let suppressed = |suppressed| {
            let alert = ftpmon_event::AlertDetail { suppressed, ..sample::alert() };
            let record = record(EventKind::Alert(Box::new(ftpmon_event::Alert { alert })));
            let of = |fields: &Value, key: &str| {
                let values = fields["kvlistValue"]["values"].as_array().unwrap();
                Some(values.iter().find(|field| field["key"] == key)?["value"].clone())
            };
            of(&of(&record["body"], "alert").unwrap(), "suppressed")
        };
        assert_eq!(suppressed(2), Some(json!({"intValue": "2"})));
        assert_eq!(suppressed(0), None);
    }

    #[test]
    fn severities_rise_with_what_happened() {
        let alert = EventKind::Alert(Box::new(ftpmon_event::Alert { alert: sample::alert() }));
        assert_eq!(record(alert)["severityNumber"], 17);
        assert_eq!(record(sample::command(1, "NOOP", None))["severityNumber"], 9);
    }
}
