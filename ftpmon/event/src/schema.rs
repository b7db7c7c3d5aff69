//! The event schema as JSON Schema, generated from the types.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::{
    Alert, Anomaly, Command, ConfigReload, DataChannel, Dropped, EventType, Gap, Login, Reply,
    SCHEMA_VERSION, SensorStart, SensorStop, SessionEnd, SessionStart, Stats, Tls, Transfer,
};
use crate::addr::Endpoint;
use crate::link::VLAN_TAGS_MAX;

type Generate = fn(&mut SchemaGenerator) -> Schema;

/// Every event type with its own fields.
const EVENTS: [(EventType, Generate); EventType::ALL.len()] = [
    (EventType::SensorStart, SensorStart::json_schema),
    (EventType::Stats, Stats::json_schema),
    (EventType::SensorStop, SensorStop::json_schema),
    (EventType::Drop, Dropped::json_schema),
    (EventType::Config, ConfigReload::json_schema),
    (EventType::SessionStart, SessionStart::json_schema),
    (EventType::Command, Command::json_schema),
    (EventType::Reply, Reply::json_schema),
    (EventType::Login, Login::json_schema),
    (EventType::Tls, Tls::json_schema),
    (EventType::DataChannel, DataChannel::json_schema),
    (EventType::Transfer, Transfer::json_schema),
    (EventType::Gap, Gap::json_schema),
    (EventType::Anomaly, Anomaly::json_schema),
    (EventType::Alert, Alert::json_schema),
    (EventType::SessionEnd, SessionEnd::json_schema),
];

/// The JSON Schema (draft 2020-12) of one event as `--format json` writes it: one definition an event type, told apart
/// by `event`. It allows the fields that this version writes and no others. `docs/events.schema.json` is this,
/// written by `ftpmon schema`.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut definitions = Map::new();
    for (kind, own) in EVENTS {
        let own = own(&mut generator);
        definitions.insert(kind.name().to_owned(), event(kind, own.to_value(), &mut generator));
    }
    definitions.extend(generator.take_definitions(true));
    definitions.values_mut().for_each(strict);
    let one_of: Vec<Value> =
        EVENTS.iter().map(|(kind, _)| json!({ "$ref": format!("#/$defs/{}", kind.name()) })).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("ftpmon event, schema version {SCHEMA_VERSION}"),
        "description": "One line of `--format json`.",
        "oneOf": one_of,
        "$defs": definitions,
    })
}

/// An event: the envelope's fields and its own.
fn event(kind: EventType, mut own: Value, generator: &mut SchemaGenerator) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut add = |field: &str, is_required: bool, schema: Value| {
        properties.insert(field.to_owned(), schema);
        if is_required {
            required.push(Value::from(field));
        }
    };
    let text = |description: &str| json!({ "type": "string", "description": description });
    add(
        "ts",
        true,
        json!({ "type": "string", "format": "date-time",
            "description": "The packet that completed the event: RFC 3339, UTC, nanoseconds." }),
    );
    add("event", true, json!({ "const": kind.name(), "description": "The event's type." }));
    add(
        "seq",
        true,
        json!({ "type": "integer", "minimum": 0,
            "description": "Counts up by one an event within a run: a reader sees what it lost." }),
    );
    add(
        "run",
        true,
        json!({ "type": "string", "pattern": "^[0-9a-f]{16}$",
            "description": "Random id of this run of the sensor: (sensor, run, seq) is an event's key everywhere." }),
    );
    add("sensor", true, text("This sensor's name."));
    let always = kind.is_of_session();
    if always || kind == EventType::Alert {
        let endpoint = |generator: &mut SchemaGenerator, description: &str| {
            let mut schema = generator.subschema_for::<Endpoint>().to_value();
            if let Some(object) = schema.as_object_mut() {
                object.insert("description".to_owned(), description.into());
            }
            schema
        };
        add("session", always, text("Unique id of the control connection."));
        add("community_id", always, text("Community ID 1.0 of the control connection."));
        add("client", always, endpoint(generator, "The end that sends commands."));
        add("server", always, endpoint(generator, "The end that sends replies."));
        add("iface", false, text("The interface that first showed the control connection."));
        add(
            "vlan",
            false,
            json!({ "type": "array", "minItems": 1, "maxItems": VLAN_TAGS_MAX,
                "items": { "type": "integer", "minimum": 0, "maximum": 4095 },
                "description": "VLAN identifiers of its first frame, outermost first." }),
        );
        add("user", false, text("The session's user, once USER was seen."));
        add("user_hex", false, text("The user's bytes in hexadecimal, where they are no valid UTF-8."));
    }
    let Some(own) = own.as_object_mut() else { return own };
    if let Some(Value::Object(fields)) = own.remove("properties") {
        properties.extend(fields);
    }
    if let Some(Value::Array(fields)) = own.remove("required") {
        required.extend(fields);
    }
    let description = own.remove("description").unwrap_or_default();
    json!({ "type": "object", "description": description, "properties": properties, "required": required })
}

/// Makes the schema of a value say what the writer keeps: objects have no fields but the named ones, and a field that
/// may be left out is never null.
fn strict(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(strict),
        Value::Object(object) => {
            object.values_mut().for_each(strict);
            // Formats of Rust's number types, which are none of JSON Schema's.
            if object.get("type").is_some_and(|kind| kind == "integer") {
                object.remove("format");
            }
            let required = object.get("required").cloned().unwrap_or_default();
            let is_required =
                |field: &str| required.as_array().is_some_and(|all| all.iter().any(|name| name == field));
            if let Some(Value::Object(fields)) = object.get_mut("properties") {
                for (name, field) in fields.iter_mut() {
                    if !is_required(name) {
                        not_null(field);
                    }
                }
                if let Some(marks) = cut_marks(fields) {
                    object.insert("patternProperties".to_owned(), marks);
                }
                object.insert("additionalProperties".to_owned(), false.into());
            }
        }
        _ => {}
    }
}

/// Fields beside texts and lists that were cut to keep a line within `--max-line`: their whole length, and
/// `truncated`.
fn cut_marks(fields: &Map<String, Value>) -> Option<Value> {
    let of_kind = |field: &Value, kind: &str| match field.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|known| known == kind),
        known => known.is_some_and(|known| known == kind),
    };
    let is_bounded = |field: &Value| {
        ["format", "pattern", "maxItems", "enum"].iter().any(|bound| field.get(bound).is_some())
    };
    let names = |kind: &str| {
        let of_kind = fields
            .iter()
            .filter(|(name, field)| of_kind(field, kind) && !is_bounded(field) && !name.ends_with("_hex"));
        of_kind.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("|")
    };
    let (texts, lists) = (names("string"), names("array"));
    let mut marks = Map::new();
    for (names, measure) in [(texts, "bytes"), (lists, "count")] {
        if !names.is_empty() {
            let whole =
                json!({ "type": "integer", "minimum": 0, "description": "Whole length of what was cut." });
            marks.insert(format!("^({names})_{measure}$"), whole);
        }
    }
    if !marks.is_empty() && !fields.contains_key("truncated") {
        marks.insert("^truncated$".to_owned(), json!({ "const": true }));
    }
    (!marks.is_empty()).then(|| marks.into())
}

/// Takes null out of the types that a schema allows.
fn not_null(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(kind) = object.get_mut("type")
        && let Some(kinds) = kind.as_array_mut()
    {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            *kind = only.clone();
        }
        if kind == "integer" {
            object.remove("format");
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(only)] = choices.as_mut_slice() {
            let only = core::mem::take(only);
            object.remove("anyOf");
            object.extend(only);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EVENTS, schema};
    use crate::{EventKind, EventType};

    #[test]
    fn every_event_type_has_a_definition() {
        assert_eq!(EVENTS.map(|(kind, _)| kind), EventType::ALL);
        let types = schema();
        for name in EventKind::NAMES {
            assert_eq!(types["$defs"][name]["properties"]["event"]["const"], name);
        }
    }
}
