//! The layers of frames as `ftpmon explain --frame` writes them.

/// The first column of each: offset, bytes, name, value.
const COLUMNS: [usize; 4] = [2, 8, 33, 60];

/// A frame.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    /// Its layers, the outermost first.
    pub(crate) layers: Vec<Layer>,
}

/// A layer.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    /// Its name.
    pub(crate) name: String,
    /// Its fields.
    pub(crate) fields: Vec<Field>,
}

/// A field.
#[derive(Debug, Default)]
pub(crate) struct Field {
    /// The offset of its first byte; none for what is no part of the frame.
    pub(crate) at: Option<usize>,
    /// Its bytes, hexadecimal.
    pub(crate) hex: String,
    /// More bytes than are shown.
    pub(crate) is_cut: bool,
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: String,
}

/// The frames of a text.
pub(crate) fn frames(text: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if !line.starts_with(' ') {
            let name = line.split_once("  ").map_or(line, |(name, _)| name).to_owned();
            if name == "Frame" {
                frames.push(Frame::default());
            }
            if let Some(frame) = frames.last_mut() {
                frame.layers.push(Layer { name, fields: Vec::new() });
            }
            continue;
        }
        let Some(layer) = frames.last_mut().and_then(|frame| frame.layers.last_mut()) else { continue };
        let [offset, hex, name, value] = columns(line);
        // A field that is longer than a line goes on in the next one, without a name.
        if !name.is_empty() {
            let at = usize::from_str_radix(&offset, 16).ok();
            layer.fields.push(Field { at, name, ..Field::default() });
        }
        if let Some(field) = layer.fields.last_mut() {
            field.is_cut |= hex.contains('…');
            field.hex.extend(hex.chars().filter(char::is_ascii_hexdigit));
            field.value.push_str(&value);
        }
    }
    frames
}

fn columns(line: &str) -> [String; 4] {
    let ends = COLUMNS.iter().skip(1).copied().chain([usize::MAX]);
    let mut columns = COLUMNS.iter().zip(ends).map(|(from, to)| {
        let text: String = line.chars().skip(*from).take(to - from).collect();
        text.trim().to_owned()
    });
    core::array::from_fn(|_| columns.next().unwrap_or_default())
}
