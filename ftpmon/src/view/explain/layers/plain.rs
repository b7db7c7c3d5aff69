//! Layers as text: each field with its offset and its bytes, its name and its value.

use super::field::{Field, Layers};
use crate::view::explain::words::term;
use crate::view::layout::{columns, padded, wrapped};
use crate::view::terminal::{Painter, Tone};

/// Bytes in a line.
const BYTES: usize = 8;
/// Columns of the bytes.
const HEX: usize = BYTES * 3;
/// Columns of a name.
const NAME: usize = 26;
/// Columns that a value has beside its name at least: as many as a time of day. Where there are fewer it stands below.
const VALUE: usize = 20;
/// Columns before a value that stands below its name.
const BELOW: usize = 10;
/// Bytes of a field that are shown; a longer one ends with an ellipsis.
const SHOWN_MAX: usize = 512;

/// The layers in so many columns. `bytes` is the frame.
pub(crate) fn text(layers: &Layers, bytes: &[u8], width: usize, colour: bool) -> String {
    let mut painter = Painter::new(colour);
    for layer in &layers.list {
        let (name, about) = (term(layers.language, layer.name), format!("  {}", layer.about));
        painter.put(Tone::Strong, name);
        if columns(name) + columns(&about) <= width {
            painter.put(Tone::Plain, &about);
            painter.end_line();
        } else {
            painter.end_line();
            below(&mut painter, &layer.about, width);
        }
        for field in &layer.fields {
            row(&mut painter, layers, field, bytes, width);
        }
    }
    painter.end_line();
    painter.finish()
}

fn row(painter: &mut Painter, layers: &Layers, field: &Field, bytes: &[u8], width: usize) {
    let end = field.span.at + field.span.len.min(SHOWN_MAX);
    let own = bytes.get(field.span.at..end.min(bytes.len())).unwrap_or_default();
    let mut hex: Vec<String> = own
        .chunks(BYTES)
        .map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
        .collect();
    if field.span.len > SHOWN_MAX {
        hex.push("…".to_owned());
    }
    let room = width.saturating_sub(2 + 6 + HEX + 1 + NAME + 1);
    let is_beside = room >= VALUE;
    let value = if is_beside { wrapped(&field.value, room) } else { Vec::new() };
    let name = term(layers.language, field.name);
    for line in 0..hex.len().max(value.len()).max(1) {
        let at = field.span.at + line * BYTES;
        let offset = hex.get(line).map(|_| format!("{at:04x}")).unwrap_or_default();
        painter.put(Tone::Quiet, &padded(&format!("  {offset}"), 8));
        painter.put(Tone::Quiet, &padded(hex.get(line).map_or("", |hex| hex), HEX + 1));
        painter.put(Tone::Command, &padded(if line == 0 { name } else { "" }, NAME + 1));
        painter.put(Tone::Plain, value.get(line).map_or("", |value| value));
        painter.end_line();
    }
    if !is_beside {
        below(painter, &field.value, width);
    }
}

/// A text on lines of its own.
fn below(painter: &mut Painter, text: &str, width: usize) {
    for line in wrapped(text, width.saturating_sub(BELOW)) {
        painter.put(Tone::Plain, &format!("{}{line}", " ".repeat(BELOW)));
        painter.end_line();
    }
}
