//! Rules of the operator: conditions on the fields of events, counted over time by key, or in sequence within a session.

use ipnet::IpNet;
use serde_json::Value;
use smol_str::SmolStr;

use super::alerts::{Alerts, Heading};
use super::entry::{Detector, Threshold};
use super::facts::session;
use super::glob::is_like;
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventType};

/// Steps of a rule. Stops a rule that is a program.
pub const STEPS_MAX: usize = 8;
/// Bytes of a key and of an example. Stops long fields from filling memory.
const TEXT_MAX: usize = 256;

/// The condition of a field. A text is compared whole, or as a pattern with `*` and `?`; a number as it is or with `<`, `<=`, `>`, `>=`; an
/// address also with a network.
#[derive(Clone, Debug)]
enum Test {
    Text(SmolStr),
    Number { least: u64, most: u64 },
    Flag(bool),
    Network(IpNet),
}

impl Test {
    fn new(expected: &Value) -> Result<Self, String> {
        let text = match expected {
            Value::Bool(flag) => return Ok(Self::Flag(*flag)),
            Value::Number(number) => {
                let number = number.as_u64().ok_or_else(|| format!("{number} is no number from 0 on"))?;
                return Ok(Self::Number { least: number, most: number });
            }
            Value::String(text) => text,
            other => return Err(format!("{other} is neither text, number, nor true or false")),
        };
        let number = |rest: &str| {
            rest.trim().parse::<u64>().map_err(|_| format!("`{text}` compares with no number from 0 on"))
        };
        if let Some(rest) = text.strip_prefix(">=") {
            Ok(Self::Number { least: number(rest)?, most: u64::MAX })
        } else if let Some(rest) = text.strip_prefix("<=") {
            Ok(Self::Number { least: 0, most: number(rest)? })
        } else if let Some(rest) = text.strip_prefix('>') {
            Ok(Self::Number { least: number(rest)?.saturating_add(1), most: u64::MAX })
        } else if let Some(rest) = text.strip_prefix('<') {
            let most = number(rest)?.checked_sub(1).ok_or_else(|| format!("nothing is `{text}`"))?;
            Ok(Self::Number { least: 0, most })
        } else if let Ok(network) = text.parse::<IpNet>() {
            Ok(Self::Network(network))
        } else {
            Ok(Self::Text(text.into()))
        }
    }

    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(pattern), Value::String(text)) => is_like(pattern, text),
            (Self::Network(network), Value::String(text)) => {
                text.parse().is_ok_and(|ip| network.contains::<&std::net::IpAddr>(&ip))
            }
            (Self::Number { least, most }, Value::Number(number)) => {
                number.as_u64().is_some_and(|number| (*least..=*most).contains(&number))
            }
            (Self::Flag(expected), Value::Bool(flag)) => expected == flag,
            _ => false,
        }
    }
}

/// A field and what it may be.
#[derive(Clone, Debug)]
struct Condition {
    /// Names from the outermost to the field's own.
    field: Vec<SmolStr>,
    /// One of them holds, or with `not` none.
    any: Vec<Test>,
    not: bool,
}

impl Condition {
    fn new(field: &str, expected: &Value) -> Result<Self, String> {
        let (field, not) = field.strip_prefix("not ").map_or((field, false), |field| (field, true));
        let field = field_names(field)?;
        let any = match expected {
            Value::Array(many) => many.iter().map(Test::new).collect::<Result<_, _>>()?,
            one => vec![Test::new(one)?],
        };
        Ok(Self { field, any, not })
    }

    fn holds(&self, fields: &Value) -> bool {
        let value = value_of(fields, &self.field);
        value.is_some_and(|value| self.any.iter().any(|test| test.holds(value))) != self.not
    }
}

/// The names in a field's full name, `transfer.path`.
fn field_names(field: &str) -> Result<Vec<SmolStr>, String> {
    /// First parts of the names of fields.
    const FIRST: [&str; 19] = [
        "client",
        "server",
        "user",
        "session",
        "tx",
        "command",
        "reply",
        "latency_us",
        "login",
        "tls",
        "data",
        "transfer",
        "file",
        "gap",
        "anomaly",
        "end",
        "midstream",
        "vlan",
        "geo",
    ];
    let names: Vec<SmolStr> = field.split('.').map(SmolStr::new).collect();
    match names.first() {
        Some(first) if FIRST.contains(&first.as_str()) && names.iter().all(|name| !name.is_empty()) => {
            Ok(names)
        }
        _ => Err(format!("events have no field `{field}`; see docs/events.md")),
    }
}

fn value_of<'f>(fields: &'f Value, names: &[SmolStr]) -> Option<&'f Value> {
    names.iter().try_fold(fields, |value, name| value.get(name.as_str()))
}

/// The fields of an event that rules see.
fn fields_of(event: &Event) -> Value {
    let mut fields = serde_json::to_value(&event.kind).unwrap_or_default();
    if let (Value::Object(fields), Some(session)) = (&mut fields, session(event)) {
        let end = |end: crate::addr::Endpoint| serde_json::json!({ "ip": end.ip, "port": end.port });
        fields.insert("client".to_owned(), end(session.client));
        fields.insert("server".to_owned(), end(session.server));
        fields.insert("session".to_owned(), session.id().into());
        if let Some(user) = &event.user {
            fields.insert("user".to_owned(), user.text.as_str().into());
        }
    }
    fields
}

/// An event that a rule looks for.
#[derive(Clone, Debug)]
pub struct Step {
    event: EventType,
    conditions: Vec<Condition>,
}

impl Step {
    /// An event of a type, whose fields are as `conditions` say.
    ///
    /// # Errors
    /// There is no such type or field, or what it is compared with makes no sense.
    pub fn new<'c>(
        event: &str,
        conditions: impl IntoIterator<Item = (&'c str, &'c Value)>,
    ) -> Result<Self, String> {
        let kind = EventType::from_name(event).filter(|kind| kind.is_of_session());
        let event = kind.ok_or_else(|| format!("there is no event type `{event}` of sessions"))?;
        let conditions = conditions
            .into_iter()
            .map(|(field, expected)| Condition::new(field, expected))
            .collect::<Result<_, _>>()?;
        Ok(Self { event, conditions })
    }

    fn is_met(&self, kind: EventType, fields: &Value) -> bool {
        self.event == kind && self.conditions.iter().all(|condition| condition.holds(fields))
    }
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The id in alerts: `rule-` and the operator's own.
    pub id: SmolStr,
    /// The title in alerts.
    pub title: SmolStr,
    /// 1 (note) to 4 (act now).
    pub severity: u8,
    /// The ATT&CK technique.
    pub technique: Option<SmolStr>,
    /// The events, in this order within a session; one for a rule without order.
    pub steps: Vec<Step>,
    /// The number that has to come, and its time.
    pub threshold: Threshold,
    by: Vec<Vec<SmolStr>>,
}

impl Rule {
    /// A rule that alerts at the first occurrence, counted by client.
    pub fn new(id: &str, title: &str, steps: Vec<Step>) -> Self {
        Self {
            id: SmolStr::new(format!("rule-{id}")),
            title: title.into(),
            severity: 2,
            technique: None,
            steps,
            threshold: Threshold { count: 1, per_s: 86_400 },
            by: vec![vec!["client".into(), "ip".into()]],
        }
    }

    /// The fields by which occurrences are counted.
    ///
    /// # Errors
    /// Events have no such field.
    pub fn count_by<'f>(&mut self, fields: impl IntoIterator<Item = &'f str>) -> Result<(), String> {
        self.by = fields.into_iter().map(field_names).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// The types of the events that it has to see.
    pub fn types(&self) -> impl Iterator<Item = EventType> + '_ {
        let ends = (self.steps.len() > 1).then_some(EventType::SessionEnd);
        self.steps.iter().map(|step| step.event).chain(ends)
    }

    /// A detector of it.
    pub fn into_detector(self) -> Box<dyn Detector> {
        let (keys, sessions) = (Table::new(KEYS_MAX), Table::new(KEYS_MAX));
        Box::new(Following { rule: self, keys, sessions })
    }
}

/// A rule at work.
struct Following {
    rule: Rule,
    keys: Table<SmolStr, Watch>,
    /// Steps of each session that were met.
    sessions: Table<SmolStr, usize>,
}

impl Following {
    /// The event completes the rule.
    fn completes(&mut self, event: &Event, fields: &Value) -> bool {
        let kind = event.kind.event_type();
        let met = |at: usize| self.rule.steps.get(at).is_some_and(|step| step.is_met(kind, fields));
        if self.rule.steps.len() == 1 {
            return met(0);
        }
        let Some(session) = session(event) else { return false };
        let id = SmolStr::new(session.id());
        let at = self.sessions.find(&id).map_or(0, |at| *at);
        let next = if met(at) { at + 1 } else { at };
        let completes = next >= self.rule.steps.len();
        if completes || kind == EventType::SessionEnd {
            self.sessions.remove(&id);
        } else if next > at {
            *self.sessions.entry(id) = next;
        }
        completes
    }
}

/// A text that identifies a value.
fn key_part(value: Option<&Value>) -> String {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    text.chars().take(TEXT_MAX).collect()
}

impl Detector for Following {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let fields = fields_of(event);
        if !self.completes(event, &fields) {
            return;
        }
        let parts: Vec<String> =
            self.rule.by.iter().map(|names| key_part(value_of(&fields, names))).collect();
        let key = parts.join(" ");
        let tx = fields.get("tx").and_then(Value::as_u64);
        let watch = self.keys.entry(key.as_str().into());
        if let Some(incident) = watch.add(self.rule.threshold, event, tx, &key) {
            let Rule { id, title, severity, technique, .. } = self.rule.clone();
            let message = format!("{title}: {key}, {} times", incident.count);
            let heading = Heading { id, title, severity, confidence: Confidence::Medium, technique };
            alerts.raise_under(heading, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.keys.fill();
        fill += self.sessions.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::set::Detectors;
    use super::super::testing::{Session, alerts_from};
    use super::*;

    fn step(event: &str, conditions: Value) -> Result<Step, String> {
        let conditions = conditions.as_object().unwrap();
        Step::new(event, conditions.iter().map(|(field, expected)| (field.as_str(), expected)))
    }

    fn alerts(rule: Rule, events: &[Event]) -> usize {
        let mut detectors = Detectors::default();
        let types: Vec<_> = rule.types().collect();
        detectors.add(types, rule.into_detector());
        alerts_from(detectors, events).len()
    }

    #[test]
    fn each_kind_of_condition_holds_and_does_not() {
        let upload = Session::new(9).transfer("STOR", "/a/x.exe", |it| it.transfer.bytes = 500);
        for (conditions, found) in [
            (json!({}), 1),
            (json!({ "transfer.path": "*.exe" }), 1),
            (json!({ "transfer.path": "*.txt" }), 0),
            (json!({ "not transfer.path": "*.txt" }), 1),
            (json!({ "transfer.path": ["*.txt", "/a/*"] }), 1),
            (json!({ "transfer.bytes": 500 }), 1),
            (json!({ "transfer.bytes": ">500" }), 0),
            (json!({ "transfer.bytes": ">= 500" }), 1),
            (json!({ "transfer.bytes": "< 501" }), 1),
            (json!({ "transfer.bytes": "<=499" }), 0),
            (json!({ "client.ip": "192.0.2.0/24" }), 1),
            (json!({ "client.ip": "198.51.100.0/24" }), 0),
            (json!({ "server.ip": "192.0.2.1", "transfer.direction": "upload" }), 1),
            (json!({ "data.tls": false }), 0),
        ] {
            let rule = Rule::new("x", "X", vec![step("transfer", conditions.clone()).unwrap()]);
            assert_eq!(alerts(rule, core::slice::from_ref(&upload)), found, "{conditions}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (event, conditions, word) in [
            ("transfers", json!({}), "transfers"),
            ("stats", json!({}), "stats"),
            ("transfer", json!({ "transfr.path": "x" }), "transfr.path"),
            ("transfer", json!({ "transfer..path": "x" }), "transfer..path"),
            ("transfer", json!({ "transfer.bytes": ">many" }), ">many"),
            ("transfer", json!({ "transfer.bytes": "<0" }), "<0"),
            ("transfer", json!({ "transfer.bytes": -1 }), "-1"),
            ("transfer", json!({ "transfer.bytes": null }), "null"),
        ] {
            let error = step(event, conditions).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn occurrences_are_counted_by_key_and_time() {
        let rule = || {
            let mut rule =
                Rule::new("x", "X", vec![step("login", json!({ "login.outcome": "failure" })).unwrap()]);
            rule.threshold = Threshold { count: 3, per_s: 60 };
            rule
        };
        let failures = |count: i64, seconds: i64| -> Vec<Event> {
            (0..count).map(|n| Session::new(9).at(n * seconds).login("bob", false)).collect()
        };
        assert_eq!((alerts(rule(), &failures(3, 1)), alerts(rule(), &failures(2, 1))), (1, 0));
        assert_eq!(alerts(rule(), &failures(50, 30)), 0);
        let hosts: Vec<_> = (1..50).map(|host| Session::new(host).login("bob", false)).collect();
        assert_eq!(alerts(rule(), &hosts), 0);
        let mut by_user = rule();
        by_user.count_by(["login.user"]).unwrap();
        assert!(alerts(by_user, &hosts) > 0);
        assert!(rule().count_by(["colour"]).is_err());
    }

    #[test]
    fn steps_come_in_order_within_a_session() {
        let steps = || {
            let login = step("login", json!({ "login.user": "root" })).unwrap();
            vec![login, step("transfer", json!({ "transfer.verb": "STOR" })).unwrap()]
        };
        let rule = || Rule::new("x", "X", steps());
        let session = || Session::new(9);
        assert_eq!(alerts(rule(), &[session().login("root", true), session().upload(1, "/x")]), 1);
        assert_eq!(alerts(rule(), &[session().upload(1, "/x"), session().login("root", true)]), 0);
        assert_eq!(alerts(rule(), &[session().login("root", true), Session::new(8).upload(1, "/x")]), 0);
        let over = [session().login("root", true), session().end(|_| {}), session().upload(1, "/x")];
        assert_eq!(alerts(rule(), &over), 0);
    }
}
