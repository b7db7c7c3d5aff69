//! `ftpmon detect`: stored events to alerts.

use core::ops::ControlFlow;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use tracing::warn;

use crate::chain::Chain;
use crate::config::{Config, RouteConfig};
use crate::event_file;
use crate::sink::DirectOutputs;
use ftpmon_core::detect::{ALL, Entry, find};
use ftpmon_core::engine::Secrets;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{EventKind, EventLine, Origin};

/// Shows the events of all files, in their order, to the detectors, and writes the alerts. A line that is no event is reported on
/// standard error and passed over.
///
/// # Errors
/// A file that cannot be read, or an output that cannot be written.
pub fn detect(config: &Config, files: &[impl AsRef<Path>]) -> anyhow::Result<()> {
    let mut detection = Detection { config, chain: None, latest: Timestamp::default(), wrong: 0 };
    for path in files.iter().map(AsRef::as_ref) {
        let name = path.display().to_string();
        let input = event_file::open_or_stdin(path).with_context(|| format!("cannot open {name}"))?;
        event_file::for_each_line(input, |number, line| detection.line(&name, number, line))
            .with_context(|| name.clone())?;
    }
    let Detection { chain, latest, wrong, .. } = detection;
    if let Some(chain) = chain {
        chain.finish(latest)?;
    }
    match wrong {
        0 => Ok(()),
        1 => bail!("1 line is no event"),
        _ => bail!("{wrong} lines are no events"),
    }
}

/// The state between two lines.
struct Detection<'c> {
    config: &'c Config,
    /// There from the first event on, whose origin alerts have.
    chain: Option<Chain<DirectOutputs>>,
    latest: Timestamp,
    /// Lines that are no events.
    wrong: u64,
}

impl Detection<'_> {
    fn line(&mut self, name: &str, number: u64, line: &[u8]) -> anyhow::Result<ControlFlow<()>> {
        let line = match serde_json::from_slice::<EventLine>(line) {
            Ok(line) => line,
            Err(error) => {
                self.wrong += 1;
                if self.wrong == 1 {
                    warn!("{name}, line {number} is no event and is passed over: {error}");
                }
                return Ok(ControlFlow::Continue(()));
            }
        };
        let chain = match &mut self.chain {
            Some(chain) => chain,
            None => self.chain.insert(open(self.config, &line.origin)?),
        };
        self.latest = self.latest.max(line.event.ts);
        // Alerts of the run itself would stand beside those that are found now.
        if !matches!(line.event.kind, EventKind::Alert(_)) {
            chain.emit(line.event);
        }
        let is_over = chain.outputs().all(DirectOutputs::is_over);
        Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

fn open(config: &Config, origin: &Origin) -> anyhow::Result<Chain<DirectOutputs>> {
    let mut chain =
        Chain::new(config, origin, Secrets::Mask, |route: &RouteConfig| DirectOutputs::open(&route.outputs))?;
    chain.set_detectors(config.all_detectors().map_err(anyhow::Error::msg)?);
    chain.set_places(config.places().map_err(anyhow::Error::msg)?);
    Ok(chain)
}

/// `ftpmon detect --list`: every detector, a line each.
///
/// # Errors
/// Standard output cannot be written.
pub fn list_detectors() -> anyhow::Result<()> {
    let width = ALL.iter().map(|entry| entry.id().len()).max().unwrap_or_default();
    let mut text = String::new();
    for entry in ALL {
        let on = if entry.on { "on " } else { "off" };
        let _ = writeln!(text, "{:width$}  {on}  {}", entry.id(), entry.subject.title);
    }
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// `ftpmon detect --explain`: one detector.
///
/// # Errors
/// There is no such detector, or standard output cannot be written.
pub fn explain_detector(id: &str) -> anyhow::Result<()> {
    let Some(entry) = find(id) else {
        let known: Vec<_> = ALL.iter().map(|entry| entry.id()).collect();
        bail!("there is no detector `{id}`; there are {}", known.join(", "));
    };
    Ok(std::io::stdout().lock().write_all(explanation(entry).as_bytes())?)
}

fn explanation(entry: &Entry) -> String {
    let subject = &entry.subject;
    let threshold = entry.threshold;
    let when = match threshold.count {
        1 => "at the first occurrence".to_owned(),
        count => {
            format!("{count} in {} seconds ({}={count}/{}s)", threshold.per_s, subject.id, threshold.per_s)
        }
    };
    let confidence = format!("{:?}", subject.confidence).to_lowercase();
    format!(
        "{id}: {title}\n\n{about}\n\nAlerts:     {when}, and again whenever an incident has doubled\nDefault:    \
         {on}\nSeverity:   {severity} of 4\nConfidence: {confidence}\nTechnique:  {technique}\n\n{tuning}\n",
        id = subject.id,
        title = subject.title,
        about = entry.about,
        on = if entry.on { "on" } else { "off" },
        severity = subject.severity,
        technique = subject.technique.unwrap_or("none"),
        tuning = entry.tuning,
    )
}
