//! The reference of events, a page made of the schema, which is made of the types: every event, every field with its type and its
//! meaning, and every word that a field may be.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The page. `events` are the names of events in their order, `envelope` those of the fields that all events may have.
pub fn page(schema: &Value, events: &[&str], envelope: &[&str]) -> String {
    let mut page = String::from(
        "# Event reference\n\nMade from the types of events by `cargo xtask docs --reference`; [events.md](events.md) explains them, \
         [events.schema.json](events.schema.json) is the JSON Schema. A field in bold is always there. `truncated` and `…_bytes` stand beside texts \
         that were cut.\n\n## All events\n\n",
    );
    let of = |name: &str| schema.pointer(&format!("/$defs/{name}")).unwrap_or(&Value::Null);
    // Any event has the envelope; that of a session has all of it.
    let whole = events.iter().map(|name| of(name)).find(|event| {
        envelope
            .iter()
            .all(|field| !event.pointer(&format!("/properties/{field}")).is_none_or(Value::is_null))
    });
    table(&mut page, whole.unwrap_or(&Value::Null), |field| envelope.contains(&field));
    let mut named: Vec<String> = Vec::new();
    for event in events {
        let definition = of(event);
        let said = text(definition);
        let said = said.strip_prefix(&format!("`{event}`: ")).unwrap_or(said);
        let _ = write!(page, "\n## `{event}`\n\n{}\n\n", sentence(said));
        table(&mut page, definition, |field| !envelope.contains(&field));
        references(definition, envelope, &mut named);
    }
    page.push_str("\n## Types\n");
    let mut done = 0;
    while let Some(name) = named.get(done).cloned() {
        done += 1;
        let definition = of(&name);
        let _ = write!(page, "\n### {name}\n\n{}\n\n", text(definition));
        let words = words(definition);
        if words.is_empty() {
            table(&mut page, definition, |_| true);
        } else {
            page.push_str("| word | meaning |\n|---|---|\n");
            words.iter().for_each(|(word, meaning)| {
                let _ = writeln!(page, "| `{word}` | {} |", cell(meaning));
            });
        }
        references(definition, &[], &mut named);
    }
    page
}

fn table(page: &mut String, definition: &Value, is_shown: impl Fn(&str) -> bool) {
    let none = Map::new();
    let fields = definition["properties"].as_object().unwrap_or(&none);
    let required = definition["required"].as_array();
    let shown: Vec<_> = fields.iter().filter(|(name, _)| is_shown(name)).collect();
    if shown.is_empty() {
        return;
    }
    page.push_str("| field | type | meaning |\n|---|---|---|\n");
    for (name, field) in shown {
        let is_always = required.is_some_and(|required| required.iter().any(|always| always == name));
        // Each type of event has a name of its own there.
        let kind = if name == "event" { "string".to_owned() } else { kind(field) };
        let name = if is_always { format!("**`{name}`**") } else { format!("`{name}`") };
        let _ = writeln!(page, "| {name} | {kind} | {} |", cell(text(field)));
    }
}

/// The type of a field, as a reader says it.
fn kind(field: &Value) -> String {
    if let Some(name) = reference(field) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(constant) = field["const"].as_str() {
        return format!("`{constant}`");
    }
    if let Some(choices) = field["anyOf"].as_array().or_else(|| field["oneOf"].as_array()) {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &field["type"] {
        Value::String(name) if name == "array" => format!("array of {}", kind(&field["items"])),
        Value::String(name) if name == "object" && field["additionalProperties"].is_object() => {
            format!("object of {}", kind(&field["additionalProperties"]))
        }
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

/// Adds the types that a type's fields have, in their order, each once.
fn references(definition: &Value, but: &[&str], named: &mut Vec<String>) {
    match definition {
        Value::Object(fields) => {
            if let Some(name) = reference(definition).filter(|name| !named.iter().any(|known| known == name))
            {
                named.push(name.to_owned());
            }
            let below = fields.iter().filter(|(name, _)| !but.contains(&name.as_str()));
            below.for_each(|(_, field)| references(field, but, named));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, but, named)),
        _ => {}
    }
}

fn reference(field: &Value) -> Option<&str> {
    field["$ref"].as_str()?.rsplit('/').next()
}

fn words(definition: &Value) -> Vec<(&str, &str)> {
    let choices = definition["oneOf"].as_array().into_iter().flatten();
    let described = choices.filter_map(|choice| Some((choice["const"].as_str()?, text(choice))));
    let plain = definition["enum"].as_array().into_iter().flatten();
    described.chain(plain.filter_map(|word| Some((word.as_str()?, "")))).collect()
}

fn text(of: &Value) -> &str {
    of["description"].as_str().unwrap_or_default()
}

/// A text that begins with a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A text within a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
