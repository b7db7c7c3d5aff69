//! `ftpmon config`: the settings as a file would have them.

use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};

use super::layers::{Invocation, definition_of_run, name, options_of_run, settings};
use crate::config::Config;

/// Longest line of an explanation, characters.
const WIDTH: usize = 100;

impl Invocation {
    /// The settings in force as a configuration file, each with the place that it comes from.
    pub fn shown(&self) -> String {
        let mut text = String::new();
        let definition = definition_of_run();
        let Some(matches) = options_of_run(&self.matches) else { return text };
        for option in settings(&definition) {
            let origin =
                self.origins.get(name(option)).map_or_else(|| "default".to_owned(), ToString::to_string);
            let value = match (name(option), &self.config) {
                // A default may have given way.
                ("ports", Some(config)) => ports(&config.ports.control),
                ("tls-ports", Some(config)) => ports(&config.ports.tls),
                _ => value_of(option, matches),
            };
            let _ = match value {
                Some(value) => writeln!(text, "{} = {value} # {origin}", name(option)),
                None => writeln!(text, "# {} is not set", name(option)),
            };
        }
        if let Some(config) = &self.config {
            self.show_tables(config, &mut text);
        }
        text
    }

    fn show_tables(&self, config: &Config, text: &mut String) {
        let caps = serde_json::to_value(&config.limits).unwrap_or_default();
        text.push_str("\n[limits]\n");
        for (name, cap) in caps.as_object().into_iter().flatten().filter(|(_, cap)| !cap.is_null()) {
            let _ = writeln!(text, "{name} = {cap}");
        }
        let own = usize::from(self.origins.contains_key("output"));
        let of_files =
            if self.files.is_empty() { &[][..] } else { config.routes.get(own..).unwrap_or_default() };
        if own == 0 && config.routes == [crate::config::RouteConfig::default()] {
            return;
        }
        for route in of_files {
            let outputs: Vec<String> =
                route.outputs.iter().map(|output| quoted(&output.to_string())).collect();
            let events: Vec<String> = route.events.iter().map(|event| quoted(event)).collect();
            let format = serde_json::to_value(route.format).unwrap_or_default();
            let _ = write!(text, "\n[[route]]\noutput = [{}]\nformat = {format}\n", outputs.join(", "));
            if !events.is_empty() {
                let _ = writeln!(text, "events = [{}]", events.join(", "));
            }
            if !route.filter.is_empty() {
                let filter = serde_json::to_value(&route.filter).unwrap_or_default();
                let given = |(_, value): &(&String, &serde_json::Value)| value != &&serde_json::json!([]);
                let conditions = filter.as_object().into_iter().flatten().filter(given);
                let conditions: Vec<String> =
                    conditions.map(|(name, value)| format!("{} = {value}", name.replace('_', "-"))).collect();
                let _ = writeln!(text, "filter = {{ {} }}", conditions.join(", "));
            }
        }
    }
}

/// A configuration file with every key, its explanation and its default, all of it commented out.
pub fn example() -> String {
    let mut text = "# Configuration of ftpmon. Keys are the options of `ftpmon run`; an option or a variable FTPMON_KEY wins.\n\
                    # Files in conf.d beside this one are read after it. `ftpmon config check` tells what is wrong.\n"
        .to_owned();
    let definition = definition_of_run();
    for option in settings(&definition) {
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        text.push('\n');
        comment(&help, &mut text);
        let names: Vec<String> =
            option.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if !names.is_empty() && !matches!(option.get_action(), ArgAction::SetTrue) {
            comment(&format!("One of: {}", names.join(", ")), &mut text);
        }
        let defaults: Vec<String> =
            option.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        let value = match (option.get_action(), defaults.as_slice()) {
            (ArgAction::SetTrue, _) => "false".to_owned(),
            (_, []) => format!("… # {}", option.get_value_names().unwrap_or_default().join(" ")),
            (action, values) => value(action, values.iter().map(String::as_str)),
        };
        let _ = writeln!(text, "#{} = {value}", name(option));
    }
    text.push_str(
        "\n# Caps of the protocol engine, by the names that `sensor_start` has.\n#[limits]\n#flows = 524288\n\
         \n# A further way of events to outputs; may be repeated.\n#[[route]]\n#output = \"/var/log/ftpmon/logins.json\"\n\
         #format = \"json\"\n#events = [\"login\"]\n#filter = { networks = [\"192.0.2.0/24\"] }\n",
    );
    text
}

fn comment(text: &str, into: &mut String) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(into, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(into, "{line}");
}

/// The value in force; none if it is not set.
fn value_of(option: &Arg, matches: &ArgMatches) -> Option<String> {
    let id = option.get_id().as_str();
    if matches!(option.get_action(), ArgAction::SetTrue) {
        return Some((matches.value_source(id) != Some(ValueSource::DefaultValue)).to_string());
    }
    let values: Vec<_> = matches.get_raw(id)?.map(|value| value.to_string_lossy().into_owned()).collect();
    Some(value(option.get_action(), values.iter().map(String::as_str)))
}

/// Ports as a value; none if there are none.
fn ports(ports: &[u16]) -> Option<String> {
    let texts: Vec<String> = ports.iter().map(u16::to_string).collect();
    (!texts.is_empty()).then(|| value(&ArgAction::Set, texts.iter().map(String::as_str)))
}

fn value<'a>(action: &ArgAction, values: impl Iterator<Item = &'a str>) -> String {
    let mut values: Vec<String> = values
        .map(|value| if value.parse::<i64>().is_ok() { value.to_owned() } else { quoted(value) })
        .collect();
    match (action, values.len()) {
        (ArgAction::Append, _) => format!("[{}]", values.join(", ")),
        (_, 1) => values.remove(0),
        _ => format!("[{}]", values.join(", ")),
    }
}

/// A TOML string; JSON's escapes are among TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn shown(path: &Path, options: &[&str]) -> Invocation {
        let path = path.to_str().unwrap();
        let arguments = [&["ftpmon", "config", "show", "--config", path], options].concat();
        Invocation::new(arguments, |_| None).unwrap()
    }

    #[test]
    fn what_is_shown_is_a_file_that_means_the_same() {
        let path = std::env::temp_dir().join(format!("ftpmon-show-{}.toml", std::process::id()));
        std::fs::write(
            &path,
            "ports = [21, 2121]\nsensor = \"a \\\"b\\\"\"\n[limits]\nflows = 7\n[[route]]\noutput = \"/x\"\n\
             filter = { users = [\"a*\"], except-networks = [\"10.0.0.0/8\"] }\n",
        )
        .unwrap();
        let before = shown(&path, &["--promisc", "--ring-size", "4M"]);
        let text = before.shown();
        assert!(
            text.contains("ports = [21, 2121] # /") && text.contains("promisc = true # command line"),
            "{text}"
        );
        std::fs::write(&path, &text).unwrap();
        // The routes of the file have an output each; the option's default is not among them.
        let without_default: String = text
            .lines()
            .filter(|line| !line.ends_with("# default"))
            .map(|line| format!("{line}\n"))
            .collect();
        std::fs::write(&path, without_default).unwrap();
        assert_eq!(shown(&path, &[]).config, before.config, "{text}");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_example_has_every_key_and_changes_nothing() {
        let text = example();
        let path = std::env::temp_dir().join(format!("ftpmon-example-{}.toml", std::process::id()));
        std::fs::write(&path, &text).unwrap();
        let empty = shown(Path::new("/dev/null"), &[]);
        assert_eq!(shown(&path, &[]).config, empty.config);
        let definition = definition_of_run();
        for option in settings(&definition) {
            assert!(text.contains(&format!("\n#{} = ", name(option))), "{}", name(option));
        }
        // With the comments taken away, what has a value is right.
        let keys = text.lines().filter(|line| !line.starts_with("# ") && !line.contains(" = …"));
        let keys: String = keys.map(|line| format!("{}\n", line.trim_start_matches('#'))).collect();
        let end = keys.find("[limits]").unwrap();
        std::fs::write(&path, &keys[..end]).unwrap();
        assert_eq!(shown(&path, &[]).config, empty.config, "{keys}");
        std::fs::remove_file(path).unwrap();
    }
}
