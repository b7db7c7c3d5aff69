//! The differences between two configurations.

use core::fmt;
use std::collections::BTreeSet;

use serde_json::Value;

use super::Config;

/// Settings that a running agent can change, with all below them. Everything else was handed to the kernel or to threads at the
/// start.
const WITHOUT_RESTART: [&str; 12] = [
    "detect",
    "detect_allow",
    "detect_lists",
    "detect_rules",
    "geo",
    "limits",
    "live.stats_interval_s",
    "log.level",
    "networks",
    "ports",
    "routes",
    "secrets",
];

/// A setting that differs between two configurations.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The setting's name: its keys, joined by dots.
    pub name: String,
    /// Its value now; null where it has none.
    pub old: Value,
    /// Its value in the other configuration; null where it has none.
    pub new: Value,
    /// It can change while the agent runs.
    pub without_restart: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, old, new, without_restart } = self;
        let restart = if *without_restart { "" } else { " (needs a restart)" };
        write!(f, "{name}: {old} -> {new}{restart}")
    }
}

impl Config {
    /// Every setting that differs in `other`, by name. Lists are compared as wholes.
    pub fn diff(&self, other: &Self) -> Vec<Change> {
        let value = |config| serde_json::to_value(config).unwrap_or_default();
        let mut changes = Vec::new();
        compare(String::new(), &value(self), &value(other), &mut changes);
        changes
    }
}

fn compare(name: String, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    match (old, new) {
        (Value::Object(before), Value::Object(after)) => {
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                let of = |side: &serde_json::Map<String, Value>| side.get(key).cloned().unwrap_or_default();
                compare(inner, &of(before), &of(after), changes);
            }
        }
        (old, new) if old != new => {
            let without_restart = is_below_one_of(&name, &WITHOUT_RESTART);
            changes.push(Change { name, old: old.clone(), new: new.clone(), without_restart });
        }
        _ => {}
    }
}

fn is_below_one_of(name: &str, roots: &[&str]) -> bool {
    roots
        .iter()
        .any(|root| name.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{FilesPolicy, RouteConfig, WritePcapConfig};

    #[test]
    fn equal_configurations_differ_in_nothing() {
        assert_eq!(Config::default().diff(&Config::default()), []);
    }

    #[test]
    fn each_difference_has_its_name_and_both_values() {
        let old = Config::default();
        let mut new = old.clone();
        new.files.policy = FilesPolicy::Hash;
        new.live.stats_interval_s = 5;
        new.limits.flows = Some(9);
        new.live.write_pcap = Some(WritePcapConfig { path: "/x".into(), max_bytes: None });
        new.routes = vec![RouteConfig::default()];
        let changes = old.diff(&new);
        let facts: Vec<_> = changes
            .iter()
            .map(|change| (change.name.as_str(), &change.old, &change.new, change.without_restart))
            .collect();
        assert_eq!(
            facts,
            [
                ("files.policy", &json!("off"), &json!("hash"), false),
                ("limits.flows", &json!(null), &json!(9), true),
                ("live.stats_interval_s", &json!(60), &json!(5), true),
                ("live.write_pcap", &json!(null), &json!({"path": "/x", "max_bytes": null}), false),
                (
                    "routes",
                    &json!([]),
                    &json!([{"events": [], "format": "json", "max_line_bytes": 65536, "outputs": ["-"]}]),
                    true
                ),
            ]
        );
        assert_eq!(changes[0].to_string(), r#"files.policy: "off" -> "hash" (needs a restart)"#);
        assert_eq!(new.diff(&old).len(), changes.len());
    }

    #[test]
    fn the_settings_that_need_no_restart_exist() {
        let config = serde_json::to_value(Config::default()).unwrap();
        for name in WITHOUT_RESTART {
            assert!(config.pointer(&format!("/{}", name.replace('.', "/"))).is_some(), "{name}");
        }
    }

    #[test]
    fn a_path_that_is_not_text_can_be_compared() {
        use std::os::unix::ffi::OsStrExt as _;
        let mut new = Config::default();
        new.files.directory = Some(std::ffi::OsStr::from_bytes(b"/a\xff").into());
        assert_eq!(Config::default().diff(&new)[0].new, json!(r#""/a\xFF""#));
    }
}
