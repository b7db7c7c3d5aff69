//! The schema's documents say what the code says.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use ftpmon_event::{EventKind, schema};
use serde_json::Value;

fn document(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let committed: Value = serde_json::from_str(&document("events.schema.json")).unwrap();
    assert!(
        committed == schema(),
        "docs/events.schema.json is out of date: cargo run --package ftpmon -- schema > docs/events.schema.json"
    );
}

/// `FTPMON_BLESS=1`, which `cargo xtask docs --reference` sets, writes the page.
#[test]
fn the_reference_is_made_of_the_types() {
    let envelope: Vec<String> = {
        let schema = schema();
        let of = |name: &str| schema["$defs"][name]["properties"].as_object().unwrap().clone();
        let (gap, anomaly) = (of("gap"), of("anomaly"));
        gap.keys().filter(|field| anomaly.contains_key(*field) && *field != "tx").cloned().collect()
    };
    let envelope: Vec<&str> = envelope.iter().map(String::as_str).collect();
    let page = ftpmon_tests::reference::page(&schema(), &EventKind::NAMES, &envelope);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/reference.md");
    if std::env::var_os("FTPMON_BLESS").is_some_and(|value| value != "0") {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == page, "docs/reference.md is out of date: cargo xtask docs --reference");
    for name in EventKind::NAMES {
        assert!(page.contains(&format!("\n## `{name}`\n")), "{name}");
    }
}

#[test]
fn the_description_names_every_event_and_every_field() {
    let text = document("events.md");
    let schema = schema();
    let definition = |name: &str| &schema["$defs"][name];
    let envelope: BTreeSet<&str> =
        definition("gap")["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut missing = Vec::new();
    for name in EventKind::NAMES {
        let Some(section) = section(&text, &format!("## `{name}`")) else {
            missing.push(format!("the section {name}"));
            continue;
        };
        let (mut fields, mut words) = (BTreeSet::new(), BTreeSet::new());
        collect(&schema, definition(name), "", &mut fields, &mut words);
        for field in fields {
            let top = field.split('.').next().unwrap();
            let of_envelope = envelope.contains(top) && top != "gap";
            let place = if of_envelope { section_of_envelope(&text) } else { section };
            if !place.contains(&format!("`{field}`")) {
                missing.push(format!("{name}: {field}"));
            }
        }
        let unsaid = |word: &String| !text.contains(&format!("`{word}`"));
        missing.extend(words.into_iter().filter(unsaid).map(|word| format!("{name}: {word}")));
    }
    assert!(missing.is_empty(), "docs/events.md does not name: {missing:#?}");
}

fn section_of_envelope(text: &str) -> &str {
    section(text, "## Envelope").unwrap()
}

/// The text between a heading and the next one of its kind.
fn section<'a>(text: &'a str, heading: &str) -> Option<&'a str> {
    let rest = text.split_once(&format!("\n{heading}\n"))?.1;
    Some(rest.split("\n## ").next().unwrap())
}

/// Every field below a schema by its path, objects by their fields, and every word that a field may be.
fn collect(
    root: &Value,
    schema: &Value,
    path: &str,
    fields: &mut BTreeSet<String>,
    words: &mut BTreeSet<String>,
) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => &root["$defs"][name.rsplit('/').next().unwrap()],
        None => schema,
    };
    let choices = schema["oneOf"].as_array().into_iter().flatten().map(|choice| &choice["const"]);
    let all = schema["enum"].as_array().into_iter().flatten().chain(choices);
    words.extend(all.filter_map(Value::as_str).map(str::to_owned));
    let below = schema["properties"].as_object();
    for (name, field) in below.into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(root, field, &path, fields, words);
    }
    if schema["items"]["$ref"].is_string() {
        collect(root, &schema["items"], &format!("{path}[]"), fields, words);
    } else if schema["additionalProperties"]["$ref"].is_string() {
        collect(root, &schema["additionalProperties"], &format!("{path}.*"), fields, words);
    } else if below.is_none() {
        fields.insert(path.to_owned());
    }
}
