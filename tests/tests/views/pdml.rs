//! Packets as tshark writes them (PDML): protocols, each with its fields, their places and values.

/// A packet.
#[derive(Debug, Default)]
pub(crate) struct Packet {
    /// Its protocols, the outermost first.
    pub(crate) protocols: Vec<Protocol>,
}

/// A protocol of a packet.
#[derive(Debug, Default)]
pub(crate) struct Protocol {
    /// Its name.
    pub(crate) name: String,
    /// The offset of its first byte.
    pub(crate) at: usize,
    /// The number of its bytes.
    pub(crate) len: usize,
    /// Its fields, those of fields behind them.
    pub(crate) fields: Vec<Field>,
}

/// A field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    /// Its name; empty for a text.
    pub(crate) name: String,
    /// The offset of its first byte.
    pub(crate) at: usize,
    /// The number of its bytes.
    pub(crate) len: usize,
    /// Its value.
    pub(crate) show: String,
    /// Its name and its value for people.
    pub(crate) said: String,
    /// Its bytes, hexadecimal.
    pub(crate) hex: String,
}

impl Protocol {
    /// The first field of this name at an offset.
    pub(crate) fn field(&self, name: &str, at: usize) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name && field.at == at)
    }

    /// The value of the first field of this name.
    pub(crate) fn show(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.show.as_str())
    }
}

/// The packets of a text.
pub(crate) fn packets(text: &str) -> Vec<Packet> {
    let mut packets: Vec<Packet> = Vec::new();
    // Protocols may stand within fields of others, whose further fields come behind them.
    let mut open: Vec<usize> = Vec::new();
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("<packet") {
            packets.push(Packet::default());
            open.clear();
        }
        let Some(packet) = packets.last_mut() else { continue };
        let number = |name| attribute(line, name).parse().unwrap_or(0);
        if line.starts_with("<proto ") {
            packet.protocols.push(Protocol {
                name: attribute(line, "name"),
                at: number("pos"),
                len: number("size"),
                fields: Vec::new(),
            });
            if !line.ends_with("/>") {
                open.push(packet.protocols.len() - 1);
            }
        } else if line.starts_with("</proto") {
            open.pop();
        } else if line.starts_with("<field ") {
            let whole = attribute(line, "unmaskedvalue");
            let field = Field {
                name: attribute(line, "name"),
                at: number("pos"),
                len: number("size"),
                show: attribute(line, "show"),
                said: attribute(line, "showname"),
                hex: if whole.is_empty() { attribute(line, "value") } else { whole },
            };
            if let Some(protocol) = open.last().and_then(|number| packet.protocols.get_mut(*number)) {
                protocol.fields.push(field);
            }
        }
    }
    packets
}

/// The value of an attribute, which no quotation mark is in.
fn attribute(line: &str, name: &str) -> String {
    let start = format!(" {name}=\"");
    let value =
        line.split_once(&start).and_then(|(_, rest)| rest.split_once('"')).map_or("", |(value, _)| value);
    if !value.contains('&') {
        return value.to_owned();
    }
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(value.to_owned(), |value, (escaped, plain)| value.replace(escaped, plain))
}
