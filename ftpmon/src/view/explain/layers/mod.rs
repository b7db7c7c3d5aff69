//! The layers of a frame: each field with its bytes, in the order of the wire.
//!
//! | file | what |
//! |---|---|
//! | `framed` | a frame with its place in the capture |
//! | `field` | layers and fields |
//! | `link`, `ip`, `packet`, `tcp`, `tls`, `ftp` | the headers, TLS records, and the lines of the dialogue |
//! | `source` | the frames of a capture, secrets overwritten |
//! | `plain` | layers as text |

mod field;
mod framed;
mod ftp;
mod ip;
mod link;
mod packet;
mod plain;
mod source;
mod tcp;
mod tls;

use super::ladder::{moment, seconds};
use super::words::Term;
use crate::view::Language;
use field::{Layers, Span};
use framed::Framed;

pub(super) use source::{Look, write};

/// The layers of a frame.
fn layers(frame: &Framed<'_>, language: Language) -> Layers {
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
