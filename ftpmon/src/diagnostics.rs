//! Diagnostics: what the agent tells its operator about itself, a line each on standard error, by `tracing`.
//!
//! Lines of libraries are left out: some write what they send, passwords included, and none has a limit.

use core::fmt;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::OnceLock;

use ftpmon_event::text::is_disruptive;
use ftpmon_event::time::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Registry, reload};

use crate::wall_clock;

/// The target of the kernel programs' own lines. `--kernel-log` chooses among them, and it alone.
pub(crate) const KERNEL_PROGRAMS: &str = "ftpmon::kernel_programs";
/// The target of all others, or the beginning of it.
const OWN: &str = "ftpmon";

/// The importance of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is missing, or may be.
    Warn,
    /// Something changed.
    #[default]
    Info,
    /// Steps of what is done.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level, the most important first.
    const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Its number, of one digit.
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }

    /// The level with a number.
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// The form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `ftpmon: LEVEL: TEXT`.
    #[default]
    Text,
    /// An object of JSON.
    Json,
}

/// Changes the level of the process's lines.
static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// From now on the process writes lines of this level and above on standard error. Only the first call counts.
pub fn start(level: LogLevel, format: LogFormat) {
    let (filter, handle) = reload::Layer::new(filter(level));
    let lines = Registry::default().with(filter).with(lines(format, io::stderr));
    if tracing::subscriber::set_global_default(lines).is_ok() {
        let _ = FILTER.set(handle);
    }
}

/// Another level from now on.
pub(crate) fn set_level(level: LogLevel) {
    if let Some(handle) = FILTER.get() {
        // Fails only where the lines are written no more.
        let _ = handle.reload(filter(level));
    }
}

/// Writes the line about an error that ends the process, whatever the level is. A text stands as it is: it may have several lines.
pub fn fail(format: LogFormat, error: impl fmt::Display) {
    match format {
        LogFormat::Text => {
            let _ = writeln!(io::stderr().lock(), "ftpmon: {error}");
        }
        LogFormat::Json => tracing::error!("{error}"),
    }
}

/// The lines that are wanted.
fn filter(level: LogLevel) -> Targets {
    Targets::new().with_target(OWN, level.filter()).with_target(KERNEL_PROGRAMS, LevelFilter::TRACE)
}

/// A layer that writes lines. A standard error that is closed or full is no reason to stop.
fn lines<S, W>(format: LogFormat, writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    layer().with_writer(writer).log_internal_errors(false).event_format(Lines(format))
}

/// Writes each event as one line.
struct Lines(LogFormat);

/// A line in JSON.
#[derive(Serialize)]
struct JsonLine<'a> {
    ts: Timestamp,
    level: &'a str,
    target: &'a str,
    message: &'a str,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = Text::default();
        event.record(&mut text);
        let level = name(event.metadata().level());
        match self.0 {
            LogFormat::Text => {
                write!(writer, "{OWN}: {level}: ")?;
                one_line(&text.0, &mut writer)?;
            }
            LogFormat::Json => {
                let (target, message) = (event.metadata().target(), &*text.0);
                let line = JsonLine { ts: wall_clock::now(), level, target, message };
                writer.write_str(&serde_json::to_string(&line).map_err(|_| fmt::Error)?)?;
            }
        }
        writer.write_char('\n')
    }
}

/// The message of an event, and behind it what else it has.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

/// Writes a text without characters that control a terminal or begin another line: some of it may be what a peer sent.
fn one_line(text: &str, to: &mut impl fmt::Write) -> fmt::Result {
    for c in text.chars() {
        if is_disruptive(c) {
            write!(to, "{}", c.escape_default())?;
        } else {
            to.write_char(c)?;
        }
    }
    Ok(())
}

const fn name(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// Everything that was written.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `tell` writes, with a level that `tell` may change.
    fn written(
        level: LogLevel,
        format: LogFormat,
        tell: impl FnOnce(&reload::Handle<Targets, Registry>),
    ) -> Vec<String> {
        let out = Written::default();
        let (filter, handle) = reload::Layer::new(filter(level));
        let to = out.clone();
        let lines = Registry::default().with(filter).with(lines(format, move || to.clone()));
        tracing::subscriber::with_default(lines, || tell(&handle));
        let bytes = out.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_has_its_level_and_stays_one_line() {
        let lines = written(LogLevel::Info, LogFormat::Text, |_| {
            tracing::warn!("output {}: {}", "unix:/x", "gone\r\nftpmon: error: \u{1b}[2Jnothing");
            tracing::info!(sessions = 3, "took over");
            tracing::debug!("not wanted");
        });
        let expected = [
            "ftpmon: warn: output unix:/x: gone\\r\\nftpmon: error: \\u{1b}[2Jnothing",
            "ftpmon: info: took over sessions=3",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_line_in_json_is_an_object() {
        let lines = written(LogLevel::Info, LogFormat::Json, |_| tracing::error!("a \"b\"\n{}", 5));
        assert_eq!(lines.len(), 1);
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&line["level"], &line["message"]), (&"error".into(), &"a \"b\"\n5".into()));
        assert_eq!(line["target"], "ftpmon::diagnostics::tests");
        let at = line["ts"].as_str().unwrap();
        assert!(at.starts_with("20") && at.ends_with('Z') && at.len() == 30, "{at}");
    }

    #[test]
    fn a_level_changes_while_lines_are_written() {
        let lines = written(LogLevel::Error, LogFormat::Text, |handle| {
            for (number, level) in LogLevel::ALL.into_iter().enumerate() {
                assert_eq!(LogLevel::of_number(level.number()), Some(level));
                handle.reload(filter(level)).unwrap();
                tracing::error!("{number}");
                tracing::warn!("{number}");
                tracing::info!("{number}");
                tracing::debug!("{number}");
                tracing::trace!("{number}");
            }
        });
        let levels = ["error", "warn", "info", "debug", "trace"];
        let expected: Vec<_> = (0..5)
            .flat_map(|number| (0..=number).map(move |level| format!("ftpmon: {}: {number}", levels[level])))
            .collect();
        assert_eq!(lines, expected);
        assert_eq!(LogLevel::of_number(5), None);
    }

    #[test]
    fn libraries_say_nothing_and_kernel_programs_what_kernel_log_chose() {
        let lines = written(LogLevel::Trace, LogFormat::Text, |handle| {
            tracing::error!(target: "async_nats::connector", "CONNECT with a password");
            handle.reload(filter(LogLevel::Error)).unwrap();
            tracing::debug!(target: KERNEL_PROGRAMS, "lost_ring_control");
            tracing::info!("not wanted");
        });
        assert_eq!(lines, ["ftpmon: debug: lost_ring_control"]);
    }
}
