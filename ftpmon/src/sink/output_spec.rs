//! An output with its settings, as an operator writes it: `tcp://192.0.2.1:514,format=eve,queue=16M`.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::file_options::{self, FileOptions, ROTATE_BYTES_MIN, ROTATE_SECONDS_MIN};
use super::spec::{SinkSpec, SinkSpecError};
use crate::format::Format;
use crate::quantity::{bytes_text, parse_bytes, parse_seconds, seconds_text};
use ftpmon_event::EventKind;

/// Bytes of finished lines that may wait for an output unless it says otherwise. A reader that stops reading costs this much
/// memory and no more; what comes while it is full is lost and reported.
pub const QUEUE_BYTES_DEFAULT: usize = 8 << 20;
/// The smallest queue: a few batches.
pub const QUEUE_BYTES_MIN: usize = 512 << 10;
/// The largest queue: a typing error must not take all memory.
pub const QUEUE_BYTES_MAX: usize = 4 << 30;
/// Bytes that a socket took and that are kept to be sent again unless it says otherwise: more than Linux keeps for a TCP reader
/// that does not read (`net.ipv4.tcp_rmem`, 6 MiB at most by default).
pub const RESEND_BYTES_DEFAULT: usize = 8 << 20;

/// One `--output`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct OutputSpec {
    /// The destination.
    pub sink: SinkSpec,
    /// The settings.
    pub settings: OutputSettings,
}

/// The settings of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSettings {
    /// The format, where it is another than the route's.
    pub format: Option<Format>,
    /// The event types, where they are others than the route's.
    pub events: Option<Vec<String>>,
    /// Bytes of events that may wait.
    pub queue_bytes: usize,
    /// Bytes that a socket took and that are kept to be sent again.
    pub resend_bytes: usize,
    /// The settings of files only.
    pub file: FileOptions,
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self {
            format: None,
            events: None,
            queue_bytes: QUEUE_BYTES_DEFAULT,
            resend_bytes: RESEND_BYTES_DEFAULT,
            file: FileOptions::default(),
        }
    }
}

/// The reason why a text is no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputSpecError {
    /// It names no sink.
    #[error(transparent)]
    Sink(#[from] SinkSpecError),
    /// A setting that outputs do not have.
    #[error("outputs have no setting `{0}`; there are {names}", names = NAMES.join(", "))]
    UnknownSetting(String),
    /// A value that is no size or duration.
    #[error("{0}: {1}")]
    Unit(&'static str, String),
    /// A value that the setting does not take.
    #[error("{setting}={value}: it takes {wanted}")]
    Value {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// The events that it takes.
        wanted: String,
    },
    /// A setting of files on an output that is none.
    #[error("{0} is a setting of files, and {1} is not a file")]
    NoFile(&'static str, String),
    /// A table without the output.
    #[error("an output needs `to`, for example to = \"tcp://192.0.2.1:514\"")]
    NoSink,
}

/// The names of the settings.
const NAMES: [&str; 11] =
    ["format", "events", "queue", "resend", "rotate", "rotate-age", "keep", "gzip", "mode", "owner", "group"];

/// An output in a configuration: its text, or a table with `to` and settings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Table(BTreeMap<String, Value>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(u64),
    Flag(bool),
    List(Vec<String>),
}

impl OutputSpec {
    /// An output with the default settings.
    pub fn new(sink: SinkSpec) -> Self {
        Self { sink, settings: OutputSettings::default() }
    }

    /// Each setting is one that the sink has.
    fn checked(self) -> Result<Self, OutputSpecError> {
        let other =
            (!matches!(self.sink, SinkSpec::File(_))).then(|| self.settings.file.named().into_iter().next());
        match other.flatten() {
            Some((name, _)) => Err(OutputSpecError::NoFile(name, self.sink.to_string())),
            None => Ok(self),
        }
    }
}

impl FromStr for OutputSpec {
    type Err = OutputSpecError;

    /// The sink, then settings after commas. A comma that no setting's name and `=` follow belongs to the sink's name.
    fn from_str(text: &str) -> Result<Self, OutputSpecError> {
        let mut parts = text.split(',');
        let mut sink = parts.next().unwrap_or_default().to_owned();
        let mut settings = OutputSettings::default();
        let mut in_settings = false;
        for part in parts {
            match part.split_once('=') {
                Some((name, value)) if in_settings || NAMES.contains(&name) => {
                    in_settings = true;
                    settings.set(name, value)?;
                }
                _ if in_settings => return Err(OutputSpecError::UnknownSetting(part.to_owned())),
                _ => sink = format!("{sink},{part}"),
            }
        }
        Self { sink: sink.parse()?, settings }.checked()
    }
}

impl TryFrom<Written> for OutputSpec {
    type Error = OutputSpecError;

    fn try_from(written: Written) -> Result<Self, OutputSpecError> {
        let mut table = match written {
            Written::Text(text) => return text.parse(),
            Written::Table(table) => table,
        };
        let Some(Value::Text(sink)) = table.remove("to") else { return Err(OutputSpecError::NoSink) };
        let mut settings = OutputSettings::default();
        for (name, value) in table {
            let value = match value {
                Value::Text(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Flag(flag) => flag.to_string(),
                Value::List(list) => list.join("+"),
            };
            settings.set(&name, &value)?;
        }
        Self { sink: sink.parse()?, settings }.checked()
    }
}

impl OutputSettings {
    fn set(&mut self, name: &str, value: &str) -> Result<(), OutputSpecError> {
        match name {
            "format" => self.format = Some(format(value)?),
            "events" => self.events = Some(events(value)?),
            "queue" => self.queue_bytes = size("queue", value, QUEUE_BYTES_MIN)?,
            "resend" => self.resend_bytes = size("resend", value, 0)?,
            other => return self.file.set(other, value),
        }
        Ok(())
    }

    /// Those that are not the default, by name.
    fn named(&self) -> Vec<(&'static str, String)> {
        let default = Self::default();
        let size = |name, value: usize, usual| (value != usual).then(|| (name, bytes_text(value as u64)));
        let own = [
            self.format.map(|format| ("format", format.name().to_owned())),
            self.events.as_ref().map(|events| ("events", events.join("+"))),
            size("queue", self.queue_bytes, default.queue_bytes),
            size("resend", self.resend_bytes, default.resend_bytes),
        ];
        own.into_iter().flatten().chain(self.file.named()).collect()
    }
}

impl FileOptions {
    fn set(&mut self, name: &str, value: &str) -> Result<(), OutputSpecError> {
        let wrong = |setting, wanted: &str| OutputSpecError::Value {
            setting,
            value: value.to_owned(),
            wanted: wanted.to_owned(),
        };
        match name {
            "rotate" => {
                let bytes = parse_bytes(value).map_err(|error| OutputSpecError::Unit("rotate", error))?;
                let least = || wrong("rotate", "64K or more");
                self.rotate_bytes =
                    Some(Some(bytes).filter(|&bytes| bytes >= ROTATE_BYTES_MIN).ok_or_else(least)?);
            }
            "rotate-age" => {
                let seconds =
                    parse_seconds(value).map_err(|error| OutputSpecError::Unit("rotate-age", error))?;
                let least = || wrong("rotate-age", "10s or more");
                let seconds = Some(seconds).filter(|&seconds| seconds >= ROTATE_SECONDS_MIN);
                self.rotate_seconds = Some(seconds.ok_or_else(least)?);
            }
            "keep" => {
                self.keep =
                    file_options::parse_keep(value).ok_or_else(|| wrong("keep", "0 to 1000 files"))?;
            }
            "gzip" => {
                self.gzip = match value {
                    "on" | "true" => true,
                    "off" | "false" => false,
                    _ => return Err(wrong("gzip", "on or off")),
                }
            }
            "mode" => {
                let octal = || wrong("mode", "octal digits, such as 0640");
                self.mode = file_options::parse_mode(value).ok_or_else(octal)?;
            }
            "owner" => {
                let user = || wrong("owner", "a user of this system");
                self.uid = Some(file_options::parse_user(value).ok_or_else(user)?);
            }
            "group" => {
                let group = || wrong("group", "a group of this system");
                self.gid = Some(file_options::parse_group(value).ok_or_else(group)?);
            }
            other => return Err(OutputSpecError::UnknownSetting(other.to_owned())),
        }
        Ok(())
    }

    /// Those that are not the default, by name.
    fn named(&self) -> Vec<(&'static str, String)> {
        let default = Self::default();
        [
            self.rotate_bytes.map(|bytes| ("rotate", bytes_text(bytes))),
            self.rotate_seconds.map(|seconds| ("rotate-age", seconds_text(seconds.into()))),
            (self.keep != default.keep).then(|| ("keep", self.keep.to_string())),
            self.gzip.then(|| ("gzip", "on".to_owned())),
            (self.mode != default.mode).then(|| ("mode", format!("{:04o}", self.mode))),
            self.uid.map(|uid| ("owner", uid.to_string())),
            self.gid.map(|gid| ("group", gid.to_string())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn format(value: &str) -> Result<Format, OutputSpecError> {
    Format::from_name(value).ok_or_else(|| OutputSpecError::Value {
        setting: "format",
        value: value.to_owned(),
        wanted: format!("one of {}", Format::names().join(", ")),
    })
}

fn events(value: &str) -> Result<Vec<String>, OutputSpecError> {
    let names: Vec<String> = value.split('+').map(str::to_owned).collect();
    match names.iter().find(|name| !EventKind::NAMES.contains(&name.as_str())) {
        None => Ok(names),
        Some(unknown) => Err(OutputSpecError::Value {
            setting: "events",
            value: unknown.clone(),
            wanted: format!("names joined by +: {}", EventKind::NAMES.join(", ")),
        }),
    }
}

fn size(setting: &'static str, value: &str, min: usize) -> Result<usize, OutputSpecError> {
    let bytes = parse_bytes(value).map_err(|error| OutputSpecError::Unit(setting, error))?;
    usize::try_from(bytes).ok().filter(|bytes| (min..=QUEUE_BYTES_MAX).contains(bytes)).ok_or_else(|| {
        let (low, high) = (bytes_text(min as u64), bytes_text(QUEUE_BYTES_MAX as u64));
        OutputSpecError::Value { setting, value: value.to_owned(), wanted: format!("{low} to {high}") }
    })
}

/// As the operator wrote it.
impl fmt::Display for OutputSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.sink)?;
        self.settings.named().iter().try_for_each(|(name, value)| write!(f, ",{name}={value}"))
    }
}

impl Serialize for OutputSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<OutputSpec, OutputSpecError> {
        text.parse()
    }

    #[test]
    fn settings_follow_the_sink() {
        let spec = parse("tcp://192.0.2.1:514,format=eve,events=login+alert,queue=16M,resend=0").unwrap();
        assert_eq!(spec.sink, SinkSpec::Tcp { host: "192.0.2.1".into(), port: 514 });
        let settings = &spec.settings;
        assert_eq!(
            (settings.format, settings.queue_bytes, settings.resend_bytes),
            (Some(Format::Eve), 16 << 20, 0)
        );
        assert_eq!(settings.events.as_deref(), Some(&["login".to_owned(), "alert".to_owned()][..]));
        assert_eq!(parse(&spec.to_string()), Ok(spec), "the shown form means the same");
        assert_eq!(parse("-").unwrap(), OutputSpec::new(SinkSpec::Stdout));
    }

    #[test]
    fn settings_of_files() {
        let spec = parse("/a,rotate=100M,rotate-age=1d,keep=7,gzip=on,mode=0600,owner=root,group=0").unwrap();
        let wanted = FileOptions {
            rotate_bytes: Some(100 << 20),
            rotate_seconds: Some(86_400),
            keep: 7,
            gzip: true,
            mode: 0o600,
            uid: Some(0),
            gid: Some(0),
        };
        assert_eq!(spec.settings.file, wanted);
        assert_eq!(parse(&spec.to_string()), Ok(spec));
    }

    #[test]
    fn a_comma_in_a_path_is_a_part_of_the_path() {
        assert_eq!(parse("/a,b=c,d").unwrap().sink, SinkSpec::File("/a,b=c,d".into()));
        let spec = parse("/a,b,format=zeek-json").unwrap();
        assert_eq!(
            (spec.sink, spec.settings.format),
            (SinkSpec::File("/a,b".into()), Some(Format::ZeekJson))
        );
    }

    #[test]
    fn what_is_no_setting_is_refused_with_what_there_is() {
        for (text, part) in [
            ("-,format=xml", "one of json"),
            ("-,events=logins", "login"),
            ("-,queue=1", "512K to 4G"),
            ("-,queue=big", "queue"),
            ("-,format=eve,color=red", "no setting `color`"),
            ("-,format=eve,x", "no setting `x`"),
            ("/a,rotate=1K", "64K or more"),
            ("/a,rotate-age=1s", "10s or more"),
            ("/a,mode=999", "octal"),
            ("/a,owner=no such user", "user"),
            ("/a,gzip=maybe", "on or off"),
            ("unix:/a,rotate=1M", "setting of files"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_table_says_the_same() {
        let table = r#"{"to": "unix:/x", "format": "ecs", "queue": 1048576, "events": ["login", "alert"]}"#;
        let spec: OutputSpec = serde_json::from_str(table).unwrap();
        assert_eq!(spec, parse("unix:/x,format=ecs,queue=1M,events=login+alert").unwrap());
        for (table, part) in
            [(r#"{"format": "ecs"}"#, "`to`"), (r#"{"to": "-", "fmt": "ecs"}"#, "no setting `fmt`")]
        {
            let error = serde_json::from_str::<OutputSpec>(table).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
