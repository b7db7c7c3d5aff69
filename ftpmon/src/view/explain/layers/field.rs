//! Layers and fields.

use crate::view::Language;
use crate::view::explain::words::{Term, term};

/// The bytes of a field within its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// Offset of the first byte.
    pub(crate) at: usize,
    /// The number of bytes; 0 for what is no part of the frame.
    pub(crate) len: usize,
}

impl Span {
    /// No part of the frame.
    pub(super) const NONE: Self = Self { at: 0, len: 0 };

    pub(super) const fn new(at: usize, len: usize) -> Self {
        Self { at, len }
    }
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: Term,
    /// Its bytes.
    pub(crate) span: Span,
    /// Its value, safe to show.
    pub(crate) value: String,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Its name.
    pub(crate) name: Term,
    /// Its subject: its ends, or its number.
    pub(crate) about: String,
    /// Its fields.
    pub(crate) fields: Vec<Field>,
}

/// The layers of a frame, the outermost first.
pub(crate) struct Layers {
    /// The language of its texts.
    pub(crate) language: Language,
    /// The layers.
    pub(crate) list: Vec<Layer>,
    /// Bytes that are shown as they were captured, for they have no secret.
    revealed: Vec<Span>,
    /// Bytes that are not shown, for they would tell of a secret.
    hidden: Vec<Span>,
}

impl Layers {
    pub(super) fn new(language: Language) -> Self {
        Self { language, list: Vec::new(), revealed: Vec::new(), hidden: Vec::new() }
    }

    /// Begins a layer.
    pub(super) fn open(&mut self, name: Term, about: &str) {
        self.list.push(Layer { name, about: about.to_owned(), fields: Vec::new() });
    }

    /// Adds a field to the layer that was begun last.
    pub(super) fn add(&mut self, name: Term, span: Span, value: impl Into<String>) {
        if let Some(layer) = self.list.last_mut() {
            layer.fields.push(Field { name, span, value: value.into() });
        }
    }

    /// Bytes are shown as they were captured.
    pub(super) fn reveal(&mut self, span: Span) {
        self.revealed.push(span);
    }

    /// Bytes are not shown.
    pub(super) fn hide(&mut self, span: Span) {
        self.hidden.push(span);
    }

    /// Gives the bytes that are shown what was revealed of those that were captured, and overwrites what was hidden.
    pub(super) fn settle(&self, wire: &[u8], shown: &mut [u8]) {
        for span in &self.revealed {
            let range = span.at..span.at.saturating_add(span.len);
            if let (Some(from), Some(to)) = (wire.get(range.clone()), shown.get_mut(range)) {
                to.copy_from_slice(from);
            }
        }
        for span in &self.hidden {
            if let Some(bytes) = shown.get_mut(span.at..span.at.saturating_add(span.len)) {
                bytes.fill(b'*');
            }
        }
    }

    /// A word in the language.
    pub(super) fn word(&self, name: Term) -> &'static str {
        term(self.language, name)
    }

    /// A number of bytes.
    pub(super) fn bytes(&self, count: usize) -> String {
        format!("{count} {}", self.word(Term::Bytes))
    }

    /// A checksum beside the one that it should be, where that is known.
    pub(super) fn checksum(&self, is: u16, right: Option<u16>) -> String {
        match right {
            Some(right) if right == is => format!("{is:#06x}, {}", self.word(Term::Correct)),
            Some(right) => format!("{is:#06x}, {} {right:#06x}", self.word(Term::Wrong)),
            None => format!("{is:#06x}, {}", self.word(Term::Unverified)),
        }
    }

    /// A checksum over bytes some of which are masked. It is not shown: with it they could be guessed.
    pub(super) fn masked_checksum(&self, is: u16, right: Option<u16>) -> String {
        let verdict = match right {
            Some(right) if right == is => Term::Correct,
            Some(_) => Term::Incorrect,
            None => Term::Unverified,
        };
        let glue = if self.language == Language::En { " " } else { "" };
        format!("{}{glue}{}", self.word(Term::SumOfMasked), self.word(verdict))
    }

    /// The rest of the frame is read no further, for it is cut off or broken, or of a protocol that is none of these.
    pub(super) fn rest(&mut self, at: usize, len: usize, name: Term) {
        if len > 0 {
            self.open(Term::Rest, self.word(name));
            self.add(Term::Payload, Span::new(at, 0), self.bytes(len));
        }
    }
}
