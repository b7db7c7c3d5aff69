//! The expectations of one golden in its formats say the same.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};

use super::{Format, Golden};

/// Words that stand in Zeek's `command` where there was none.
const NO_COMMAND: [&str; 2] = ["<init>", "<unknown>"];

/// The number of occurrences of each text.
type Counts = BTreeMap<String, usize>;

impl Golden {
    /// Checks that every format has the commands of the events, EVE all reply codes as well, and that Zeek's table and its
    /// JSON have equal rows.
    ///
    /// # Errors
    /// What differs.
    pub fn agree(&self) -> Result<()> {
        let read = |format: Format| {
            let path = self.folder.join(format.expectation());
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let json_lines = |format: Format| -> Result<Vec<Value>> {
            read(format)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
        };
        let events = json_lines(Format::Json)?;
        let of = |name: &str| {
            let events = events.iter().filter(|event| event.get("event").is_some_and(|event| event == name));
            events.cloned().collect::<Vec<_>>()
        };
        let commands = counts(&of("command"), "/command/verb");

        let eve = json_lines(Format::Eve)?;
        ensure!(counts(&eve, "/ftp/command") == commands, "EVE has other commands than the events");
        let codes = eve.iter().filter_map(|record| record.pointer("/ftp/completion_code")?.as_array());
        let codes: Vec<Value> = codes.flatten().cloned().collect();
        let replies = counts(&of("reply"), "/reply/code");
        ensure!(counts(&codes, "") == replies, "EVE has other reply codes than the events");

        // Notices are a log of their own.
        let is_row = |row: &Value| row.get("_path").is_none();
        let zeek: Vec<Value> = json_lines(Format::ZeekJson)?.into_iter().filter(is_row).collect();
        let named = |row: &&Value| {
            row.get("command").and_then(Value::as_str).is_some_and(|verb| !NO_COMMAND.contains(&verb))
        };
        let with_command: Vec<Value> = zeek.iter().filter(named).cloned().collect();
        ensure!(counts(&with_command, "/command") == commands, "Zeek has other commands than the events");
        let table = rows(&read(Format::Zeek)?)?;
        ensure!(table.len() == zeek.len(), "Zeek's table has {} rows, its JSON {}", table.len(), zeek.len());
        for (row, json) in table.iter().zip(&zeek) {
            ensure!(Some(row) == json.as_object(), "Zeek's table has {row:?}, its JSON {json}");
        }

        let ecs = counts(&json_lines(Format::Ecs)?, "/ftpmon/command/verb");
        ensure!(commands.iter().all(|(verb, count)| ecs.get(verb) >= Some(count)), "ECS lacks a command");
        Ok(())
    }
}

/// The number of occurrences of each value at a JSON pointer.
fn counts(values: &[Value], pointer: &str) -> Counts {
    let mut counts = Counts::new();
    for value in values.iter().filter_map(|value| value.pointer(pointer)).filter(|value| !value.is_null()) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        *counts.entry(text).or_default() += 1;
    }
    counts
}

/// The rows of a table as its JSON has them.
fn rows(table: &str) -> Result<Vec<Map<String, Value>>> {
    let header = |name: &str| -> Result<Vec<&str>> {
        let line = table.lines().find_map(|line| line.strip_prefix(name));
        Ok(line.with_context(|| format!("no {name}"))?.split('\t').skip(1).collect())
    };
    let (fields, types) = (header("#fields")?, header("#types")?);
    let mut rows = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut row = Map::new();
        for ((field, kind), value) in fields.iter().zip(&types).zip(line.split('\t')) {
            if value != "-" {
                row.insert((*field).to_owned(), parsed(kind, value)?);
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

/// A value of the table as JSON has it.
fn parsed(kind: &str, value: &str) -> Result<Value> {
    Ok(match kind {
        "time" | "interval" => value.parse::<f64>()?.into(),
        "count" | "port" => value.parse::<u64>()?.into(),
        "bool" => (value == "T").into(),
        "string" if value == "(empty)" => "".into(),
        "string" => unescaped(value)?.into(),
        _ => value.into(),
    })
}

/// A text without the escapes of Zeek's ASCII writer: `\\` and `\xNN`.
fn unescaped(text: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                rest = after;
            }
            (b'\\', [b'x', one, two, after @ ..]) => {
                let digits = [*one, *two];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits)?, 16)?);
                rest = after;
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).context("an escape that is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::{rows, unescaped};

    #[test]
    fn escapes_are_read() {
        assert_eq!(unescaped("a\\x09b\\\\x41é").unwrap(), "a\tb\\x41é");
        assert_eq!(unescaped("\\x2d").unwrap(), "-");
    }

    #[test]
    fn unset_fields_are_left_out() {
        let rows = rows("#fields\tts\tuser\targ\n#types\ttime\tstring\tstring\n1.5\t-\t(empty)\n").unwrap();
        assert_eq!(serde_json::to_string(&rows).unwrap(), r#"[{"arg":"","ts":1.5}]"#);
    }
}
