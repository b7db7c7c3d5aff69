//! Layers and fields.

use crate::view::Language;
use crate::view::explain::words::{Term, term};

/// The bytes of a field within its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::view::explain) struct Span {
    /// Offset of the first byte.
    pub(in crate::view::explain) at: usize,
    /// The number of bytes; 0 for what is no part of the frame.
    pub(in crate::view::explain) len: usize,
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
pub(in crate::view::explain) struct Field {
    /// Its name.
    pub(in crate::view::explain) name: Term,
    /// Its bytes.
    pub(in crate::view::explain) span: Span,
    /// Its value, safe to show.
    pub(in crate::view::explain) value: String,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::view::explain) struct Layer {
    /// Its name.
    pub(in crate::view::explain) name: Term,
    /// What it is about: its ends, or its number.
    pub(in crate::view::explain) about: String,
    /// Its fields.
    pub(in crate::view::explain) fields: Vec<Field>,
}

/// The layers of a frame, the outermost first.
pub(in crate::view::explain) struct Layers {
    /// The language of its texts.
    pub(in crate::view::explain) language: Language,
    /// The layers.
    pub(in crate::view::explain) list: Vec<Layer>,
}

impl Layers {
    pub(super) fn new(language: Language) -> Self {
        Self { language, list: Vec::new() }
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

    /// The rest of the frame is read no further, for it is cut off or broken, or of a protocol that is none of these.
    pub(super) fn rest(&mut self, at: usize, len: usize, name: Term) {
        if len > 0 {
            self.open(Term::Rest, self.word(name));
            self.add(Term::Payload, Span::new(at, 0), self.bytes(len));
        }
    }
}
