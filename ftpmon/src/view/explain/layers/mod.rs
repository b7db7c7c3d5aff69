//! The layers of a frame: each field with its bytes, in the order of the wire.
//!
//! | file | what |
//! |---|---|
//! | `field` | layers and fields |
//! | `link`, `ip`, `tcp`, `ftp` | the headers, and the lines of the dialogue |
//! | `source` | the frames of a capture, secrets overwritten |
//! | `plain` | layers as text |

mod field;
mod ftp;
mod ip;
mod link;
mod plain;
mod source;
mod tcp;

use std::collections::BTreeSet;

use ftpmon_core::frame::RawFrame;
use ftpmon_event::time::Timestamp;

use super::ladder::{moment, seconds};
use super::words::Term;
use crate::view::Language;
use field::{Layers, Span};

pub(super) use plain::text;
pub(super) use source::{Look, write};

/// A frame of a capture.
pub(super) struct Framed<'f> {
    /// Its number, from 1.
    pub(super) number: u64,
    /// When it was captured, and the first frame of the capture.
    pub(super) at: [Timestamp; 2],
    /// The frame, secrets overwritten.
    pub(super) raw: RawFrame<'f>,
    /// Ports of control connections.
    pub(super) ports: &'f BTreeSet<u16>,
}

/// The layers of a frame.
pub(super) fn layers(frame: &Framed<'_>, language: Language) -> Layers {
    let mut layers = Layers::new(language);
    let [at, first] = frame.at;
    layers.open(Term::Frame, &format!("#{}", frame.number));
    layers.add(Term::Arrival, Span::NONE, moment(at));
    layers.add(Term::SinceFirst, Span::NONE, format!("{} s", seconds(first, at)));
    layers.add(Term::WireLength, Span::NONE, layers.bytes(frame.raw.wire_len as usize));
    layers.add(Term::CapturedLength, Span::NONE, layers.bytes(frame.raw.bytes.len()));
    link::read(&mut layers, frame);
    layers
}

#[cfg(test)]
mod tests;
