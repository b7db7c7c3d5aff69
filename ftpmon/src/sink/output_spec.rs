//! An output with its settings, as an operator writes it: `tcp://192.0.2.1:514,format=eve,queue=16M`.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::access_options::AccessOptions;
use super::file_options::FileOptions;
use super::output_error::{OutputSpecError, SETTINGS};
use super::spec::SinkSpec;
use super::tls_options::TlsOptions;
use crate::format::Format;
use crate::quantity::{bytes_text, parse_bytes};
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
    /// The settings of TLS only.
    pub tls: TlsOptions,
    /// The settings of readers that answer only.
    pub access: AccessOptions,
}

impl Default for OutputSettings {
    fn default() -> Self {
        Self {
            format: None,
            events: None,
            queue_bytes: QUEUE_BYTES_DEFAULT,
            resend_bytes: RESEND_BYTES_DEFAULT,
            file: FileOptions::default(),
            tls: TlsOptions::default(),
            access: AccessOptions::default(),
        }
    }
}

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
        let is_file = matches!(self.sink, SinkSpec::File(_));
        let OutputSettings { file, tls, access, .. } = &self.settings;
        let other_kind =
            |setting, of| Err(OutputSpecError::OtherKind { setting, of, sink: self.sink.to_string() });
        for (named, of, has) in
            [(file.named(), "files", is_file), (tls.named(), "outputs with TLS", self.sink.has_tls())]
        {
            if let (Some((setting, _)), false) = (named.first(), has) {
                return other_kind(setting, of);
            }
        }
        if tls.server_name.is_some() && matches!(self.sink, SinkSpec::Broker(_)) {
            return other_kind("server-name", "outputs with TLS to one host");
        }
        if let Some((setting, _)) =
            access.named().into_iter().find(|(setting, _)| !self.sink.access().contains(setting))
        {
            return other_kind(setting, AccessOptions::owners(setting));
        }
        tls.check()?;
        access.check()?;
        if let (Some(only), Some(format)) = (self.sink.format(), self.settings.format)
            && only != format
        {
            return Err(OutputSpecError::Format { sink: self.sink.to_string(), wanted: only.name() });
        }
        Ok(self)
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
                Some((name, value)) if in_settings || SETTINGS.contains(&name) => {
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
            // Configuration files may have either.
            settings.set(&name.replace('_', "-"), &value)?;
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
            "ca" | "cert" | "key" | "server-name" => self.tls.set(name, value)?,
            "token" | "api-key" | "user" | "password" | "creds" | "sasl" | "compress" => {
                self.access.set(name, value)?;
            }
            other => self.file.set(other, value)?,
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
        own.into_iter()
            .flatten()
            .chain(self.file.named())
            .chain(self.tls.named())
            .chain(self.access.named())
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
    use super::super::access_options::Sasl;
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
    fn settings_of_tls() {
        let spec = parse("syslog+tls://log:6514,ca=/ca,cert=/c,key=/k,server-name=log.example").unwrap();
        let path = |text: &str| Some(text.into());
        let name = Some("log.example".to_owned());
        let wanted = TlsOptions { ca: path("/ca"), cert: path("/c"), key: path("/k"), server_name: name };
        assert_eq!(spec.settings.tls, wanted);
        assert_eq!(parse(&spec.to_string()), Ok(spec));
    }

    #[test]
    fn settings_of_brokers() {
        let text =
            "kafka+tls://k1:9093,k2:9093/ftp,ca=/ca,user=ftpmon,password=/p,sasl=scram-sha-512,compress=on";
        let spec = parse(text).unwrap();
        assert_eq!(spec.settings.access.sasl, Sasl::ScramSha512);
        assert_eq!(spec.to_string(), text);
        let spec = parse("nats://n1,n2/ftp.events,creds=/c").unwrap();
        assert_eq!(spec.settings.access.creds.as_deref(), Some("/c".as_ref()));
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
            ("tcp://a:1,ca=/x", "setting of outputs with TLS"),
            ("tls://a:1,cert=/x", "cert is given without key"),
            ("http://a,user=x", "user is given without password"),
            ("http://a,token=x,api-key=y", "token and api-key are both given"),
            ("tcp://a:1,compress=on", "setting of outputs over HTTP"),
            ("otlp+http://a,format=json", "format=otel only"),
            ("tls://a:1,server-name=a b", "host name"),
            ("nats://a/x,ca=/x", "setting of outputs with TLS"),
            ("nats+tls://a/x,server-name=b", "to one host"),
            ("nats://a/x,compress=on", "setting of outputs over HTTP and to Kafka"),
            ("nats://a/x,creds=/x,token=/y", "creds and token are both given"),
            ("kafka://a/x,creds=/x", "setting of outputs to NATS"),
            ("kafka://a/x,sasl=gssapi", "plain, scram-sha-256"),
            ("http://a,sasl=scram-sha-256", "setting of outputs to Kafka"),
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
        let spec: OutputSpec = serde_json::from_str(r#"{"to": "/x", "rotate_age": "1d"}"#).unwrap();
        assert_eq!(spec, parse("/x,rotate-age=1d").unwrap());
        for (table, part) in
            [(r#"{"format": "ecs"}"#, "`to`"), (r#"{"to": "-", "fmt": "ecs"}"#, "no setting `fmt`")]
        {
            let error = serde_json::from_str::<OutputSpec>(table).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
