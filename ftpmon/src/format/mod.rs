//! Formats of events: one event model, several writers.
//!
//! A [`Formatter`] turns one event into bytes and knows nothing else. The [`Encoder`] around it leaves out what
//! `--events` does not ask for and numbers the rest.

mod awstats;
mod cef;
mod ecs;
mod eve;
mod explain;
mod formatter;
mod json;
mod leef;
mod line;
mod ocsf;
mod otel;
mod pretty;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod schema_tests;
mod syslog;
mod transaction;
mod xferlog;
mod zeek;

use serde::{Deserialize, Serialize};

pub use awstats::Awstats;
pub use cef::Cef;
pub use ecs::Ecs;
pub use eve::Eve;
pub use explain::Explain;
pub use formatter::{Formatter, Unnumbered};
pub use json::Json;
pub(crate) use json::escaped;
pub use leef::Leef;
pub use line::{LINE_BYTES_DEFAULT, LINE_BYTES_MAX, LINE_BYTES_MIN};
pub use ocsf::Ocsf;
pub use otel::Otel;
pub use pretty::Pretty;
pub use syslog::{SyslogForm, SyslogHeader};
pub use xferlog::Xferlog;
pub use zeek::Zeek;

use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, EventType, Origin};

/// Declares [`Format`] from a line a format: variant, name, description, constructor.
macro_rules! formats {
    ($($(#[$attribute:meta])? $variant:ident, $name:literal, $doc:literal, $new:expr;)+) => {
        /// `--format`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Format {
            $(
                #[doc = $doc]
                #[serde(rename = $name)]
                $(#[$attribute])?
                $variant,
            )+
        }

        impl Format {
            /// All formats.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The format's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The format's description, one line.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $doc,)+ }
            }

            /// A writer of this format for the events of `origin`.
            pub fn formatter(self, origin: &Origin) -> Box<dyn Formatter + Send> {
                match self { $(Self::$variant => Box::new($new(origin)),)+ }
            }
        }
    };
}

// A new format is a file beside this one, its `mod` line and a line here.
formats! {
    #[default] Json, "json", "ftpmon's own schema, one JSON object per line", Json::new;
    Ecs, "ecs", "Elastic Common Schema, one JSON object per line", Ecs::new;
    Eve, "eve", "Suricata EVE: ftp, ftp_data and fileinfo", Eve::new;
    Zeek, "zeek", "Zeek ftp.log, tab-separated", Zeek::tsv;
    ZeekJson, "zeek-json", "Zeek ftp.log, one JSON object per line", Zeek::json;
    Pretty, "pretty", "One line per event for people, in colour on a terminal", Pretty::plain;
    Explain, "explain", "Ladders of messages with what each of them means, in colour on a terminal", Explain::plain;
    Xferlog, "xferlog", "The transfer log of wu-ftpd and others: one line per file", Xferlog::new;
    Cef, "cef", "ArcSight Common Event Format: transfers, logins and alerts", Cef::new;
    Leef, "leef", "IBM Log Event Extended Format: transfers, logins and alerts", Leef::new;
    Ocsf, "ocsf", "Open Cybersecurity Schema Framework: files, logins and alerts", Ocsf::new;
    Otel, "otel", "OpenTelemetry log records, one JSON object per line", Otel::new;
    Awstats, "awstats", "Lines for AWStats: one line per file", Awstats::new;
}

impl Format {
    /// The names of all formats.
    pub fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|format| format.name()).collect()
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// A writer of this format that need not know events' numbers; none if it has to, or where a line is made of several
    /// events.
    pub(crate) fn unnumbered(self, origin: &Origin) -> Option<Box<dyn Unnumbered + Send>> {
        self.formatter(origin).into_unnumbered()
    }
}

/// Which event types are wanted (`--events`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindFilter(u32);

impl KindFilter {
    /// Everything.
    pub const ALL: Self = Self(u32::MAX);

    /// Only the types named in `names` (see [`EventKind::NAMES`]); all of them where `names` is empty.
    pub fn only<S: AsRef<str>>(names: &[S]) -> Self {
        if names.is_empty() {
            return Self::ALL;
        }
        let types = names.iter().filter_map(|name| EventType::from_name(name.as_ref()));
        Self(types.fold(0, |bits, kind| bits | kind.bit()))
    }

    /// `kind` passes the filter.
    #[inline]
    pub const fn wants(self, kind: &EventKind) -> bool {
        self.0 & kind.event_type().bit() != 0
    }
}

/// Numbers the wanted events of a run and writes them in one shape.
pub struct Encoder {
    formatter: Box<dyn Formatter + Send>,
    filter: KindFilter,
    line_max: usize,
    /// Lines are syslog messages.
    syslog: Option<SyslogHeader>,
    written: u64,
}

impl Encoder {
    /// An encoder whose first event has `seq` 0, and whose lines have `line_max` bytes at most ([`LINE_BYTES_MIN`] or more).
    pub fn new(formatter: Box<dyn Formatter + Send>, filter: KindFilter, line_max: u32) -> Self {
        Self { formatter, filter, line_max: line_max as usize, syslog: None, written: 0 }
    }

    /// The same with lines that are syslog messages.
    pub fn with_syslog(self, header: SyslogHeader) -> Self {
        Self { syslog: Some(header), ..self }
    }

    /// The next event has the number `seq`.
    pub fn continue_from(&mut self, seq: u64) {
        self.written = seq;
    }

    /// Appends what stands before the first event of an output.
    pub fn header(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        let from = out.len();
        self.formatter.header(at, out);
        if let Some(syslog) = &mut self.syslog {
            syslog.insert(at, None, out, from);
        }
    }

    /// Appends `event` and counts it, if it passes the filter. True if it did.
    pub fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> bool {
        let wanted = self.filter.wants(&event.kind);
        if wanted {
            self.append(self.written, event, out);
            self.written += 1;
        }
        wanted
    }

    /// Events of this kind are written.
    pub fn wants(&self, event: &Event) -> bool {
        self.filter.wants(&event.kind)
    }

    /// Appends a line that was made without its number, and counts it: what is before the number and what is after it.
    pub fn line(&mut self, before: &[u8], behind: &[u8], out: &mut Vec<u8>) {
        let from = out.len();
        let mut digits = itoa::Buffer::new();
        json::append_all([before, digits.format(self.written).as_bytes(), behind], out);
        if out.len() - from > self.line_max {
            line::limit(out, from, self.line_max);
        }
        self.written += 1;
    }

    /// Appends `event` with the number `seq` of an event written before, and counts nothing: how an output that was
    /// opened again gets its first line.
    pub fn repeat(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        if self.filter.wants(&event.kind) {
            self.append(seq, event, out);
        }
    }

    #[inline]
    fn append(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        let from = out.len();
        self.formatter.event(seq, event, out);
        if out.len() - from > self.line_max {
            line::limit(out, from, self.line_max);
        }
        if let Some(syslog) = &mut self.syslog {
            syslog.insert(event.ts, Some((seq, event)), out, from);
        }
    }

    /// Appends what stands at the end of an output.
    pub fn footer(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        let from = out.len();
        self.formatter.footer(at, out);
        if out.len() - from > self.line_max {
            line::limit(out, from, self.line_max);
        }
        if let Some(syslog) = &mut self.syslog {
            syslog.insert(at, None, out, from);
        }
    }

    /// Events written so far; the `seq` of the next one.
    pub const fn written(&self) -> u64 {
        self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ftpmon_event::{RunId, SensorStop, StopReason};

    fn origin() -> Origin {
        Origin { run: RunId(1), sensor: "s".to_owned() }
    }

    fn stop() -> Event {
        let kind = EventKind::SensorStop(SensorStop { reason: StopReason::Signal });
        Event { ts: Timestamp::default(), session: None, user: None, kind }
    }

    #[test]
    fn what_is_not_wanted_gets_no_number() {
        let mut encoder =
            Encoder::new(Format::Json.formatter(&origin()), KindFilter::only(&["login"]), LINE_BYTES_DEFAULT);
        let mut out = Vec::new();
        assert!(!encoder.event(&stop(), &mut out));
        assert!(out.is_empty());
        assert_eq!(encoder.written(), 0);
        let mut encoder = Encoder::new(
            Format::Json.formatter(&origin()),
            KindFilter::only(&["login", "sensor_stop"]),
            LINE_BYTES_DEFAULT,
        );
        assert!(encoder.event(&stop(), &mut out));
        assert_eq!(encoder.written(), 1);
    }

    #[test]
    fn no_list_means_every_type() {
        assert_eq!(KindFilter::only::<&str>(&[]), KindFilter::ALL);
        assert!(KindFilter::ALL.wants(&stop().kind));
    }
}
