//! The options of `ftpmon explain`.

use core::ops::RangeInclusive;
use std::path::PathBuf;

use clap::Args;

use super::PortOptions;
use crate::config::SecretsPolicy;
use crate::view::{ColorChoice, ExplainOptions, Language, Layered, Selection};

/// `ftpmon explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// Capture file (pcap or pcapng), or file with events as --format json writes them, also gzipped; - for events on standard
    /// input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Session to explain, by its id [default: the first one]
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// Session to explain, by its number in the file, from 1
    #[arg(long, value_name = "N", conflicts_with = "session", value_parser = clap::value_parser!(u64).range(1..))]
    pub follow: Option<u64>,
    /// Show the layers of this frame, or of the frames from N to M, counted from 1, in place of the ladder: each field with its bytes
    #[arg(long, value_name = "N[-M]", conflicts_with_all = ["session", "follow", "layers"], value_parser = frames)]
    pub frame: Option<RangeInclusive<u64>>,
    /// Show the layers of all frames of the session in place of the ladder
    #[arg(long)]
    pub layers: bool,
    /// Write the ladder as SVG to this file in place of text
    #[arg(long, value_name = "FILE", conflicts_with_all = ["frame", "layers"])]
    pub svg: Option<PathBuf>,
    /// Write the ladder as one HTML file in place of text
    #[arg(long, value_name = "FILE", conflicts_with_all = ["frame", "layers"])]
    pub html: Option<PathBuf>,
    /// Language of the explanations [default: that of LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_enum)]
    pub lang: Option<Language>,
    /// Colours; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
    /// Columns of the text, 60 to 160 [default: those of the terminal, or 100]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(60..=160))]
    pub width: Option<u16>,
    /// Form of passwords and account information of a capture; stored events have theirs
    #[arg(long, value_enum, default_value_t = SecretsPolicy::Mask)]
    pub secrets: SecretsPolicy,
    /// The control ports, shared with `run` and `read`.
    #[command(flatten)]
    pub ports: PortOptions,
}

impl ExplainArgs {
    /// The settings of the view.
    pub fn view(&self) -> ExplainOptions {
        let selection = match (&self.session, self.follow) {
            (Some(id), _) => Selection::Id(id.clone()),
            (None, Some(number)) => Selection::Number(number),
            (None, None) => Selection::First,
        };
        ExplainOptions {
            file: self.file.clone(),
            selection,
            svg: self.svg.clone(),
            html: self.html.clone(),
            layers: self.frame.clone().map(Layered::Frames).or(self.layers.then_some(Layered::Session)),
            language: self.lang.unwrap_or_else(|| Language::of_environment(|name| std::env::var(name).ok())),
            color: self.color,
            width: self.width.map(usize::from),
        }
    }
}

/// A frame's number, or the first and the last one.
fn frames(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
    let range = match text.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(text).map(|number| (number, number)),
    };
    match range {
        Some((first, last)) if first <= last => Ok(first..=last),
        _ => Err("a frame's number from 1, or two as 3-7".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_a_first_and_a_last_one() {
        assert_eq!(frames("3"), Ok(3..=3));
        assert_eq!(frames("3-7"), Ok(3..=7));
        for wrong in ["", "0", "0-3", "7-3", "3-", "-3", "x"] {
            assert!(frames(wrong).is_err(), "{wrong}");
        }
    }
}
