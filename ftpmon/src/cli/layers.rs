//! Options, environment and configuration files put together: an option wins over the environment, that over files.
//!
//! The keys of files and the names of variables are those of the options of `run`. What files and the environment say is
//! given to the same parser as options, so that types, ranges and messages are the same everywhere.

use core::fmt;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command as Definition, CommandFactory as _, Parser as _};

use super::{Cli, Command, ConfigCommand};
use crate::config::{Config, FileError, FileSettings, Location, Setting, SettingValue};
use crate::format::LINE_BYTES_DEFAULT;

/// Options that are no settings.
const NO_SETTINGS: [&str; 4] = ["config", "explain", "help", "version"];
/// The prefix of the names of variables.
const PREFIX: &str = "FTPMON_";
/// Names at least so similar are suggested (Jaro-Winkler).
const SIMILAR: f64 = 0.8;

/// The origin of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An option.
    CommandLine,
    /// A variable of this name.
    Environment(String),
    /// A line of a file.
    File(Location),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Environment(name) => f.write_str(name),
            Self::File(at) => at.fmt(f),
        }
    }
}

/// The origin of each setting that is not the default, by the name of its option.
pub type Origins = BTreeMap<String, Origin>;

/// An error in options, environment or files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// A configuration file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// A value from the environment or a file is wrong.
    #[error("{origin}: {message}")]
    Value {
        /// Its origin.
        origin: Origin,
        /// The error, and the way to mend it.
        message: String,
    },
    /// Settings that contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

impl LayerError {
    /// Ends the process as a usage error does, with exit code 2; with 0 where help was asked for.
    pub fn exit(&self) -> ! {
        if let Self::CommandLine(error) = self {
            error.exit();
        }
        eprintln!("ftpmon: {self}");
        std::process::exit(2)
    }
}

/// A command with its configuration.
#[derive(Debug)]
pub struct Invocation {
    /// The command.
    pub command: Command,
    /// Its configuration; none for a command that has none.
    pub config: Option<Config>,
    /// The origins of its settings.
    pub origins: Origins,
    /// The values of the options as they were parsed, for `config show`.
    pub(super) matches: ArgMatches,
    /// The configuration files that were read.
    pub files: Vec<PathBuf>,
}

impl Invocation {
    /// Puts a command line, an environment and the files together.
    ///
    /// # Errors
    /// Whatever is wrong in them, with its place and the way out.
    pub fn new(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, LayerError> {
        let mut arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let given = Cli::command().ignore_errors(true).try_get_matches_from(&arguments)?;
        let (mut origins, mut files) = (Origins::new(), FileSettings::default());
        if let Some(options) = options_of_run(&given) {
            let named = variable(&format!("{PREFIX}CONFIG"));
            let named =
                options.try_get_one::<PathBuf>("config").ok().flatten().cloned().or(named.map(Into::into));
            files = FileSettings::read(named.as_deref())?;
            let definition = definition_of_run();
            refuse_unknown(&definition, &files)?;
            for option in settings(&definition) {
                let (name, id) = (name(option), option.get_id().as_str());
                if options.value_source(id) == Some(ValueSource::CommandLine) {
                    origins.insert(name.to_owned(), Origin::CommandLine);
                    continue;
                }
                let (variable_name, multiple) =
                    (variable_of(name), matches!(option.get_action(), ArgAction::Append));
                let (value, origin) = match (variable(&variable_name), files.settings.get(name)) {
                    (Some(text), _) => (value_of_variable(option, text), Origin::Environment(variable_name)),
                    (None, Some(Setting { value, at })) => (value.clone(), Origin::File(at.clone())),
                    (None, None) => continue,
                };
                let values = as_arguments(option, &value, multiple)
                    .map_err(|message| LayerError::Value { origin: origin.clone(), message })?;
                if !values.is_empty() {
                    origins.insert(name.to_owned(), origin);
                }
                arguments.extend(values);
            }
        }
        let matches =
            Cli::command().try_get_matches_from(&arguments).map_err(|error| located(error, &origins))?;
        let command = Cli::try_parse_from(&arguments)?.command;
        if let Command::Run(options)
        | Command::Config(ConfigCommand::Check(options) | ConfigCommand::Show(options)) = &command
            && options.write_pcap.is_none()
            && options.write_pcap_max_bytes.is_some()
        {
            return Err(contradiction("--write-pcap-max-bytes needs --write-pcap FILE", &origins));
        }
        let config = command.config().map(|config| with_tables(config, &files, &origins)).transpose()?;
        if let Some(config) = &config {
            config.check().map_err(|error| contradiction(&error.to_string(), &origins))?;
        }
        Ok(Self { command, config, origins, matches, files: files.files })
    }

    /// The same for this process.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_process() -> Result<Self, LayerError> {
        Self::new(std::env::args_os(), |name| std::env::var(name).ok())
    }
}

/// The options of `run`, and of the commands that take them, as they were given.
pub(super) fn options_of_run(matches: &ArgMatches) -> Option<&ArgMatches> {
    match matches.subcommand()? {
        ("run" | "doctor", options) => Some(options),
        ("config", config) => {
            config.subcommand().filter(|(name, _)| *name != "example").map(|(_, options)| options)
        }
        _ => None,
    }
}

/// The definition of `run`.
pub(super) fn definition_of_run() -> Definition {
    let run = Cli::command().find_subcommand("run").cloned();
    run.unwrap_or_else(|| Definition::new("run"))
}

/// The options that are settings.
pub(super) fn settings(definition: &Definition) -> impl Iterator<Item = &Arg> {
    definition.get_arguments().filter(|option| !NO_SETTINGS.contains(&name(option)))
}

/// The name of an option, which is its key in files.
pub(super) fn name(option: &Arg) -> &str {
    option.get_long().unwrap_or_default()
}

fn variable_of(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase().replace('-', "_"))
}

fn refuse_unknown(definition: &Definition, files: &FileSettings) -> Result<(), LayerError> {
    for (key, Setting { at, .. }) in &files.settings {
        if settings(definition).any(|option| name(option) == key) {
            continue;
        }
        let similar = settings(definition)
            .map(|option| (strsim::jaro_winkler(name(option), &key.replace('_', "-")), name(option)))
            .filter(|(similarity, _)| *similarity > SIMILAR)
            .max_by(|one, other| one.0.total_cmp(&other.0));
        let way_out = match similar {
            Some((_, name)) => format!("did you mean `{name}`?"),
            None => "`ftpmon config example` lists all keys".to_owned(),
        };
        let message = format!("unknown key `{key}`; {way_out}");
        return Err(LayerError::Value { origin: Origin::File(at.clone()), message });
    }
    Ok(())
}

/// A variable's text: a flag is set by `true`, `yes`, `on` or `1`.
fn value_of_variable(option: &Arg, text: String) -> SettingValue {
    match (option.get_action(), text.as_str()) {
        (ArgAction::SetTrue, "true" | "yes" | "on" | "1") => SettingValue::Flag(true),
        (ArgAction::SetTrue, "false" | "no" | "off" | "0" | "") => SettingValue::Flag(false),
        _ => SettingValue::Text(text),
    }
}

/// A setting as arguments of the command line.
fn as_arguments(option: &Arg, value: &SettingValue, multiple: bool) -> Result<Vec<OsString>, String> {
    let name = name(option);
    let flag = matches!(option.get_action(), ArgAction::SetTrue);
    let argument = |value: &String| OsString::from(format!("--{name}={value}"));
    match value {
        SettingValue::Flag(set) if flag => {
            Ok(set.then(|| OsString::from(format!("--{name}"))).into_iter().collect())
        }
        SettingValue::Flag(_) => {
            Err(format!("`{name}` takes a value, not true or false: {}", values_of(option)))
        }
        _ if flag => Err(format!("`{name}` takes true or false")),
        SettingValue::Text(text) => Ok(vec![argument(text)]),
        SettingValue::List(_) if !multiple => Err(format!("`{name}` takes one value, not an array")),
        SettingValue::List(texts) if texts.is_empty() => {
            Err(format!("`{name}` is an empty array; leave the key out for the default"))
        }
        SettingValue::List(texts) => Ok(texts.iter().map(argument).collect()),
    }
}

/// The values that an option takes, for a message.
fn values_of(option: &Arg) -> String {
    let names: Vec<String> =
        option.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    match names.as_slice() {
        [] => option.get_value_names().unwrap_or_default().join(" "),
        names => format!("one of {}", names.join(", ")),
    }
}

/// The settings that have no option, and the choice between routes of options and of files.
fn with_tables(mut config: Config, files: &FileSettings, origins: &Origins) -> Result<Config, LayerError> {
    config.limits.fill(&files.limits);
    let Some(routes_at) = &files.routes_at else { return Ok(config) };
    let max_line_bytes = config.routes.first().map_or(LINE_BYTES_DEFAULT, |route| route.max_line_bytes);
    match origins.get("output") {
        Some(Origin::File(_)) => config.routes.extend(files.routes.iter().cloned()),
        Some(_) => {}
        None => {
            if let Some(stray) = ["format", "events"].into_iter().find(|name| origins.contains_key(*name)) {
                let message = format!(
                    "--{stray} belongs to --output, which is not given: the routes at {routes_at} have their own; give \
                     --output too, or set {stray} in the routes"
                );
                return Err(contradiction(&message, origins));
            }
            config.routes.clone_from(&files.routes);
        }
    }
    for route in config.routes.iter_mut().filter(|route| route.max_line_bytes == LINE_BYTES_DEFAULT) {
        route.max_line_bytes = max_line_bytes;
    }
    Ok(config)
}

/// An error of the parser, with the place where the value comes from.
fn located(error: clap::Error, origins: &Origins) -> LayerError {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return LayerError::CommandLine(error);
    };
    let option = argument.trim_start_matches('-').split([' ', '=']).next().unwrap_or_default();
    match origins.get(option) {
        None | Some(Origin::CommandLine) => LayerError::CommandLine(error),
        Some(origin) => {
            let text = error.to_string();
            let first = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
            let message = first.split_whitespace().collect::<Vec<_>>().join(" ");
            LayerError::Value { origin: origin.clone(), message }
        }
    }
}

/// A message about options, with the places of those that come from the environment or from files.
fn contradiction(message: &str, origins: &Origins) -> LayerError {
    let mut places = Vec::new();
    for word in message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        let Some(option) = word.strip_prefix("--") else { continue };
        match origins.get(option) {
            None | Some(Origin::CommandLine) => {}
            Some(origin) => {
                let place = format!("{option} is set by {origin}");
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
    }
    let places = if places.is_empty() { String::new() } else { format!(" ({})", places.join(", ")) };
    LayerError::Contradiction(format!("{message}{places}"))
}

#[cfg(test)]
mod tests;
