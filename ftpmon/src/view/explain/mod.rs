//! `ftpmon explain`: one session as a ladder of messages, the client on the left and the server on the right.
//!
//! A capture is read twice: once through the engine, for the session's events, and once for the segments of its connections. A
//! file of events has no segments; the ladder then has what the events say of them.
//!
//! | file | what |
//! |---|---|
//! | `options` | what is explained, and in what form |
//! | `source` | whether a file is a capture or has events |
//! | `record` | a session: its events, and the steps of its connections |
//! | `capture`, `stored` | a session from a capture, from stored events |
//! | `follower`, `step` | the segments of a connection that change it: handshake, payload, holes, copies, ends |
//! | `connections` | the connections of a session, and the segments that belong to them |
//! | `ladder`, `merge` | the rows of the ladder, and their order |
//! | `handshake`, `dialogue`, `argument`, `endpoint`, `transfer` | rows with their explanations |
//! | `words` | every sentence, in each language |
//! | `plain`, `svg`, `page` | the ladder as text, as a drawing, as an HTML file |
//! | `live` | the rows of events as they come, of all sessions below one another |
//! | `layers` | the layers of a frame, field by field |

mod argument;
mod capture;
mod connections;
mod dialogue;
mod endpoint;
mod follower;
mod handshake;
mod ladder;
mod layers;
mod live;
mod merge;
mod options;
mod page;
mod plain;
mod record;
mod source;
mod step;
mod stored;
mod svg;
mod transfer;
mod words;

use core::ops::RangeInclusive;
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail};
use ftpmon_event::Event;

use super::language::Language;
use super::terminal::{self, Painted};
use crate::config::Config;

pub use live::LiveLadder;
pub use options::{ExplainOptions, Layered, Selection};

use capture::Found;
use layers::Look;
use record::{Collector, SessionRecord};
use source::Source;

/// Explains a session on standard output. `config` has the ports and the policy of secrets, which count for captures.
///
/// # Errors
/// The file cannot be read, not to its end, or has no such session.
pub fn explain(options: &ExplainOptions, config: &Config) -> anyhow::Result<()> {
    let name = options.file.display().to_string();
    let source = Source::open(&options.file).with_context(|| name.clone())?;
    let out = std::io::stdout().lock();
    match (source, &options.layers) {
        (Source::Capture, layers) => {
            let mut found = capture::find(&options.file, &options.selection, config)?;
            match (&mut found.record, layers) {
                (_, Some(Layered::Frames(frames))) => show_layers(options, Some(frames), &found, config, out),
                (Some(_), Some(Layered::Session)) => show_layers(options, None, &found, config, out),
                (Some(record), None) => {
                    capture::add_steps(&options.file, record);
                    show(record, options, out)
                }
                (None, _) => missing(&options.selection, &mut found.end),
            }
            .and(found.end)
        }
        (Source::Events(_), Some(_)) => bail!("{name}: events have no frames; layers need a capture"),
        (Source::Events(input), None) => {
            let (record, mut end) = stored::read(input, &options.selection);
            match record {
                Some(record) => show(&record, options, out),
                None => missing(&options.selection, &mut end),
            }
            .and(end)
        }
    }
    .with_context(|| name)
}

/// The error where there is no such session: that of the file, where it has one.
fn missing(selection: &Selection, end: &mut anyhow::Result<()>) -> anyhow::Result<()> {
    core::mem::replace(end, Ok(()))?;
    match selection {
        Selection::First => bail!("there is no FTP session in it"),
        Selection::Number(number) => bail!("there is no session number {number}"),
        Selection::Id(id) => bail!("there is no session {id}"),
    }
}

fn show_layers(
    options: &ExplainOptions,
    frames: Option<&RangeInclusive<u64>>,
    found: &Found,
    config: &Config,
    out: impl Write,
) -> anyhow::Result<()> {
    let look = Look {
        language: options.language,
        width: terminal::width(options.width),
        colour: options.color.on_stdout(),
    };
    let mut out = std::io::BufWriter::new(out);
    layers::write(&options.file, frames, found, config, &look, &mut out)?;
    Ok(out.flush()?)
}

fn show(record: &SessionRecord, options: &ExplainOptions, mut out: impl Write) -> anyhow::Result<()> {
    let ladder = merge::ladder(record, options.language);
    if let Some(path) = &options.svg {
        save(path, &svg::svg(&ladder))?;
    }
    if let Some(path) = &options.html {
        save(path, &page::html(&ladder, options.language))?;
    }
    if options.svg.is_none() && options.html.is_none() {
        let text = plain::painted(&ladder, terminal::width(options.width), options.color.on_stdout());
        out.write_all(text.finish().as_bytes())?;
    }
    Ok(())
}

/// The ladder of the session of which these are the events, in so many columns.
pub(super) fn of_events(events: Vec<Event>, language: Language, width: usize) -> Vec<Painted> {
    let mut collector = Collector::new(&Selection::First);
    events.into_iter().for_each(|event| collector.push(event));
    let Some(record) = collector.finish() else { return Vec::new() };
    plain::painted(&merge::ladder(&record, language), width, false).lines()
}

fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
