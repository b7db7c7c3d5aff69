//! The options of `ftpmon top`.

use std::path::PathBuf;

use clap::Args;

use crate::status::StatusAddress;
use crate::view::{Batch, ColorChoice, EventSource, Filter, Language, Order, Tab, TopOptions};

/// `ftpmon top`.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// File with events as --format json writes them, also gzipped; - for standard input [default: the running agent]
    #[arg(value_name = "EVENTS")]
    pub file: Option<PathBuf>,
    /// Address that was given to run --status: the Unix socket of the agent whose events are shown
    #[arg(long, value_name = "ADDRESS", default_value_t = StatusAddress::Auto, conflicts_with = "file")]
    pub status: StatusAddress,
    /// Take the events of the file at the pace at which they happened, so many times as fast: 1, 10, 0.5 [default: at once]
    #[arg(long, value_name = "FACTOR", requires = "file", value_parser = speed)]
    pub speed: Option<u64>,
    /// Table that is shown first
    #[arg(long, value_enum, default_value_t = Tab::Sessions)]
    pub show: Tab,
    /// Show this only: user:TEXT, client:TEXT, server:TEXT, state:TEXT, path:TEXT, or a text that any of these has. May be given
    /// several times: all have to match
    #[arg(long = "filter", value_name = "FILTER", value_parser = filter)]
    pub filters: Vec<(Filter, String)>,
    /// Order of the sessions
    #[arg(long, value_enum, default_value_t = Order::Time)]
    pub sort: Order,
    /// Write the table as plain text once, at the end of the input
    #[arg(long, conflicts_with = "batch")]
    pub once: bool,
    /// Write the table as plain text again and again
    #[arg(short, long)]
    pub batch: bool,
    /// Seconds between two tables of --batch
    #[arg(long, value_name = "SECONDS", default_value_t = 2, requires = "batch", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub every: u32,
    /// End after so many tables of --batch
    #[arg(short = 'n', long, value_name = "N", requires = "batch", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Language in which a session is explained [default: that of LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_enum)]
    pub lang: Option<Language>,
    /// Colours; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
    /// Columns of plain text, 60 to 160 [default: those of the terminal, or 100]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(60..=160))]
    pub width: Option<u16>,
}

impl TopArgs {
    /// The settings of the view.
    pub fn view(&self) -> TopOptions {
        let every = Batch::Every { every_ms: u64::from(self.every) * 1_000, count: self.count };
        let written: Vec<&str> = self.filters.iter().map(|(_, text)| text.as_str()).collect();
        TopOptions {
            source: EventSource::of(self.file.as_ref(), &self.status),
            speed_permille: self.speed,
            tab: self.show,
            order: self.sort,
            filters: self.filters.iter().map(|(filter, _)| filter.clone()).collect(),
            filter_text: written.join(" "),
            batch: self.once.then_some(Batch::Once).or(self.batch.then_some(every)),
            color: self.color,
            width: self.width.map(usize::from),
            language: self.lang.unwrap_or_else(|| Language::of_environment(|name| std::env::var(name).ok())),
        }
    }
}

fn filter(text: &str) -> Result<(Filter, String), String> {
    Ok((text.parse().map_err(|error: crate::view::FilterError| error.to_string())?, text.to_owned()))
}

/// A factor, in thousandths.
fn speed(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text} is no factor from 0.001 to 1000000: 1, 10, 0.5");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 3 || text.starts_with('.') {
        return Err(wrong());
    }
    let permille = format!("{whole}{part:0<3}").parse().map_err(|_| wrong())?;
    if (1..=1_000_000_000).contains(&permille) { Ok(permille) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_decimal_numbers() {
        assert_eq!(["1", "10", "0.5", "2.125"].map(speed), [Ok(1_000), Ok(10_000), Ok(500), Ok(2_125)]);
        for wrong in ["", "0", ".5", "-1", "1e3", "0.0001", "99999999999999999999", "1000001"] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }
}
