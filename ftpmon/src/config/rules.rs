//! Files of rules: TOML, each rule named with its line where it is wrong.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::file::{json, line_of, text_of};
use crate::quantity::parse_seconds;
use ftpmon_core::detect::{Rule, STEPS_MAX, Step, Threshold};

/// Rules of a file. Stops a file that makes every event slow.
const RULES_MAX: usize = 256;

/// A rule as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    id: String,
    title: String,
    #[serde(default = "default_severity")]
    severity: u8,
    technique: Option<String>,
    event: Option<String>,
    #[serde(default, rename = "where")]
    conditions: Map<String, Value>,
    #[serde(default)]
    step: Vec<StepText>,
    #[serde(default = "default_count")]
    count: u32,
    within: Option<String>,
    by: Option<Vec<String>>,
}

/// A step of a rule as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    event: String,
    #[serde(default, rename = "where")]
    conditions: Map<String, Value>,
}

const fn default_severity() -> u8 {
    2
}

const fn default_count() -> u32 {
    1
}

/// The rules of a file.
///
/// # Errors
/// The file cannot be read, or the first rule that is wrong, with its line.
pub(super) fn read(path: &Path) -> Result<Vec<Rule>, String> {
    let text = text_of(path).map_err(|error| error.to_string())?;
    parse(&text).map_err(|(line, message)| format!("{}:{line}: {message}", path.display()))
}

/// The rules of a text, or the line and the message of the first that is wrong.
fn parse(text: &str) -> Result<Vec<Rule>, (usize, String)> {
    let table = DeTable::parse(text).map_err(|error| {
        (line_of(text, error.span().map_or(0, |span| span.start)), error.message().to_owned())
    })?;
    let mut rules = Vec::new();
    for (key, value) in table.into_inner() {
        let here = line_of(text, key.span().start);
        let ("rule", DeValue::Array(texts)) = (key.get_ref().as_ref(), value.get_ref()) else {
            return Err((here, "a file of rules has [[rule]] tables and nothing else".to_owned()));
        };
        for rule in texts {
            let line = line_of(text, rule.span().start);
            let parsed = serde_json::from_value(json(rule.get_ref())).map_err(|error| error.to_string());
            rules.push(parsed.and_then(compiled).map_err(|message| (line, message))?);
            if rules.len() > RULES_MAX {
                return Err((line, format!("a file has {RULES_MAX} rules at most")));
            }
        }
    }
    Ok(rules)
}

fn compiled(text: RuleText) -> Result<Rule, String> {
    let RuleText { id, title, severity, technique, event, conditions, step, count, within, by } = text;
    let named = |message: String| format!("rule `{id}`: {message}");
    if id.is_empty()
        || !id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        return Err(named("an id has small letters, digits and -".to_owned()));
    }
    let steps = match event {
        Some(event) if step.is_empty() => vec![(event, conditions)],
        None if !step.is_empty() && conditions.is_empty() => {
            step.into_iter().map(|step| (step.event, step.conditions)).collect()
        }
        _ => return Err(named("it has either `event` and `where`, or [[rule.step]] tables".to_owned())),
    };
    if steps.len() > STEPS_MAX {
        return Err(named(format!("a rule has {STEPS_MAX} steps at most")));
    }
    let steps = steps.into_iter().map(|(event, conditions)| {
        let flat = flattened(conditions);
        Step::new(&event, flat.iter().map(|(field, expected)| (field.as_str(), expected)))
    });
    let mut rule = Rule::new(&id, &title, steps.collect::<Result<_, _>>().map_err(named)?);
    if !(1..=4).contains(&severity) || count == 0 {
        return Err(named("severity is 1 to 4, and count 1 at least".to_owned()));
    }
    (rule.severity, rule.technique) = (severity, technique.map(Into::into));
    let per_s = within
        .map_or(Ok(rule.threshold.per_s), |within| parse_seconds(&within))
        .map_err(|error| named(error.to_string()))?;
    rule.threshold = Threshold { count, per_s: per_s.max(1) };
    if let Some(by) = by {
        rule.count_by(by.iter().map(String::as_str)).map_err(named)?;
    }
    Ok(rule)
}

/// Fields by their full names: `transfer.path = 1` and `"transfer.path" = 1` are the same.
fn flattened(conditions: Map<String, Value>) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (name, value) in conditions {
        match value {
            Value::Object(inner) => {
                flat.extend(
                    flattened(inner).into_iter().map(|(rest, value)| (format!("{name}.{rest}"), value)),
                );
            }
            value => flat.push((name, value)),
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let text = "[[rule]]\nid = \"exe\"\ntitle = \"A program\"\nevent = \"transfer\"\nseverity = 3\n\
                    where = { \"transfer.path\" = \"*.exe\", client.ip = \"192.0.2.0/24\" }\ncount = 5\nwithin = \"10m\"\nby = [\"server.ip\"]\n\n\
                    [[rule]]\nid = \"two\"\ntitle = \"Two\"\n[[rule.step]]\nevent = \"login\"\n[[rule.step]]\nevent = \"transfer\"\n";
        let rules = parse(text).unwrap();
        assert_eq!((rules[0].id.as_str(), rules[0].severity), ("rule-exe", 3));
        assert_eq!(rules[0].threshold, Threshold { count: 5, per_s: 600 });
        assert_eq!(rules[1].steps.len(), 2);
    }

    #[test]
    fn a_wrong_rule_is_named_with_its_line() {
        for (text, line, word) in [
            ("[[rule]]\nid = \"x\"\n", 1, "title"),
            ("\n\n[[rule]]\nid = \"x\"\ntitle = \"X\"\n", 3, "either"),
            ("[[rule]]\nid = \"X\"\ntitle = \"X\"\nevent = \"login\"\n", 1, "small letters"),
            ("[[rule]]\nid = \"x\"\ntitle = \"X\"\nevent = \"logins\"\n", 1, "logins"),
            (
                "[[rule]]\nid = \"x\"\ntitle = \"X\"\nevent = \"login\"\nwhere = { \"lgin.user\" = \"a\" }\n",
                1,
                "lgin.user",
            ),
            ("[[rule]]\nid = \"x\"\ntitle = \"X\"\nevent = \"login\"\nwithin = \"soon\"\n", 1, "soon"),
            ("[[rule]]\nid = \"x\"\ntitle = \"X\"\nevent = \"login\"\nseverity = 9\n", 1, "severity"),
            ("[[rule]]\nid = \"x\"\ntitle = \"X\"\nevent = \"login\"\ncolour = 9\n", 1, "colour"),
            ("[[rules]]\nid = \"x\"\n", 1, "[[rule]]"),
            ("[[rule]]\nid = \n", 2, ""),
        ] {
            let (at, message) = parse(text).unwrap_err();
            assert_eq!(at, line, "{text}: {message}");
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
