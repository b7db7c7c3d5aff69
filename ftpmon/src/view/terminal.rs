//! Colours and the width of a terminal.

use std::io::{self, IsTerminal as _};

/// Columns where standard output is no terminal.
pub(super) const WIDTH_DEFAULT: usize = 100;
/// Columns at least and at most: narrower leaves no room between the two ends of a ladder, wider makes lines that are hard to read.
const WIDTHS: core::ops::RangeInclusive<usize> = 60..=160;

/// Whether to write colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// Whether text on standard output has colours.
    pub(super) fn on_stdout(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
                io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
            }
        }
    }
}

/// The columns of standard output: those asked for, those of the terminal, or 100.
pub(super) fn width(asked: Option<usize>) -> usize {
    let of_terminal =
        || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    let width = asked.or_else(of_terminal).filter(|width| *width > 0).unwrap_or(WIDTH_DEFAULT);
    width.clamp(*WIDTHS.start(), *WIDTHS.end())
}

/// The kind of a piece of text, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Ordinary text.
    Plain,
    /// Times, lifelines, explanations.
    Quiet,
    /// Headings.
    Strong,
    /// Segments that open and close connections.
    Handshake,
    /// Words of the client.
    Command,
    /// Words of the server, and successes.
    Good,
    /// Data connections.
    Data,
    /// The unusual: gaps, retransmissions, addresses behind NAT.
    Odd,
    /// Failures.
    Bad,
}

impl Tone {
    /// The colour as SGR has it (ECMA-48 section 8.3.117).
    const fn sgr(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Quiet => "\x1b[2m",
            Self::Strong => "\x1b[1m",
            Self::Handshake => "\x1b[35m",
            Self::Command => "\x1b[36m",
            Self::Good => "\x1b[32m",
            Self::Data => "\x1b[34m",
            Self::Odd => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }
}

impl Tone {
    /// The name of the tone in the style sheet.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Quiet => "quiet",
            Self::Strong => "strong",
            Self::Handshake => "handshake",
            Self::Command => "command",
            Self::Good => "good",
            Self::Data => "data",
            Self::Odd => "odd",
            Self::Bad => "bad",
        }
    }
}

/// A line of text in tones.
pub(super) type Painted = Vec<(Tone, String)>;

/// Lines of text in tones, with colours or without.
pub(super) struct Painter {
    colour: bool,
    lines: Vec<Painted>,
    line: Painted,
}

impl Painter {
    /// An empty text.
    pub(super) fn new(colour: bool) -> Self {
        Self { colour, lines: Vec::new(), line: Vec::new() }
    }

    /// Adds a piece.
    pub(super) fn put(&mut self, tone: Tone, piece: &str) {
        if !piece.is_empty() {
            self.line.push((tone, piece.to_owned()));
        }
    }

    /// Ends the line.
    pub(super) fn end_line(&mut self) {
        self.lines.push(core::mem::take(&mut self.line));
    }

    /// The lines.
    pub(super) fn lines(self) -> Vec<Painted> {
        self.lines
    }

    /// The whole text. Lines without colours have no white space at their ends.
    pub(super) fn finish(self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            for (tone, piece) in line {
                if self.colour && !tone.sgr().is_empty() {
                    text.extend([tone.sgr(), piece, "\x1b[0m"]);
                } else {
                    text.push_str(piece);
                }
            }
            if !self.colour {
                text.truncate(text.trim_end_matches(' ').len());
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_written_only_where_they_are_wanted() {
        let painted = |colour| {
            let mut painter = Painter::new(colour);
            painter.put(Tone::Bad, "550");
            painter.put(Tone::Plain, " no ");
            painter.end_line();
            painter.finish()
        };
        assert_eq!(painted(false), "550 no\n");
        assert_eq!(painted(true), "\x1b[31m550\x1b[0m no \n");
        assert!(ColorChoice::Always.on_stdout() && !ColorChoice::Never.on_stdout());
    }

    #[test]
    fn widths_stay_in_their_range() {
        assert_eq!([Some(1), Some(80), Some(9_999)].map(width), [60, 80, 160]);
    }
}
