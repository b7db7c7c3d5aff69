//! The lines of the dialogue in a segment.

use std::collections::BTreeSet;

use ftpmon_core::ftp::Code;

use super::field::{Layers, Span};
use crate::view::explain::words::Term;
use crate::view::layout::shown;

/// Reads the payload of a segment between two ports: lines where one is that of control connections.
pub(super) fn read(
    layers: &mut Layers,
    ports: &BTreeSet<u16>,
    [source, destination]: [u16; 2],
    payload: &[u8],
    at: usize,
) {
    let (from_server, to_server) = (ports.contains(&source), ports.contains(&destination));
    if payload.is_empty() {
        return;
    }
    if !(from_server || to_server) {
        layers.open(Term::Payload, &layers.bytes(payload.len()));
        return;
    }
    layers.open(Term::Ftp, &layers.bytes(payload.len()));
    let mut at = at;
    for line in payload.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let name = match Code::at_head(text) {
            _ if to_server && !from_server => Term::Command,
            Some(_) => Term::Reply,
            None => Term::Line,
        };
        if !text.is_empty() {
            layers.add(name, Span::new(at, text.len()), shown(&String::from_utf8_lossy(text)));
        }
        let end = line.len() - text.len();
        if end > 0 {
            let what = if end == 2 { "CR LF" } else { "LF" };
            layers.add(Term::LineEnd, Span::new(at + text.len(), end), what);
        }
        at += line.len();
    }
}
