//! The options of `ftpmon who`.

use std::path::PathBuf;

use clap::Args;

use crate::status::StatusAddress;
use crate::view::{ColorChoice, EventSource, Filter, Order, WhoOptions};

/// `ftpmon who`.
#[derive(Clone, Debug, Args)]
pub struct WhoArgs {
    /// File with events as --format json writes them, also gzipped; - for standard input [default: the running agent]
    #[arg(value_name = "EVENTS")]
    pub file: Option<PathBuf>,
    /// Address that was given to run --status: the Unix socket of the agent whose sessions are shown
    #[arg(long, value_name = "ADDRESS", default_value_t = StatusAddress::Auto, conflicts_with = "file")]
    pub status: StatusAddress,
    /// Show these sessions only: user:TEXT, client:TEXT, server:TEXT, state:TEXT, path:TEXT, or a text that any of these has. May be
    /// given several times: all have to match
    #[arg(long = "filter", value_name = "FILTER")]
    pub filters: Vec<Filter>,
    /// Order of the sessions
    #[arg(long, value_enum, default_value_t = Order::Time)]
    pub sort: Order,
    /// Write a line of JSON for each session
    #[arg(long)]
    pub json: bool,
    /// Show a table every so many seconds, in place of one at the end of the input, or of what an agent has open now
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub every: Option<u32>,
    /// End after so many tables
    #[arg(short = 'n', long, value_name = "N", requires = "every", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Colours; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
    /// Columns of the table, 60 to 160 [default: those of the terminal, or 100]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(60..=160))]
    pub width: Option<u16>,
}

impl WhoArgs {
    /// The settings of the view.
    pub fn view(&self) -> WhoOptions {
        WhoOptions {
            source: EventSource::of(self.file.as_ref(), &self.status),
            filters: self.filters.clone(),
            order: self.sort,
            json: self.json,
            every_s: self.every,
            count: self.count,
            color: self.color,
            width: self.width.map(usize::from),
        }
    }
}
