//! `ftpmon explain`: one session as a ladder of messages, the client on the left and the server on the right.
//!
//! A capture is read twice: once through the engine, for the session's events, and once for the segments of its connections. A
//! file of events has no segments; the ladder then has what the events say of them.
//!
//! | file | what |
//! |---|---|
//! | `source` | whether a file is a capture or has events |
//! | `record` | a session: its events, and the steps of its connections |
//! | `capture`, `stored` | a session from a capture, from stored events |
//! | `follower`, `step` | the segments of a connection that change it: handshake, payload, holes, copies, ends |
//! | `connections` | the connections of a session, and the segments that belong to them |
//! | `ladder`, `merge` | the rows of the ladder, and their order |
//! | `handshake`, `dialogue`, `endpoint`, `transfer` | rows with their explanations |
//! | `words` | every sentence, in each language |
//! | `plain` | the ladder as text |

mod capture;
mod connections;
mod dialogue;
mod endpoint;
mod follower;
mod handshake;
mod ladder;
mod merge;
mod plain;
mod record;
mod source;
mod step;
mod stored;
mod transfer;
mod words;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

use super::language::Language;
use super::terminal::{self, ColorChoice};
use crate::config::Config;
use record::Record;
use source::Source;

/// The session that is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The first one.
    #[default]
    First,
    /// The one with this number, counted from 1 in the order in which sessions begin.
    Number(u64),
    /// The one with this id.
    Id(String),
}

/// The settings of `ftpmon explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainOptions {
    /// A capture, or a file of events as `--format json` writes them.
    pub file: PathBuf,
    /// The session.
    pub selection: Selection,
    /// The language of all sentences.
    pub language: Language,
    /// Whether the text has colours.
    pub color: ColorChoice,
    /// Columns of the text; those of the terminal where none are given.
    pub width: Option<usize>,
}

/// Explains a session on standard output. `config` has the ports and the policy of secrets, which count for captures.
///
/// # Errors
/// The file cannot be read, not to its end, or has no such session.
pub fn explain(options: &ExplainOptions, config: &Config) -> anyhow::Result<()> {
    let name = options.file.display().to_string();
    let source = Source::open(&options.file).with_context(|| name.clone())?;
    let (record, end) = match source {
        Source::Capture => capture::read(&options.file, &options.selection, config)?,
        Source::Events(input) => stored::read(input, &options.selection),
    };
    let Some(record) = record else {
        end.with_context(|| name.clone())?;
        match &options.selection {
            Selection::First => bail!("{name}: there is no FTP session in it"),
            Selection::Number(number) => bail!("{name}: there is no session number {number}"),
            Selection::Id(id) => bail!("{name}: there is no session {id}"),
        }
    };
    let text = rendered(&record, options);
    std::io::stdout().lock().write_all(text.as_bytes())?;
    end.with_context(|| name)
}

fn rendered(record: &Record, options: &ExplainOptions) -> String {
    let ladder = merge::ladder(record, options.language);
    plain::text(&ladder, terminal::width(options.width), options.color.on_stdout())
}
