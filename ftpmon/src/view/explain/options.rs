//! The session or frame that is explained, and the form of the explanation.

use core::ops::RangeInclusive;
use std::path::PathBuf;

use crate::view::language::Language;
use crate::view::terminal::ColorChoice;

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

/// The frames whose layers are shown in place of the ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layered {
    /// Those with these numbers, counted from 1.
    Frames(RangeInclusive<u64>),
    /// All frames of the session.
    Session,
}

/// The settings of `ftpmon explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainOptions {
    /// A capture, or a file of events as `--format json` writes them.
    pub file: PathBuf,
    /// The session.
    pub selection: Selection,
    /// The file that the ladder is written to as SVG.
    pub svg: Option<PathBuf>,
    /// The file that the ladder is written to as HTML.
    pub html: Option<PathBuf>,
    /// Layers of frames in place of the ladder.
    pub layers: Option<Layered>,
    /// The language of all sentences.
    pub language: Language,
    /// Whether the text has colours.
    pub color: ColorChoice,
    /// Columns of the text; those of the terminal where none are given.
    pub width: Option<usize>,
}
