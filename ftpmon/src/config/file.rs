//! Configuration files: TOML whose keys are the names of the options, each with the place where it stands.
//!
//! Which names there are, and which values they take, is known where the options are defined (`cli`). Two tables have no
//! option: `[limits]`, the caps of the protocol engine, and `[[route]]`, further ways of events to outputs.

use core::fmt;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{LimitsConfig, RouteConfig};
use crate::quantity::parse_bytes;

/// The file that is read where none is named.
pub const DEFAULT_FILE: &str = "/etc/ftpmon/ftpmon.toml";
/// The directory beside it whose `*.toml` are read after it, by name.
const FRAGMENTS: &str = "conf.d";
/// Largest configuration file, bytes. Stops a wrong path from being read into memory.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingValue {
    /// `true` or `false`.
    Flag(bool),
    /// A text or an integer.
    Text(String),
    /// An array of these.
    List(Vec<String>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The value.
    pub value: SettingValue,
    /// Its place.
    pub at: Location,
}

/// An error in a configuration file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// A line is wrong.
    #[error("{at}: {message}")]
    Line {
        /// The line.
        at: Location,
        /// The error, and the way to mend it.
        message: String,
    },
}

/// The content of the files. A later file wins over an earlier one, key by key; routes add up.
#[derive(Clone, Debug, Default)]
pub struct FileSettings {
    /// Keys that are names of options.
    pub settings: BTreeMap<String, Setting>,
    /// `[limits]`.
    pub limits: LimitsConfig,
    /// `[[route]]`, in order.
    pub routes: Vec<RouteConfig>,
    /// The place of the first route.
    pub routes_at: Option<Location>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
    caps: Map<String, Json>,
}

impl FileSettings {
    /// Reads `named`; without it [`DEFAULT_FILE`] and the `*.toml` of its `conf.d`, as far as they are there.
    ///
    /// # Errors
    /// A file that cannot be read, or the first line that is wrong.
    pub fn read(named: Option<&Path>) -> Result<Self, FileError> {
        match named {
            Some(path) => {
                let mut settings = Self::default();
                settings.add(path, &text_of(path)?)?;
                Ok(settings)
            }
            None => Self::read_default(Path::new(DEFAULT_FILE)),
        }
    }

    fn read_default(main: &Path) -> Result<Self, FileError> {
        let mut settings = Self::default();
        let fragments = main.parent().unwrap_or(Path::new("/")).join(FRAGMENTS);
        for path in core::iter::once(main.to_owned()).chain(fragments_in(&fragments)?) {
            match text_of(&path) {
                Ok(text) => settings.add(&path, &text)?,
                Err(FileError::Unreadable { error, .. })
                    if path == main && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(settings)
    }

    /// Adds what a file says.
    fn add(&mut self, path: &Path, text: &str) -> Result<(), FileError> {
        self.files.push(path.to_owned());
        let at = |offset: usize| Location { path: path.to_owned(), line: line_of(text, offset) };
        let table = DeTable::parse(text).map_err(|error| FileError::Line {
            at: at(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        for (key, value) in table.into_inner() {
            let here = at(key.span().start);
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("limits", DeValue::Table(limits)) => {
                    for (name, value) in limits {
                        self.limit(name.get_ref(), value, at(name.span().start))?;
                    }
                }
                ("route", DeValue::Array(routes)) => {
                    for route in routes {
                        self.route(route, at(route.span().start))?;
                    }
                }
                ("limits" | "route", _) => {
                    let message = "write it as a table: [limits] or [[route]]".to_owned();
                    return Err(FileError::Line { at: here, message });
                }
                (name, _) => {
                    let value = setting_value(name, &value)
                        .map_err(|message| FileError::Line { at: here.clone(), message })?;
                    self.settings.insert(name.to_owned(), Setting { value, at: here });
                }
            }
        }
        Ok(())
    }

    fn limit(&mut self, name: &str, value: &Spanned<DeValue<'_>>, at: Location) -> Result<(), FileError> {
        let number = match scalar(value.get_ref()) {
            Some(text) => parse_bytes(&text).map_err(|_| ()),
            None => Err(()),
        };
        let Ok(number) = number else {
            let kind = value.get_ref().type_str();
            let message = format!("limits.{name} takes an integer or a size such as 16M, not this {kind}");
            return Err(FileError::Line { at, message });
        };
        self.caps.insert(name.to_owned(), number.into());
        self.limits = from_json(Json::Object(self.caps.clone()))
            .map_err(|message| FileError::Line { at, message: format!("limits.{name}: {message}") })?;
        Ok(())
    }

    fn route(&mut self, value: &Spanned<DeValue<'_>>, at: Location) -> Result<(), FileError> {
        let mut route = json(value.get_ref());
        if let Json::Object(fields) = &mut route
            && let Some(output) = fields.remove("output")
        {
            let outputs = if output.is_array() { output } else { Json::Array(vec![output]) };
            fields.insert("outputs".to_owned(), outputs);
        }
        let route = from_json(route)
            .map_err(|message| FileError::Line { at: at.clone(), message: format!("route: {message}") })?;
        self.routes.push(route);
        self.routes_at.get_or_insert(at);
        Ok(())
    }
}

/// The fragments, in order of their names; none if there is no such directory.
fn fragments_in(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let unreadable = |error| FileError::Unreadable { path: folder.to_owned(), error };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<io::Result<_>>().map_err(unreadable)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    Ok(paths)
}

/// The text of a file, which has a cap.
pub(super) fn text_of(path: &Path) -> Result<String, FileError> {
    let read = || {
        use std::io::Read as _;
        let mut text = String::new();
        std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        Ok(text)
    };
    read().map_err(|error| FileError::Unreadable { path: path.to_owned(), error })
}

/// The line of an offset, from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

fn setting_value(name: &str, value: &Spanned<DeValue<'_>>) -> Result<SettingValue, String> {
    let wrong = |kind: &str| {
        format!(
            "`{name}` takes no {kind}; options are texts, integers, true or false, and arrays of texts or integers"
        )
    };
    match value.get_ref() {
        DeValue::Boolean(flag) => Ok(SettingValue::Flag(*flag)),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| {
                scalar(item.get_ref())
                    .ok_or_else(|| wrong(&format!("array of {}", item.get_ref().type_str())))
            });
            Ok(SettingValue::List(texts.collect::<Result<_, _>>()?))
        }
        other => scalar(other).map(SettingValue::Text).ok_or_else(|| wrong(other.type_str())),
    }
}

/// A text or an integer as an option would have it.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        _ => None,
    }
}

/// The value with the names of fields as the types have them.
pub(super) fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::Boolean(flag) => Json::Bool(*flag),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Json::Null, Json::from)
        }
        DeValue::Float(number) => Json::String(number.as_str().to_owned()),
        DeValue::String(text) => Json::String(text.clone().into_owned()),
        DeValue::Datetime(time) => Json::String(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(fields) => {
            let field = |(name, value): (&Spanned<_>, &Spanned<_>)| {
                let name: &std::borrow::Cow<'_, str> = name.get_ref();
                (name.replace('-', "_"), json(value.get_ref()))
            };
            Json::Object(fields.iter().map(field).collect())
        }
    }
}

fn from_json<T: DeserializeOwned>(value: Json) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;

    fn read(text: &str) -> Result<FileSettings, String> {
        let mut settings = FileSettings::default();
        settings.add(Path::new("x.toml"), text).map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn keys_are_options_with_the_line_that_they_stand_in() {
        let settings =
            read("# hello\nports = [21, 2121]\npromisc = true\n\nring-size = \"16M\"\n").unwrap().settings;
        let of = |name: &str| (settings[name].value.clone(), settings[name].at.line);
        assert_eq!(of("ports"), (SettingValue::List(vec!["21".into(), "2121".into()]), 2));
        assert_eq!(of("promisc"), (SettingValue::Flag(true), 3));
        assert_eq!(of("ring-size"), (SettingValue::Text("16M".into()), 5));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, word) in [
            ("a = 1\na = 2\n", 2, "duplicate"),
            ("\nports = \n", 2, ""),
            ("\n\nnice = 1.5\n", 3, "float"),
            ("x = 1979-05-27\n", 1, "datetime"),
            ("ports = [[21]]\n", 1, "array of array"),
            ("limits = 5\n", 1, "[limits]"),
            ("[limits]\nflows = true\n", 2, "16M"),
            ("[limits]\nflow = 5\n", 2, "unknown field `flow`"),
            ("\n[[route]]\nfmt = \"json\"\n", 2, "unknown field `fmt`"),
            ("[[route]]\noutput = \"http2://x\"\n", 1, "http2"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(&format!("x.toml:{line}: ")), "{text:?}: {error}");
            assert!(error.contains(word), "{text:?}: {error}");
        }
    }

    #[test]
    fn limits_and_routes_have_tables() {
        let text = "[limits]\nflows = 5\nprobe_bytes = \"1M\"\n[[route]]\nformat = \"zeek-json\"\noutput = \"/x\"\n\
                    [[route]]\nevents = [\"login\"]\noutput = [\"/y\", \"/z\"]\n";
        let settings = read(text).unwrap();
        assert_eq!((settings.limits.flows, settings.limits.probe_bytes), (Some(5), Some(1 << 20)));
        let facts: Vec<_> = settings.routes.iter().map(|route| (route.format, route.outputs.len())).collect();
        assert_eq!(facts, [(Format::ZeekJson, 1), (Format::Json, 2)]);
        assert_eq!(settings.routes_at.unwrap().line, 4);
    }

    #[test]
    fn fragments_win_over_the_file_in_the_order_of_their_names() {
        let folder = std::env::temp_dir().join(format!("ftpmon-fragments-{}", std::process::id()));
        let fragments = folder.join(FRAGMENTS);
        std::fs::create_dir_all(&fragments).unwrap();
        let main = folder.join("ftpmon.toml");
        assert!(FileSettings::read_default(&main).unwrap().settings.is_empty());
        std::fs::write(&main, "sensor = \"a\"\nhook = \"tcx\"\n[limits]\nflows = 1\n").unwrap();
        std::fs::write(fragments.join("20.toml"), "sensor = \"c\"\n").unwrap();
        std::fs::write(fragments.join("10.toml"), "sensor = \"b\"\n[limits]\nended_flows = 2\n").unwrap();
        std::fs::write(fragments.join("30.toml.bak"), "sensor = \"d\"\n").unwrap();
        let read = FileSettings::read_default(&main).unwrap();
        assert_eq!(read.settings["sensor"].value, SettingValue::Text("c".into()));
        assert_eq!(read.settings["hook"].value, SettingValue::Text("tcx".into()));
        assert_eq!((read.limits.flows, read.limits.ended_flows), (Some(1), Some(2)));
        assert_eq!(read.files.len(), 3);
        std::fs::remove_dir_all(folder).unwrap();
        assert!(
            matches!(FileSettings::read(Some(&main)), Err(FileError::Unreadable { .. })),
            "a named one has to be there"
        );
    }
}
